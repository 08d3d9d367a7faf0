"""Looks at a broker from outside of the programs: what is in the queues, and what is left behind.

It has a connection of its own, for all programs of a run. Knows no program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic

from ..fields import Table
from ..wire.amqp import spec
from .address import Address
from .client import Client
from .events import as_event
from .link import Incoming, Link
from .peek import Peek
from .typed import Json, encode_properties

__all__ = ["Watch"]

_PEEK, _QUORUM, _WORK = 1, 2, 3
_NO_ANSWER = spec.ConnectionClose(0, "no answer")
_PLAIN = encode_properties({})
MOST_DRAINED = 500
"""Messages that are read from one queue at the end."""


class Watch:
    """A look at one broker. Raises CannotConnect, also later if it cannot connect again."""

    def __init__(self, address: Address, token: str) -> None:
        self.timeout = 10.0
        self._address = address
        self._link = Link(address)
        self._peek = Peek(_PEEK)
        self._via: dict[str, int] = {}
        self._barrier = f"{token}-barrier"
        self._quorum = False
        """Whether there is a queue to wait for the log with."""
        self._quorum_open = False
        self._last: Incoming | None = None
        self._work_open = False

    def close(self) -> None:
        """Leave nothing behind."""
        if self._quorum:
            self.clean([self._barrier], [])
        self._link.send(0, spec.ConnectionClose(200, "done"))
        self._link.receive(monotonic() + self.timeout)
        self._link.close()

    # -- while a program runs

    def counts(
        self, queues: Iterable[str], clients: Sequence[Client]
    ) -> dict[str, tuple[int, int] | None]:
        """Ready messages and consumers of each queue; None where there is no such queue.

        A queue of one connection alone is asked for there.
        """
        found: dict[str, tuple[int, int] | None] = {}
        wanted = list(queues)
        for _ in range(len(clients) + 2):
            if not wanted:
                break
            wanted = self._look(wanted, clients, found)
        return found

    def _look(
        self,
        wanted: list[str],
        clients: Sequence[Client],
        found: dict[str, tuple[int, int] | None],
    ) -> list[str]:
        """Look at each queue from where it was seen last; those that are to be tried elsewhere."""
        seen = {queue: self._via.get(queue, 0) % (len(clients) + 1) for queue in wanted}
        for via in sorted(set(seen.values())):
            here = [queue for queue in wanted if seen[queue] == via]
            if via == 0:
                self._peek.ask(self._link, here)
                self._await(lambda: self._peek.busy)
                self._collect(self._peek, via, len(clients), found)
                continue
            client = clients[via - 1]
            if client.link is None or client.closing:
                for queue in here:
                    self._via[queue] = (via + 1) % (len(clients) + 1)
                continue
            client.peek.ask(client.link, here)
            deadline = monotonic() + self.timeout
            while client.peek.busy and monotonic() < deadline:
                client.read(deadline)
            self._collect(client.peek, via, len(clients), found)
        return [queue for queue in wanted if queue not in found]

    def _collect(
        self, peek: Peek, via: int, clients: int, found: dict[str, tuple[int, int] | None]
    ) -> None:
        found.update(peek.counts)
        for queue in peek.locked:
            self._via[queue] = (via + 1) % (clients + 1)
        peek.counts.clear()
        peek.locked.clear()

    def settle_quorum(self) -> None:
        """Wait until the log that quorum queues share has been written up to here."""
        if not self._quorum_open:
            self._quorum = self._quorum_open = True
            self._call(_QUORUM, [spec.ChannelOpen()], spec.ChannelOpenOk)
            self._call(_QUORUM, [spec.ConfirmSelect()], spec.ConfirmSelectOk)
            table: Table = {"x-queue-type": "quorum", "x-max-length": 1}
            declare = spec.QueueDeclare(self._barrier, durable=True, arguments=table)
            self._call(_QUORUM, [declare], spec.QueueDeclareOk)
        self._link.publish(_QUORUM, spec.BasicPublish("", self._barrier), _PLAIN, b"")
        self._answer(_QUORUM, spec.BasicAck)

    # -- when a program is over

    def drain(self, queue: str) -> Iterator[Json]:
        """Take every message out of a queue; the last event says why there are no more."""
        for _ in range(MOST_DRAINED):
            incoming = self._request(spec.BasicGet(queue, no_ack=True))
            if incoming.method is None:
                yield {"method": "end of connection"}
                return
            event = as_event(incoming.method, incoming.properties, incoming.body)
            event.pop("delivery_tag", None)
            yield event
            if not isinstance(incoming.method, spec.BasicGetOk):
                return

    def exists(self, exchange: str) -> bool:
        """Whether there is such an exchange."""
        incoming = self._request(spec.ExchangeDeclare(exchange, passive=True))
        return isinstance(incoming.method, spec.ExchangeDeclareOk)

    def clean(self, queues: Iterable[str], exchanges: Iterable[str]) -> None:
        """Delete what a program made."""
        for queue in queues:
            self._request(spec.QueueDelete(queue))
            self._via.pop(queue, None)
        for exchange in exchanges:
            self._request(spec.ExchangeDelete(exchange))

    # -- calls

    def _request(self, method: spec.MethodRecord) -> Incoming:
        """Call a method; its answer, or what closed the channel or the connection instead."""
        if not self._work_open:
            opened = self._call(_WORK, [spec.ChannelOpen()], spec.ChannelOpenOk)
            if not isinstance(opened.method, spec.ChannelOpenOk):
                return opened
            self._work_open = True
        incoming = self._call(_WORK, [method], None)
        if isinstance(incoming.method, spec.ChannelClose):
            self._link.send(_WORK, spec.ChannelCloseOk())
            self._work_open = False
        return incoming

    def _call(
        self,
        channel: int,
        methods: Iterable[spec.MethodRecord],
        wanted: type[spec.MethodRecord] | None,
    ) -> Incoming:
        for method in methods:
            self._link.send(channel, method)
        return self._answer(channel, wanted)

    def _answer(self, channel: int, wanted: type[spec.MethodRecord] | None) -> Incoming:
        """What comes on a channel, of the wanted kind if one is; or the connection's end."""
        self._last = None

        def waits() -> bool:
            last = self._last
            if last is None or last.channel not in {channel, 0}:
                return True
            if wanted is None or last.method is None:
                return False
            return not isinstance(last.method, wanted | spec.ConnectionClose)

        self._await(waits)
        assert self._last is not None
        return self._last

    def _await(self, waits: Callable[[], bool]) -> None:
        deadline = monotonic() + self.timeout
        while waits():
            came = self._link.receive(deadline)
            for incoming in came or [Incoming(0, _NO_ANSWER)]:
                if incoming.method is None or isinstance(incoming.method, spec.ConnectionClose):
                    self._connect_again()
                elif incoming.channel == _PEEK and incoming.method is not None:
                    self._peek.take(self._link, incoming.method)
                self._last = incoming

    def _connect_again(self) -> None:
        """The broker has closed the connection, or does not answer: programs make it do that."""
        self._link.send(0, spec.ConnectionCloseOk())
        self._link.close()
        self._link = Link(self._address)
        self._peek.reset()
        self._work_open = self._quorum_open = False
