"""The connection's side that sends: what was published, and what was settled.

Both are collected and sent at once by `flush`, puts first: a message that is dead-lettered is in
its new place before it leaves the old one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from minibroker.errors import PreconditionFailed
from minibroker.events import Confirmed

from .declared import Declared
from .driver import Leased, Outgoing, Refused
from .queue import RemoteEntry, RemoteQueue

if TYPE_CHECKING:
    import threading

    from minibroker.channel.state import ChannelState
    from minibroker.message import Message
    from minibroker.queues import Entry

    from .driver import Driver, Put
    from .vhost import RemoteVHost

__all__ = ["Awaited", "Sending"]

logger = logging.getLogger(__name__)


class Awaited(NamedTuple):
    """A publish, and which of the outgoing messages it became."""

    channel: ChannelState
    number: int
    """Of its confirm; 0: it gets none."""
    first: int
    end: int


class Sending(Declared):
    """What goes out. Thread-safe."""

    def __init__(self, vhost: RemoteVHost, driver: Driver, lock: threading.RLock) -> None:
        super().__init__(vhost, driver, lock)
        self.awaited: list[Awaited] = []
        self.losses: set[int] = set()
        """Leases that were settled, and turned out to be lost; by identity."""

    # -- what the queues say

    def goes_out(self, queue: RemoteQueue, message: Message, expires: int | None) -> None:
        """A message is to be put into a queue."""
        self.going.append(Outgoing(queue.name, message, expires, self.vhost.delay))

    def await_confirm(self, channel: ChannelState, number: int, first: int) -> None:
        """A publish became what goes out from `first` on: confirm it when that is there, unless
        its number is 0.
        """
        self.awaited.append(Awaited(channel, number, first, len(self.going)))

    def comes_back(self, entries: list[Entry]) -> None:
        """Entries are to be given back."""
        for entry in entries:
            assert isinstance(entry, RemoteEntry)
            if self.held.pop(id(entry), None) is not None and not entry.lost:
                self.returned.append(entry.lease)

    def entered(self, entry: Entry) -> None:
        """Nothing to do: what enters lies elsewhere."""

    def handed(self, entry: Entry) -> None:
        """Nothing to do: it is held since it was leased."""

    def left(self, entry: Entry) -> None:
        """It is to be acked."""
        assert isinstance(entry, RemoteEntry)
        if self.held.pop(id(entry), None) is not None and not entry.lost:
            self.settled.append(entry.lease)

    # -- sending it

    def flush(self) -> None:
        """Send what was published and settled. `AMQPError` when the system is lost.

        What the system does not take is refused to its publisher: by a negative confirm, or
        without confirms as `PreconditionFailed`. A dead letter has none, and is logged.
        """
        with self.lock:
            if self.closed:
                return
            refused = self._put() if self.going else []
            if self.settled:
                settled, self.settled = self.settled, []
                self.mark(self.ask(self.driver.ack, settled))
            if self.returned:
                returned, self.returned = self.returned, []
                self.ask(self.driver.nack, returned)
            if refused:
                raise PreconditionFailed(refused[0].reason)

    def _put(self) -> list[Refused]:
        """Put what goes out; what was refused of publishes that get no confirm."""
        going, self.going = self.going, []
        awaited, self.awaited = self.awaited, []
        answer = self.ask(self.driver.put, going)
        self._follow(going, answer)
        left = {each.place: each for each in answer.refused}
        refused: list[Refused] = []
        for each in awaited:
            mine = [left.pop(place) for place in range(each.first, each.end) if place in left]
            if each.number:
                self.send(Confirmed(each.channel, each.number, False, not mine))
            else:
                refused += mine
        for place, lost in left.items():
            logger.warning(
                "queue %r did not take a dead letter: %s", going[place].queue, lost.reason
            )
        return refused

    def _follow(self, going: list[Outgoing], answer: Put) -> None:
        """Put the messages also into queues that were bound before, and not known here yet.

        What those refuse is added to what `answer` says of the messages.
        """
        refused = answer.refused
        places = {id(each.message): place for place, each in enumerate(going)}
        while answer.version is not None and answer.version != self.version:
            self.read(answer.version)
            there = {(id(each.message), each.queue) for each in going}
            missing = [
                Outgoing(queue.name, each.message, each.expires, each.delay)
                for each in {id(each.message): each for each in going}.values()
                for queue in self.routes(each.message)
                if isinstance(queue, RemoteQueue) and (id(each.message), queue.name) not in there
            ]
            if not missing:
                return
            answer = self.ask(self.driver.put, missing)
            refused += [
                Refused(places[id(missing[each.place].message)], each.reason)
                for each in answer.refused
            ]
            going = [*going, *missing]

    # -- what was lost

    def mark(self, lost: list[Leased]) -> None:
        """Leases were lost: settling them here has no effect any more."""
        if not lost:
            return
        tokens = {id(each) for each in lost}
        for entry in list(self.held.values()):
            if id(entry.lease) in tokens:
                entry.lost = True
                tokens.discard(id(entry.lease))
        self.losses |= tokens  # those were settled already

    def take_losses(self) -> int:
        """How many settled deliveries turned out to be lost since the last time."""
        with self.lock:
            count = len(self.losses)
            self.losses.clear()
            return count

    def take_over(self, lost: Sending) -> None:
        """Give back at once what a connection had leased that was lost."""
        self.refresh(True)
        with self.lock:
            left, lost.abandoned = lost.abandoned, []
            self.returned += left
        self.flush()
