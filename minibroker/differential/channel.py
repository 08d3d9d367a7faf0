"""What a client knows of one channel of its own: what it waits for, and what it may settle.

Two queues that deliver to one channel do so in any order. So that this is no difference, the
deliveries of one operation are counted queue by queue, in the order of their names: these counts
are the tags that a program and its record speak of, and `tags` leads back to the real ones.
"""

from __future__ import annotations

from typing import NamedTuple

from ..wire.amqp import spec
from .typed import Json

__all__ = ["Arrival", "ChannelView"]

UNKNOWN = "?"
"""Where a delivery belongs whose consumer tag is of no consumer."""


class Arrival(NamedTuple):
    """Something that came on a channel: an event, and for a delivery what it belongs to."""

    event: Json
    queue: str | None = None
    no_ack: bool = False
    tag: int = 0


class ChannelView:
    """One channel as its client sees it."""

    def __init__(self) -> None:
        self.came: list[Arrival] = []
        """What the operation led to; what comes at the channel's end included."""
        self.acked: list[int] = []
        self.nacked: list[int] = []
        """Publishes that were confirmed, one way or the other, during the operation."""
        self.reset()

    def reset(self) -> None:
        """The channel is not open."""
        self.open = False
        self.awaiting: list[str] = []
        """The replies that have to come."""
        self.barriers = 0
        """How often it was asked whether anything is still to come."""
        self.opening = 0
        """How often it was opened without the program saying so."""
        self.confirming = self.transactional = False
        self.published = 0
        self.unconfirmed: set[int] = set()
        self.consumers: dict[str, tuple[str, bool]] = {}
        """Queue, as the program calls it, and `no_ack` by consumer tag."""
        self.starting: list[tuple[str, bool]] = []
        self.getting: list[tuple[str, bool]] = []
        """The same of consumers and gets that are not answered yet."""
        self.tags: dict[int, int] = {}
        """The real delivery tags by the tags of this record."""
        self.ends: dict[int, int] = {}
        """Where the order was any: the last tag of the operation, instead."""
        self.unsettled: list[int] = []
        self.pending: list[int] = []
        """Those settled in a transaction that is not over."""

    @property
    def busy(self) -> bool:
        """Whether something has to come still."""
        return bool(self.awaiting or self.barriers or self.unconfirmed)

    # -- publishing

    def note_mode(self, method: str) -> None:
        """A method that may change the mode of the channel is being sent."""
        if method == "confirm.select":
            self.confirming = not self.transactional
        elif method == "tx.select":
            self.transactional = not self.confirming
        elif method in {"tx.commit", "tx.rollback"}:
            self._end_transaction(rolled_back=method == "tx.rollback")

    def count_publish(self) -> None:
        """A message is being published: it will be confirmed, if that was asked for."""
        if self.confirming:
            self.published += 1
            self.unconfirmed.add(self.published)

    def confirmed(self, method: spec.BasicAck | spec.BasicNack) -> None:
        """A confirm came."""
        tags = [method.delivery_tag]
        if method.multiple:
            tags = sorted(each for each in self.unconfirmed if each <= method.delivery_tag)
        self.unconfirmed.difference_update(tags)
        (self.acked if isinstance(method, spec.BasicAck) else self.nacked).extend(tags)

    # -- deliveries

    def delivered(self, method: spec.BasicDeliver, event: Json) -> None:
        """A consumer got a message."""
        queue, no_ack = self.consumers.get(method.consumer_tag, (UNKNOWN, False))
        self.came.append(Arrival(event, queue, no_ack, method.delivery_tag))

    def got(self, method: spec.BasicGetOk, event: Json) -> None:
        """A `basic.get` got a message."""
        queue, no_ack = self.getting.pop(0) if self.getting else (UNKNOWN, False)
        self.came.append(Arrival(event, queue, no_ack, method.delivery_tag))

    def take_deliveries(self) -> dict[str, list[Json]]:
        """The deliveries that came, by queue, with the record's tags; they are not kept."""
        deliveries = [each for each in self.came if each.queue is not None]
        self.came = [each for each in self.came if each.queue is None]
        real = sorted(each.tag for each in deliveries)
        found: dict[str, list[Json]] = {}
        deliveries.sort(key=lambda each: each.queue or "")
        for shown, each in zip(real, deliveries, strict=True):
            self.tags[shown] = each.tag
            if not each.no_ack and self.open:
                self.unsettled.append(shown)
            found.setdefault(each.queue or "", []).append({**each.event, "delivery_tag": shown})
        if len(found) > 1:
            self.ends.update(dict.fromkeys(real, real[-1]))
        return found

    # -- settling

    def resolve(self, wanted: Json, multiple: bool) -> int | None:
        """The real tag of what an operation settles; None if there is nothing to settle."""
        if not isinstance(wanted, list):
            return self.tags.get(wanted, int(wanted))
        which, index = wanted
        if index >= len(self.unsettled):
            return None
        shown = self.unsettled[index if which == "oldest" else -1 - index]
        return self.ends.get(shown, self.tags[shown]) if multiple else self.tags[shown]

    def settle(self, tag: int, multiple: bool) -> None:
        """A real tag is being settled; with `multiple` all up to it, or all of them for 0."""
        gone = {
            each
            for each in self.unsettled
            if self.tags[each] == tag or (multiple and (tag == 0 or self.tags[each] <= tag))
        }
        self.unsettled = [each for each in self.unsettled if each not in gone]
        if self.transactional:
            self.pending += sorted(gone)

    def _end_transaction(self, rolled_back: bool) -> None:
        """What was settled stays so, or comes back."""
        if rolled_back:
            self.unsettled = sorted(self.unsettled + self.pending)
        self.pending = []
