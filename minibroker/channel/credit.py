"""The credit of a channel's consumers: who may have another delivery. Knows no single message.

Source: RabbitMQ documentation, "Consumer Prefetch", and RabbitMQ's `rabbit_limiter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NotImplementedByBroker
from .declaring import Declaring

if TYPE_CHECKING:
    from ..queues import BaseQueue, Entry
    from ..queues.consumers import Consumer

__all__ = ["Credit"]


class Credit(Declaring):
    """Limits on what consumers hold unacked. Thread-safe.

    Each consumer has a credit of its own. The limit that consumers of a channel share counts
    deliveries in `shared_held`: those that were unacked when it was set, and those to consumers
    of classic queues since; it falls with each delivery to a consumer that is settled. At the
    limit classic queues have to wait, also with what needs no ack.
    """

    __slots__ = ()

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
        if limit is None:
            self.shared_held = 0
        elif self.shared_limit is None:
            self.shared_held = len(self.unacked)  # what `get` took is among them, and stays so
        self.shared_limit = limit
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
        limit = self.shared_limit
        if limit is not None and consumer.shares and self.shared_held >= limit:
            return False
        return consumer.credit > 0

    def delivered(self, entry: Entry) -> None:
        """An entry was handed out, and `watches` asks to be told."""
        consumer = entry.consumer
        if consumer is not None and consumer.shares and self.shared_limit is not None:
            self.shared_held += 1
            # Served last, so its queue is resumed last: queues share the limit in turn.
            self.consumers[consumer.tag] = self.consumers.pop(consumer.tag)
            if self.shared_held >= self.shared_limit:
                for other in self.consumers.values():
                    if other.shares:
                        other.queue.consumers.pause(other)
        self.watch_timeouts(entry)
        self.watches = self.shared_limit is not None

    def _relax(self, settled: int) -> None:
        """So many deliveries to consumers, whichever, count no longer (`rabbit_limiter`)."""
        if self.shared_held:
            self.shared_held -= settled
            for consumer in self.consumers.values():
                consumers = consumer.queue.consumers
                if (
                    consumer.paused
                    and self.may_take(consumer)
                    and consumers.has_kept_place(consumer)
                ):
                    consumers.admit((consumer,))

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
            queue.consumers.admit([each for each in consumers if self.may_take(each)])
            queue.pump()

    def watch_timeouts(self, entry: Entry) -> None:
        """See `Channel`."""
        raise NotImplementedError
