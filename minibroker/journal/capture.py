"""A broker as the records of a checkpoint, and which records of the log it needs.

Called under the broker's lock, at the moment when a batch was taken: what is captured is what the
log amounts to once that batch is written.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from ..exchanges import DelayedExchange, Exchange
from ..queues import Queue, QuorumQueue, Stream
from ..queues.paged import Page
from ..queues.quorum import QuorumEntry
from . import facts, kinds
from .facts import NUMBER, to_bytes
from .journal import number_of
from .places import HeldPlace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..host import Host
    from ..queues import BaseQueue, Entry
    from ..queues.paged import Piece
    from ..users import Users
    from ..vhost import VHost
    from .facts import Fact
    from .journal import Journal

__all__ = ["capture", "needed"]

PAGES = 4096
"""Pages in one record."""


def capture(host: Host, users: Users) -> list[Fact]:
    """Everything that has to outlive the process."""
    found: list[Fact] = [facts.limits_set(None, host.limits)]
    found += [facts.vhost_added(name) for name in host.vhosts]
    for user in users.by_name.values():
        found.append(facts.user_added(user))
        if user.password is not None:
            found.append(facts.password_set(user.name, user.password))
        found += [facts.permissions_set(user, vhost) for vhost in user.permissions]
    for vhost in host.vhosts.values():
        found += _vhost(vhost)
    return found


def _vhost(vhost: VHost) -> Iterator[Fact]:
    yield facts.limits_set(vhost.name, vhost.limits)
    for policy in vhost.policies.list():
        yield facts.policy_set(vhost.name, policy, operator=False)
    for policy in vhost.policies.list_operator():
        yield facts.policy_set(vhost.name, policy, operator=True)
    for exchange in vhost.exchanges.values():
        if exchange.durable and not _is_predeclared(exchange):
            yield from _exchange(vhost, exchange)
    unacked = _unacked(vhost)
    for queue in vhost.queues.values():
        if queue.place is not None:
            yield facts.queue_added(queue, number_of(queue))
            yield from _entries(queue, unacked.get(queue, []))
    for exchange in vhost.exchanges.values():
        for binding in exchange.bindings:
            if exchange.name and binding.lasting:
                to_queue = not isinstance(binding.destination, Exchange)
                yield facts.bound(kinds.BOUND, vhost.name, binding, to_queue)


def _is_predeclared(exchange: Exchange) -> bool:
    return not exchange.name or exchange.name.startswith("amq.")


def _exchange(vhost: VHost, exchange: Exchange) -> Iterator[Fact]:
    place = exchange.place
    if not isinstance(exchange, DelayedExchange) or not isinstance(place, HeldPlace):
        yield facts.exchange_added(vhost.name, exchange, 0)
        return
    yield facts.exchange_added(vhost.name, exchange, place.number)
    yield facts.place(place.number, exchange.arrivals)
    held = sorted(
        (arrival, message.position, message.share)
        for _, arrival, message in exchange.all_held()
        if message.position
    )
    if held:
        yield facts.loose(place.number, 0, held)


def _unacked(vhost: VHost) -> dict[BaseQueue, list[Entry]]:
    """What consumers hold, by queue: entries of the log alone."""
    found: dict[BaseQueue, list[Entry]] = {}
    for connection in vhost.connections:
        for channel in connection.channels:
            settled = channel.transaction.settled if channel.transaction is not None else []
            for entry in channel.unacked.values():
                found.setdefault(entry.queue, []).append(entry)
            for settlement in settled:
                for entry in settlement.entries:
                    found.setdefault(entry.queue, []).append(entry)
    return found


# -- the entries of a queue


def _entries(queue: BaseQueue, unacked: list[Entry]) -> Iterator[Fact]:
    number = number_of(queue)
    if isinstance(queue, Stream):
        yield facts.place(
            number, queue.offsets.next - 1, first=queue.offsets.first, size=queue.size
        )
        yield from _levels(number, queue, ((0, piece) for piece in queue.offsets.pieces()))
        return
    assert isinstance(queue, Queue)
    rows: list[list[object]] = []
    pieces: list[tuple[int, Piece]] = []
    delivered: list[int] = []
    for entry in unacked:
        delivered.append(entry.seq)
        pieces.append((queue.ready.level_of(_priority(queue, entry)), entry))
    for priority, came_back, piece in queue.ready.pieces():
        if isinstance(piece, QuorumEntry) and piece.acquired:
            rows.append(_row(piece, None, not came_back))
            continue
        if not isinstance(piece, Page) and piece.redelivered:
            delivered.append(piece.seq)
        pieces.append((priority, piece))
    if isinstance(queue, QuorumQueue):
        rows += [_row(entry, timer.when, False) for entry, timer in queue.delayed.items()]
        rows += [_row(entry, None, False) for entry in unacked if _came_back(entry)]
        pieces = [each for each in pieces if not _came_back(each[1])]
    yield facts.place(number, queue.seq, queue.expiring, rows=rows)
    yield from _levels(number, queue, pieces)
    if delivered:
        yield facts.delivered(number, array("Q", sorted(delivered)))


def _priority(queue: BaseQueue, entry: Entry) -> int | None:
    return queue.original(entry).properties.priority


def _came_back(piece: Piece) -> bool:
    return isinstance(piece, QuorumEntry) and piece.acquired > 0


def _row(entry: Entry, due: int | None, to_the_tail: bool) -> list[object]:
    assert isinstance(entry, QuorumEntry)
    message = entry.published
    place = entry.seq, message.position, message.share
    return [0, *place, entry.deliveries, entry.acquired, due, to_the_tail]


def _levels(number: int, queue: BaseQueue, pieces: Iterable[tuple[int, Piece]]) -> Iterator[Fact]:
    """Pages as they are; and one by one, in the order of their numbers, what is held."""
    pages: dict[int, list[Page]] = {}
    held: dict[int, list[tuple[int, int, int]]] = {}
    for priority, piece in pieces:
        if isinstance(piece, Page):
            if not piece.spilled:
                pages.setdefault(priority, []).append(piece)
            continue
        message = queue.original(piece)
        if message.position and not message.spilled:
            entry = piece.seq, message.position, message.share
            held.setdefault(priority, []).append(entry)
    for priority, several in pages.items():
        for start in range(0, len(several), PAGES):
            yield _pages(number, priority, several[start : start + PAGES])
    for priority, entries in held.items():
        yield facts.loose(number, priority, sorted(entries))


def _pages(number: int, priority: int, pages: list[Page]) -> Fact:
    rows = [
        (
            page.seqs[0],
            len(page),
            page.weight,
            None if isinstance(page.seqs, range) else to_bytes(array("Q", page.seqs)),
            to_bytes(page.positions),
        )
        for page in pages
    ]
    return kinds.PAGES, NUMBER.pack(number) + NUMBER.pack(priority) + facts.packed(rows)


# -- what is needed of the log


def needed(host: Host, journal: Journal, base: int, end: int) -> list[int]:
    """The positions from `base` up to `end` of records that somebody needs, in order.

    Also of those that were settled since the last commit: after a crash they would be there again.
    """
    found: set[int] = set()
    for vhost in host.vhosts.values():
        for exchange in vhost.exchanges.values():
            if isinstance(exchange, DelayedExchange):
                found.update(message.position for _, _, message in exchange.all_held())
        for entries in _unacked(vhost).values():
            found.update(entry.queue.original(entry).position for entry in entries)
        for queue in vhost.queues.values():
            if queue.place is not None:
                _add_needed(found, queue, base, end)
    found.update(message.position for message in journal.dropped)
    for page in journal.dropped_pages:
        found.update(page.positions)
    return sorted(position for position in found if base <= position < end and position)


def _add_needed(found: set[int], queue: BaseQueue, base: int, end: int) -> None:
    for piece in _all_pieces(queue):
        if isinstance(piece, Page):
            if piece.positions[0] < end and piece.positions[-1] >= base:
                start = bisect_left(piece.positions, base)
                found.update(piece.positions[start : bisect_left(piece.positions, end)])
        else:
            found.add(queue.original(piece).position)


def _all_pieces(queue: BaseQueue) -> Iterator[Piece]:
    if isinstance(queue, Stream):
        yield from queue.offsets.pieces()
    elif isinstance(queue, Queue):
        for _, _, piece in queue.ready.pieces():
            yield piece
    if isinstance(queue, QuorumQueue):
        yield from queue.delayed
