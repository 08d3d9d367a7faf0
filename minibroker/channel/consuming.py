"""The side of a channel that consumes: consumers, `get`, and direct reply-to.

Source: RabbitMQ documentation, "Consumers" and "Direct Reply-To", and RabbitMQ's `rabbit_channel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..arguments import parse_consumer
from ..direct_reply import PSEUDO_QUEUE
from ..errors import AccessRefused, NotAllowed, PreconditionFailed
from ..queues.consumers import Consumer
from ..queues.queue import Queue
from ..queues.refusals import check_consumer, check_get
from .settling import Settling

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


class Consuming(Settling):
    """Consuming. Thread-safe."""

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
            # RabbitMQ does not look at the arguments of a direct reply.
            given = None if reply else arguments
            settings = parse_consumer(given, source.name, self.vhost.name, source.kind, timeouts)
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
