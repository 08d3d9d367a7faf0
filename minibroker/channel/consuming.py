"""The side of a channel that consumes: deliveries, prefetch, acks, requeueing.

Knows nothing of how queues order their entries. Source: RabbitMQ documentation, "Consumers",
"Consumer Prefetch", "Consumer Acknowledgements", and RabbitMQ's `rabbit_channel`.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from ..arguments import parse_consumer
from ..direct_reply import PSEUDO_QUEUE
from ..errors import AccessRefused, NotAllowed, NotImplementedByBroker, PreconditionFailed
from ..queues.consumers import Consumer
from ..queues.queue import Queue
from ..queues.refusals import check_consumer, check_get, check_reject
from .declaring import Declaring
from .state import Settlement

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..direct_reply import ReplyQueue
    from ..fields import Table
    from ..queues import BaseQueue, Entry

__all__ = ["Consuming", "GetOk"]


class GetOk(NamedTuple):
    """What `get` answers: an entry, and how many are ready behind it."""

    entry: Entry
    message_count: int


class Consuming(Declaring):
    """Consuming and settling. Thread-safe."""

    __slots__ = ()

    # -- consumers

    def consume(
        self,
        queue: str,
        *,
        tag: str = "",
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Table | None = None,
        callback: Callable[[Entry], None] | None = None,
    ) -> str:
        """Start a consumer, and return its tag (`basic.consume`).

        Deliveries go to the connection's outbox; `callback` is kept with the consumer for whoever
        drains it, and is not called here.

        Args:
            queue: its name, or empty for the queue declared last on this channel.
            tag: a name of its own on this channel; empty: the broker makes one.
            no_ack: deliveries are settled at once.
            exclusive: no other consumer of the queue may be there or come; only classic queues
                look at it.
            arguments: `x-priority`, `x-stream-offset`, `x-consumer-timeout`.
            callback: see above.

        Raises:
            NotFound: no such queue.
            AccessRefused: another consumer is exclusive, or is there when this one is to be.
            ResourceLocked: the queue is exclusive to another connection.
            NotAllowed: the tag is in use.
            PreconditionFailed: invalid arguments.
        """
        with self.guard:
            self.ensure_open()
            if tag and tag in self.consumers:
                raise NotAllowed(f"attempt to reuse consumer tag '{tag}'")
            reply = self._new_reply_queue(no_ack) if queue == PSEUDO_QUEUE else None
            source = reply or self._readable(self.queue_name(queue))
            tag = tag or f"amq.ctag-{self.vhost.host.unique()}"
            timeouts = self.vhost.profile.queue_consumer_timeout
            settings = parse_consumer(
                arguments, source.name, self.vhost.name, source.kind, timeouts
            )
            self._check_exclusive(source, exclusive)
            consumer = Consumer(
                self,
                source,
                tag,
                settings,
                no_ack=no_ack,
                exclusive=exclusive,
                prefetch=self.prefetch,
                callback=callback,
            )
            check_consumer(consumer)
            if reply is not None:
                self.reply = reply
                self.vhost.add_reply_queue(reply)
            self.consumers[tag] = consumer
            self.watches = True  # its timeout may be shorter than those that are watched
            source.subscribe(consumer)
            return tag

    def _readable(self, name: str) -> BaseQueue:
        self.connection.access.check_read("queue", name)
        return self.vhost.declarations.queue(name, self.connection)

    def _check_exclusive(self, queue: BaseQueue, exclusive: bool) -> None:
        consumers = queue.consumers
        if queue.kind == "classic" and (
            consumers.exclusive or (exclusive and (consumers.all or consumers.single_active))
        ):
            vhost = self.vhost.name
            raise AccessRefused(f"queue '{queue.name}' in vhost '{vhost}' in exclusive use")

    def cancel(self, tag: str) -> None:
        """End a consumer; what it holds unacked stays so. Unknown tags are ignored.

        (`basic.cancel`)
        """
        with self.guard:
            self.ensure_open()
            consumer = self.consumers.pop(tag, None)
            if consumer is None:
                return
            consumer.queue.unsubscribe(consumer)
            if self.reply is consumer.queue:
                self.drop_reply_queue()

    def qos(self, prefetch_count: int, global_: bool = False, prefetch_size: int = 0) -> None:
        """Limit how many deliveries may be unacked (`basic.qos`).

        Args:
            prefetch_count: 0 for no limit, at most 65,535.
            global_: False: for each consumer started on this channel from now on, and no limit
                for all of them together any more. True: for all consumers of the channel
                together, besides their own limits, where the profile has that.
            prefetch_size: must be 0.
        """
        with self.guard:
            self.ensure_open()
            if prefetch_size:
                raise NotImplementedByBroker(f"prefetch_size!=0 ({prefetch_size})")
            if not 0 <= prefetch_count <= 0xFFFF:
                raise ValueError(f"prefetch_count must be 0 to 65535, not {prefetch_count}")
            if global_ and self.vhost.profile.global_qos:
                self._share(prefetch_count or None)
            else:
                self.prefetch = prefetch_count
                if self.shared_limit is not None:
                    self._share(None)

    def _share(self, limit: int | None) -> None:
        self.shared_limit = limit
        self.shared_credit = 0 if limit is None else limit - self.held()
        self.watches = True
        for consumer in self.consumers.values():
            if not self.may_take(consumer):
                consumer.queue.consumers.pause(consumer)
        self.resume()

    def may_take(self, consumer: Consumer) -> bool:
        """Whether a consumer of this channel has credit."""
        if self.closed or self.connection.closed:
            return False
        if self.connection.congested and consumer.queue.keeps:
            return False
        if consumer.no_ack:
            return True
        return consumer.credit > 0 and (self.shared_limit is None or self.shared_credit > 0)

    def delivered(self, entry: Entry) -> None:
        """An entry was handed out, and `watches` asks to be told."""
        consumer = entry.consumer
        if consumer is not None and self.shared_limit is not None:
            self.shared_credit -= 1
            # Served last, so it is resumed last: they share the limit in turn.
            self.consumers[consumer.tag] = self.consumers.pop(consumer.tag)
            if self.shared_credit <= 0:
                for other in self.consumers.values():
                    if not other.no_ack:
                        other.queue.consumers.pause(other)
        self.watch_timeouts(entry)
        self.watches = self.shared_limit is not None

    def watch_timeouts(self, entry: Entry) -> None:
        """See `Channel`."""
        raise NotImplementedError

    # -- direct reply-to

    def _new_reply_queue(self, no_ack: bool) -> ReplyQueue:
        if not no_ack:
            raise PreconditionFailed("reply consumer cannot acknowledge")
        if self.reply is not None:
            raise PreconditionFailed("reply consumer already set")
        return self.vhost.new_reply_queue()

    def drop_reply_queue(self) -> None:
        """The direct reply-to address of the channel, if it has one, is dead from now on."""
        if self.reply is not None:
            self.vhost.remove_reply_queue(self.reply)
            self.reply = None

    def get(self, queue: str, no_ack: bool = False) -> GetOk | None:
        """Take the head of a queue; None when nothing is ready (`basic.get`).

        Prefetch does not apply. Raises as `consume` does.
        """
        with self.guard:
            self.ensure_open()
            source = self._readable(self.queue_name(queue))
            check_get(source)
            source.touch()
            entry = source.get()
            if entry is None:
                return None
            self.last_tag = entry.tag = tag = self.last_tag + 1
            entry.consumer = None
            if no_ack:
                source.settle(entry)
            else:
                if source.ledger is not None:
                    source.ledger.handed(entry)
                self.unacked[tag] = entry
                source.unacked += 1
                self.delivered(entry)
            if isinstance(source, Queue):  # there is no get from any other kind
                source.expire_head()
            return GetOk(entry, source.message_count)

    # -- settling

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
                self.shared_credit += 1
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
        """Carry a settlement out: credit first, then the queues, then who can go on."""
        by_queue: dict[BaseQueue, list[Entry]] = {}
        for entry in settlement.entries:
            by_queue.setdefault(entry.queue, []).append(entry)
            entry.queue.unacked -= 1
            if entry.consumer is not None:
                entry.consumer.credit += 1
                self.shared_credit += 1
        for queue, entries in by_queue.items():
            if settlement.requeue and not queue.deleted:
                queue.requeue(entries, settlement.cause)
            elif settlement.cause == "ack" or queue.deleted:
                for entry in entries:
                    queue.settle(entry)
            else:
                for entry in entries:
                    queue.drop(entry, "rejected")
        self.resume()

    def resume(self) -> None:
        """Credit came back: whoever was paused for want of it may go on.

        All consumers of a queue before it deals, or the first one would go before one of a higher
        priority.
        """
        paused: dict[BaseQueue, list[Consumer]] = {}
        for consumer in self.consumers.values():
            if consumer.paused and self.may_take(consumer):
                paused.setdefault(consumer.queue, []).append(consumer)
        for queue, consumers in paused.items():
            able = [consumer for consumer in consumers if self.may_take(consumer)]
            for consumer in able:
                queue.consumers.admit(consumer)
            queue.pump()


def _unknown(channel: Consuming, tag: int) -> Exception:
    channel.ensure_open()
    return PreconditionFailed(f"unknown delivery tag {tag}")
