"""The end of deliveries: acks, and ways back into the queues.

Knows nothing of how queues order their entries. Source: RabbitMQ documentation, "Consumer
Acknowledgements", and RabbitMQ's `rabbit_channel`.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from ..errors import NotImplementedByBroker, PreconditionFailed
from ..queues.refusals import check_reject
from .credit import Credit
from .state import Settlement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..queues import Entry
    from ..queues.consumers import Consumer

__all__ = ["Settling"]


class Settling(Credit):
    """Settling deliveries. Thread-safe."""

    __slots__ = ()

    def ack(self, tag: int, multiple: bool = False) -> None:
        """Settle a delivery, or all up to and including it (`basic.ack`).

        Tag 0 with `multiple` means all, even if there is none. Raises PreconditionFailed for
        another tag that is not outstanding on this channel, also with `multiple`.
        """
        self.acquire()
        try:
            if multiple or self.transaction is not None:
                self._settle(tag, multiple, "ack")
                return
            entry = self.unacked.pop(tag, None)
            if entry is None:
                raise _unknown(self, tag)
            queue = entry.queue
            queue.unacked -= 1
            if queue.ledger is not None:
                queue.ledger.left(entry)
            consumer = entry.consumer
            if consumer is None:
                return
            consumer.credit += 1
            if self.shared_limit is not None:
                self._relax(1)
                self.resume()
            elif consumer.paused and not self.connection.congested:
                consumer.queue.pump(consumer)
        finally:
            self.release()

    def nack(self, tag: int, multiple: bool = False, requeue: bool = True) -> None:
        """Return a delivery to its place, or dead-letter it; or all up to it (`basic.nack`)."""
        with self.guard:
            self._settle(tag, multiple, "nack", requeue)

    def reject(self, tag: int, requeue: bool = True) -> None:
        """Return a delivery to its place, or dead-letter it (`basic.reject`)."""
        with self.guard:
            self._settle(tag, False, "reject", requeue)

    def recover(self, requeue: bool = True) -> None:
        """Return everything unacked on this channel to its place (`basic.recover`)."""
        with self.guard:
            self.ensure_open()
            if not requeue and not self.vhost.profile.recover_without_requeue:
                raise NotImplementedByBroker("requeue=false")
            entries = list(self.unacked.values())
            self.unacked.clear()
            self.connection.withdraw(self)
            self.settle(Settlement(entries, "recover", requeue=True))

    def _settle(self, tag: int, multiple: bool, cause: str, requeue: bool = False) -> None:
        self.ensure_open()
        tags = self._meant(tag, multiple)
        if cause != "ack":
            for each in tags:
                check_reject(self.unacked[each].queue)
        settlement = Settlement([self.unacked.pop(each) for each in tags], cause, requeue)
        if self.transaction is not None:
            self.transaction.settled.append(settlement)
        else:
            self.settle(settlement)

    def _meant(self, tag: int, multiple: bool) -> list[int]:
        """The unacked deliveries that a tag means."""
        if not multiple:
            if tag not in self.unacked:
                raise _unknown(self, tag)
            return [tag]
        if not tag:
            return list(self.unacked)
        if tag not in self.unacked:  # however many lower ones there are
            raise _unknown(self, tag)
        return list(takewhile(lambda outstanding: outstanding <= tag, self.unacked))

    def settle(self, settlement: Settlement) -> None:
        """Carry a settlement out, group by group, and let go on who has credit again."""
        if self.shared_limit is not None:
            self._relax(sum(entry.consumer is not None for entry in settlement.entries))
        for entries in _groups(settlement):
            self._settle_group(entries, settlement)
        self.resume()

    def _settle_group(self, entries: list[Entry], settlement: Settlement) -> None:
        queue, consumer = entries[0].queue, entries[-1].consumer
        queue.unacked -= len(entries)
        able: Consumer | None = None
        if consumer is not None:
            before = entries[0].consumer is not consumer  # one of the same name that has ended
            consumer.credit += _count_of(consumer, entries) if before else len(entries)
            if consumer.paused and self.may_take(consumer):
                able = consumer
        if settlement.requeue and not queue.deleted:
            if able is not None:
                queue.consumers.admit((able,))
            queue.requeue(entries, settlement.cause)
            return
        if able is not None and queue.consumers.has_kept_place(able):
            queue.consumers.admit((able,))
            able = None
        for entry in entries:
            if settlement.cause == "ack" or queue.deleted:
                queue.settle(entry)
            else:
                queue.drop(entry, "rejected")
        if able is not None:
            queue.pump(able)


def _groups(settlement: Settlement) -> Iterable[list[Entry]]:
    """The entries by queue and consumer, in the order of both names; each `get` is by itself.

    So does RabbitMQ tell its queues, and each group is dealt again before the next one is there
    (`rabbit_channel:foreach_per_queue`). A classic queue sees all of a lost channel at once.
    """
    groups: dict[object, list[Entry]] = {}
    at_once = settlement.cause == "lost"
    for entry in settlement.entries:
        key = entry.queue if at_once and entry.queue.kind == "classic" else entry.consumer or entry
        groups.setdefault(key, []).append(entry)
    if len(groups) < 2:
        return groups.values()
    by_name: dict[object, list[Entry]] = {}
    for group in sorted(groups.values(), key=_place_of):
        by_name.setdefault((group[0].queue, _place_of(group)), []).extend(group)
    return by_name.values()


def _count_of(consumer: Consumer, entries: list[Entry]) -> int:
    return sum(entry.consumer is consumer for entry in entries)


def _place_of(group: list[Entry]) -> tuple[str, bool, int, str]:
    entry = group[0]
    consumer = entry.consumer
    if consumer is None:  # in the place of a consumer tag it has a number
        return entry.queue.name, False, entry.tag, ""
    return entry.queue.name, True, 0, consumer.tag


def _unknown(channel: Settling, tag: int) -> Exception:
    channel.ensure_open()
    return PreconditionFailed(f"unknown delivery tag {tag}")
