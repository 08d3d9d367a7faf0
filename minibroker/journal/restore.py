"""A broker's virtual hosts, queues and messages from what outlived the process.

Only a model that nobody uses yet is filled. What follows from the restart itself, such as that
consumers of before are gone, happens at the end, with the journal in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..access import Permissions, TopicPermissions
from ..arguments import QueueDeclaration, restored_queue
from ..exchanges import DelayedExchange, ExchangeDeclaration
from ..policy import Policy
from ..queues import Queue, QuorumQueue, Stream
from ..queues.entry import KeptEntry
from ..queues.paged import first_number
from ..queues.quorum import QuorumEntry
from ..vhost import VHost
from ..wire.amqp import decode_table
from .messages import NO_PRIORITY, decode
from .pieces import merged, remaining
from .places import HeldPlace

if TYPE_CHECKING:
    from ..host import Host
    from ..message import Message
    from ..queues import Entry
    from ..queues.paged import Piece
    from ..users import Users
    from .journal import Journal
    from .pieces import Remaining
    from .state import PlaceState, QueueState, Row, State

__all__ = ["restore"]


def restore(state: State, host: Host, users: Users, journal: Journal) -> None:
    """Fill a broker. Raises LogDamaged and OSError when the log cannot be read."""
    for name in state.vhosts:
        if name not in host.vhosts:
            host.vhosts[name] = VHost(name, host)
    _restore_settings(state, host, users)
    for (vhost, _), values in state.exchanges.items():
        _restore_exchange(state, host.vhosts[vhost], values, journal)
    lost: list[tuple[QuorumQueue, list[Entry]]] = []
    for queue in state.queues.values():
        restored = _Restored(queue, state.places[queue.place], journal)
        restored.install(host.vhosts[queue.vhost])
        if restored.lost:
            assert isinstance(restored.queue, QuorumQueue)
            lost.append((restored.queue, restored.lost))
    for vhost, source, to_queue, destination, key, arguments in state.bindings:
        where = host.vhosts[vhost]
        ends = where.queues if to_queue else where.exchanges
        table, _ = decode_table(arguments)
        where.bind(where.exchanges[source], ends[destination], key, table)
    host.journal = journal
    for each in host.vhosts.values():
        each.journal = journal
    for quorum, entries in lost:
        quorum.requeue(entries, "lost")


def _restore_settings(state: State, host: Host, users: Users) -> None:
    for vhost, queues, exchanges, connections in state.limits.values():
        limits = host.limits if vhost is None else host.vhosts[vhost].limits
        limits.queues, limits.exchanges, limits.connections = queues, exchanges, connections
    for name, tags, connections in state.users.values():
        users.add(name, tags, connections)
    for name, hashed in state.passwords.values():
        users.get(name).password = hashed
    for name, vhost, permissions, topics in state.permissions.values():
        user = users.get(name)
        user.permissions[vhost] = Permissions(*permissions)
        user.topics[vhost] = [TopicPermissions(*topic) for topic in topics]
    for vhost, name, operator, pattern, definition, priority, apply_to in state.policies.values():
        table, _ = decode_table(definition)
        policy = Policy(name, pattern, table, priority, apply_to)
        policies = host.vhosts[vhost].policies
        if operator:
            policies.set_operator(policy)
        else:
            policies.set(policy)
    for each in host.vhosts.values():
        each.apply_policies()  # to the predeclared exchanges: there is nothing else yet


def _restore_exchange(state: State, vhost: VHost, values: list[Any], journal: Journal) -> None:
    _, name, kind, auto_delete, internal, arguments, number = values
    table, _ = decode_table(arguments)
    declaration = ExchangeDeclaration(name, kind, True, auto_delete, internal, table)
    exchange = vhost.add_exchange(declaration)
    if number and isinstance(exchange, DelayedExchange):
        exchange.place = HeldPlace(journal, number)
        place = state.places[number]
        held: list[tuple[int, int, Message]] = []
        for level in place.levels.values():
            left = remaining(level, place.settled, set(), [], journal.log)
            for page in left.pages:
                journal.log.account(page.positions[0], len(page), page.weight)
                read = journal.log.read(page.positions)
                for (_, payload), position in zip(read, page.positions, strict=True):
                    message, arrival, due = decode(payload, position, number)
                    held.append((due, arrival, message))
        exchange.restore(held, place.last_seq)


class _Restored:
    """One queue on its way back."""

    def __init__(self, declared: QueueState, place: PlaceState, journal: Journal) -> None:
        self.declared = declared
        self.state = place
        self.journal = journal
        self.lost: list[Entry] = []
        """What consumers of a quorum queue had: they are gone, and that counts."""
        self.queue: Queue | Stream

    def install(self, vhost: VHost) -> None:
        """Make the queue, and fill it."""
        declared = self.declared
        table, _ = decode_table(declared.arguments)
        declaration = QueueDeclaration(
            declared.name,
            durable=True,
            auto_delete=declared.auto_delete,
            arguments=table,
            vhost=vhost.name,
            server_named=declared.server_named,
        )
        settings = restored_queue(declaration, vhost.profile)
        place = self.journal.place(declared.kind, declared.place)
        queue = vhost.install_queue(declaration, settings, None, place)
        assert isinstance(queue, Queue | Stream)
        self.queue = queue
        if isinstance(queue, Stream):
            self._fill_stream(queue)
        else:
            self._fill(queue)

    def _fill_stream(self, stream: Stream) -> None:
        state = self.state
        pages = []
        for level in state.levels.values():
            first = min([page.seqs[0] for page in level.pages] + list(level.seqs[:1]), default=0)
            gone = set(range(first, state.first))
            left = remaining(level, gone, set(), [], self.journal.log)
            self._account(left)
            pages += left.pages
        next_offset = max(state.last_seq + 1, state.first) if pages or state.first else 0
        stream.restore(pages, next_offset, state.size)

    def _fill(self, queue: Queue) -> None:
        state = self.state
        came_back: list[Entry] = []
        tail = {seq: row for seq, row in state.rows.items() if _is_in_the_tail(seq, row, state)}
        levels: dict[int, list[Piece]] = {}
        for priority, several in self._by_level(queue).items():
            log = self.journal.log
            level = merged((state.levels[each] for each in several), state.settled, log)
            left = remaining(level, state.settled, state.delivered, list(tail), log)
            self._account(left)
            levels[priority] = list(left.pages)
            for seq, position, share in left.out:
                self._put_out(queue, seq, position, share, came_back)
        for seq, row in state.rows.items():
            self._put_row(queue, seq, row, came_back, levels)
        for pieces in levels.values() if tail else ():
            pieces.sort(key=first_number)
        queue.restore(levels, came_back, state.last_seq, state.expiring)

    def _by_level(self, queue: Queue) -> dict[int, list[int]]:
        """Which priorities go out together, by the one that stands for them."""
        found: dict[int, list[int]] = {}
        for priority in self.state.levels:
            level = queue.ready.level_of(None if priority == NO_PRIORITY else priority)
            found.setdefault(level, []).append(priority)
        return found

    def _account(self, left: Remaining) -> None:
        log = self.journal.log
        for page in left.pages:
            log.account(page.positions[0], len(page), page.weight)
        for _, position, share in left.out:
            log.account(position, 1, share)

    def _load(self, position: int) -> tuple[Message, int | None]:
        """A message, and when its entry expires."""
        ((_, payload),) = self.journal.log.read([position])
        message, _, expires = decode(payload, position, self.declared.place)
        return message, expires or None

    def _put_out(
        self, queue: Queue, seq: int, position: int, share: int, came_back: list[Entry]
    ) -> None:
        """A consumer had it when the process ended."""
        message, expires = self._load(position)
        entry: Entry
        if isinstance(queue, QuorumQueue):
            entry = queue.revive(message, seq, expires)
            self.lost.append(entry)
        else:
            entry = KeptEntry(queue, message, seq, expires, redelivered=True)
            came_back.append(entry)
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        """The entry is held in memory."""
        if self.journal.alarm is not None:
            self.journal.alarm.entered(entry)

    def _put_row(
        self,
        queue: Queue,
        seq: int,
        row: Row,
        came_back: list[Entry],
        levels: dict[int, list[Piece]],
    ) -> None:
        assert isinstance(queue, QuorumQueue)
        self.journal.log.account(row.position, 1, row.share)
        message, expires = self._load(row.position)
        entry = queue.revive(message, seq, expires, row.deliveries, row.acquired)
        assert isinstance(entry, QuorumEntry)
        self._count(entry)
        if seq in self.state.delivered:
            self.lost.append(entry)
        elif row.due is not None:
            queue.hold(entry, row.due)
        elif row.to_the_tail:
            level = queue.ready.level_of(message.properties.priority)
            levels.setdefault(level, []).append(entry)
        else:
            came_back.append(entry)


def _is_in_the_tail(seq: int, row: Row, state: PlaceState) -> bool:
    return row.to_the_tail and row.due is None and seq not in state.delivered
