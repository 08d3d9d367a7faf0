"""The half of a channel that consumes, without the hot path of acks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minibroker.wire.amqp import spec

from .. import exceptions
from ..transport.base import Fetched
from .deliveries import Delivered, Subscription
from .state import ChannelState

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..transport.base import Arguments

__all__ = ["Consuming"]


class Consuming(ChannelState):
    """Consumers, `get`, and ways to settle besides acks."""

    def consume(
        self,
        queue: str,
        callback: Callable[[Any], None],
        *,
        tag: str = "",
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Arguments = None,
    ) -> Any:
        """basic.consume."""

        def started(answer: spec.BasicConsumeOk) -> str:
            self.subscribed(Subscription(answer.consumer_tag, callback))
            return answer.consumer_tag

        method = spec.BasicConsume(
            queue, tag, False, no_ack, exclusive, False, dict(arguments or {})
        )
        return self.call(method, started)

    def subscribed(self, consumer: Subscription) -> None:
        """A consumer has started."""
        self.consumers[consumer.tag] = consumer

    def unsubscribed(self, tag: str) -> None:
        """A consumer has ended."""
        self.consumers.pop(tag, None)

    def cancel(self, tag: str) -> Any:
        """basic.cancel."""
        return self.call(spec.BasicCancel(tag), lambda _: self.unsubscribed(tag))

    def get(self, queue: str, no_ack: bool = False) -> Any:
        """basic.get."""
        return self.call(spec.BasicGet(queue, no_ack), _fetched)

    def ack(self, tag: int, multiple: bool = False) -> None:
        """basic.ack. An error comes later: `drain` raises it, or what is called next."""
        raise NotImplementedError

    def nack(self, tag: int, multiple: bool = False, requeue: bool = True) -> None:
        """basic.nack. An error comes later: `drain` raises it, or what is called next."""
        self.tell(spec.BasicNack(self.own(tag), multiple, requeue))

    def reject(self, tag: int, requeue: bool = True) -> None:
        """basic.reject. Errors as `nack`."""
        self.tell(spec.BasicReject(self.own(tag), requeue))

    def recover(self, requeue: bool = True) -> Any:
        """basic.recover."""
        return self.call(spec.BasicRecover(requeue))

    def qos(self, prefetch_count: int, global_: bool = False, prefetch_size: int = 0) -> Any:
        """basic.qos."""
        return self.call(spec.BasicQos(prefetch_size, prefetch_count, global_))

    def tell(self, method: spec.MethodRecord) -> None:
        """Send a method that is not answered."""
        self.ensure_open()
        self.connection.send(self.number, method)
        self.connection.shell.written()

    def own(self, tag: int) -> int:
        """The broker's delivery tag. LeaseLost for one of a connection that was lost."""
        if tag and tag <= self.base:
            raise exceptions.LeaseLost.of(tag)
        return tag - self.base if tag else 0


def _fetched(answer: object) -> Fetched | None:
    """What a subclass makes of `basic.get-ok` passes; `basic.get-empty` is None."""
    if isinstance(answer, tuple) and len(answer) == 2:
        delivery, count = answer
        assert isinstance(delivery, Delivered)
        return Fetched(delivery, count)
    return None
