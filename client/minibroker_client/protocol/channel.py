"""A channel of either protocol: the methods of AMQP as calls. Knows no bytes.

The names and arguments are those of `transport.base.TransportChannel`; what is returned is what
the shell makes of an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minibroker.wire.amqp import spec

from .. import exceptions
from ..transport.base import Declared, Fetched
from ..transport.properties import record_of
from .deliveries import Delivered, Subscription
from .pending import Pending
from .state import ChannelState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minibroker.properties import Properties

    from ..transport.base import Arguments

__all__ = ["ProtocolChannel"]


class ProtocolChannel(ChannelState):
    """Consuming, declaring, transactions; publishing and settling are for the subclasses."""

    def properties(self, values: Mapping[str, Any]) -> Properties:
        """The record that `publish` takes. `TypeError` for an unknown name, and, as `ValueError`,
        for a value that AMQP cannot carry.
        """
        record = record_of(values)
        self.encode(record)
        return record

    def encode(self, properties: Properties) -> bytes:
        """The properties as this protocol carries them, made once."""
        raise NotImplementedError

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> int:
        """basic.publish."""
        raise NotImplementedError

    def before_publish(self, timeout: float | None) -> None:
        """What rarely is to be looked at: a closed channel, a broker that takes no messages."""
        self.ensure_open()
        blocked = self.connection.blocked
        if blocked is None:
            return
        try:
            self.connection.shell.perform(self.connection.unblocking(), timeout)
        except TimeoutError:
            text = f"the broker takes no messages: {blocked}"
            raise exceptions.PublisherBlocked(text) from None
        self.ensure_open()

    def confirmed(self, number: int, timeout: float | None = None) -> Any:
        """Wait for the confirm of a publish; see `TransportChannel`."""
        confirms = self.confirms
        pending = self._answer(lambda: not confirms.waits(number), lambda: confirms.take(number))
        confirms.when_answered(number, lambda: self._look(pending))
        return self.connection.shell.perform(pending, timeout)

    def answer(self, number: int) -> bool | None:
        """Whether a publish was acked; see `TransportChannel`."""
        return None if self.confirms.waits(number) else self.confirms.take(number)

    def wait_for_answers(self, outstanding: int, timeout: float | None = None) -> Any:
        """Wait until no more publishes than that are unconfirmed; see `TransportChannel`."""
        return self._few(outstanding, lambda: None, timeout)

    def wait_for_confirms(self, outstanding: int = 0, timeout: float | None = None) -> Any:
        """As `wait_for_answers`; the numbers that were refused."""
        return self._few(outstanding, self.confirms.take_refused, timeout)

    def _few(self, most: int, result: Callable[[], Any], timeout: float | None) -> Any:
        confirms = self.confirms
        pending = self._answer(lambda: len(confirms) <= most, result)
        confirms.when_few(most, lambda: self._look(pending))
        if self.closed:
            confirms.abandon()
        return self.connection.shell.perform(pending, timeout)

    def _answer(self, is_there: Callable[[], bool], result: Callable[[], Any]) -> Pending:
        def value(_: None) -> Any:
            if not is_there():
                self.ensure_open()  # raises
            return result()

        return Pending("basic.publish", value)

    def _look(self, pending: Pending) -> None:
        """The answer is there, or there will be none."""
        try:
            pending.succeed(None)
        except exceptions.AMQPError as error:
            pending.fail(error)

    # -- consuming

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

    # -- declaring

    def declare_exchange(  # noqa: PLR0913 -- the fields of exchange.declare
        self,
        name: str,
        type: str = "direct",  # noqa: A002 -- the field's name in AMQP
        *,
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Arguments = None,
    ) -> Any:
        """exchange.declare."""
        method = spec.ExchangeDeclare(
            name, type, passive, durable, auto_delete, internal, False, dict(arguments or {})
        )
        return self.call(method)

    def delete_exchange(self, name: str, if_unused: bool = False) -> Any:
        """exchange.delete."""
        return self.call(spec.ExchangeDelete(name, if_unused))

    def bind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> Any:
        """exchange.bind."""
        fields = destination, source, routing_key, False, dict(arguments or {})
        return self.call(spec.ExchangeBind(*fields))

    def unbind_exchange(
        self, destination: str, source: str, routing_key: str = "", arguments: Arguments = None
    ) -> Any:
        """exchange.unbind."""
        fields = destination, source, routing_key, False, dict(arguments or {})
        return self.call(spec.ExchangeUnbind(*fields))

    def declare_queue(
        self,
        name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Arguments = None,
    ) -> Any:
        """queue.declare."""
        method = spec.QueueDeclare(
            name, passive, durable, exclusive, auto_delete, False, dict(arguments or {})
        )
        return self.call(method, lambda answer: Declared(*answer))

    def bind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> Any:
        """queue.bind."""
        fields = queue, exchange, routing_key, False, dict(arguments or {})
        return self.call(spec.QueueBind(*fields))

    def unbind_queue(
        self, queue: str, exchange: str, routing_key: str = "", arguments: Arguments = None
    ) -> Any:
        """queue.unbind."""
        return self.call(spec.QueueUnbind(queue, exchange, routing_key, dict(arguments or {})))

    def purge_queue(self, name: str) -> Any:
        """queue.purge."""
        return self.call(spec.QueuePurge(name), _count)

    def delete_queue(self, name: str, if_unused: bool = False, if_empty: bool = False) -> Any:
        """queue.delete."""
        return self.call(spec.QueueDelete(name, if_unused, if_empty), _count)

    # -- modes

    def confirm_select(self) -> Any:
        """confirm.select."""
        if self.confirming:
            return self.call(spec.ConfirmSelect())
        return self.call(spec.ConfirmSelect(), lambda _: setattr(self, "confirming", True))

    def tx_select(self) -> Any:
        """tx.select."""
        return self.call(spec.TxSelect())

    def tx_commit(self) -> Any:
        """tx.commit."""
        return self.call(spec.TxCommit())

    def tx_rollback(self) -> Any:
        """tx.rollback."""
        return self.call(spec.TxRollback())


def _count(answer: spec.QueuePurgeOk | spec.QueueDeleteOk) -> int:
    return answer.message_count


def _fetched(answer: object) -> Fetched | None:
    """What a subclass makes of `basic.get-ok` passes; `basic.get-empty` is None."""
    if isinstance(answer, tuple) and len(answer) == 2:
        delivery, count = answer
        assert isinstance(delivery, Delivered)
        return Fetched(delivery, count)
    return None
