"""A channel of a broker in this process, as a transport's channel. See `memory`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from minibroker.errors import AMQPError, MiniBrokerError, PublisherBlocked

from .. import exceptions
from .base import Fetched, Listener
from .confirms import Confirms
from .declaring import Declarations, table
from .properties import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from minibroker.channel import Channel
    from minibroker.properties import Properties
    from minibroker.queues.entry import Entry

    from .base import Arguments, TransportChannel
    from .memory import MemoryConnection

__all__ = ["MemoryChannel", "is_closed", "translated"]

P = ParamSpec("P")
T = TypeVar("T")


class Settling(Declarations):
    """The half of a channel that consumes."""

    connection: MemoryConnection
    base: int
    _ack: Callable[[int, bool], None]

    def consume(
        self,
        queue: str,
        callback: Callable[[Entry], None],
        *,
        tag: str = "",
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Arguments = None,
    ) -> str:
        """basic.consume."""
        return self.call(
            "basic.consume",
            self.inner.consume,
            queue,
            tag=tag,
            no_ack=no_ack,
            exclusive=exclusive,
            arguments=table(arguments),
            callback=callback,
        )

    def cancel(self, tag: str) -> None:
        """basic.cancel."""
        self.call("basic.cancel", self.inner.cancel, tag)

    def get(self, queue: str, no_ack: bool = False) -> Fetched | None:
        """basic.get."""
        got = self.call("basic.get", self.inner.get, queue, no_ack)
        return None if got is None else Fetched(got.entry, got.message_count)

    def ack(self, tag: int, multiple: bool = False) -> None:
        """basic.ack."""
        try:
            self._ack(tag, multiple)
        except MiniBrokerError as error:
            self._check_lease(tag)
            raise self.connection.failed(error, "basic.ack", self.inner) from error

    def _check_lease(self, tag: int) -> None:
        if 0 < tag <= self.base:
            raise exceptions.LeaseLost.of(tag)

    def nack(self, tag: int, multiple: bool = False, requeue: bool = True) -> None:
        """basic.nack."""
        self._check_lease(tag)
        self.call("basic.nack", self.inner.nack, tag, multiple, requeue)

    def reject(self, tag: int, requeue: bool = True) -> None:
        """basic.reject."""
        self._check_lease(tag)
        self.call("basic.reject", self.inner.reject, tag, requeue)

    def recover(self, requeue: bool = True) -> None:
        """basic.recover."""
        self.call("basic.recover", self.inner.recover, requeue)

    def qos(self, prefetch_count: int, global_: bool = False, prefetch_size: int = 0) -> None:
        """basic.qos."""
        self.call("basic.qos", self.inner.qos, prefetch_count, global_, prefetch_size)


class MemoryChannel(Settling):
    """A `TransportChannel` on a channel of a broker in this process."""

    def __init__(self, connection: MemoryConnection, inner: Channel, listener: Listener) -> None:
        self.connection = connection
        self.inner = inner
        self.listener = listener
        self._publish = inner.publish
        self._ack = inner.ack
        self.confirms = Confirms()
        self.base = 0
        """Delivery tags up to here are of a connection that was lost."""

    def call(self, method: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what is not done per message; `method` is its name in AMQP, for errors."""
        try:
            return function(*args, **kwargs)
        except MiniBrokerError as error:
            raise self.connection.failed(error, method, self.inner) from error

    @property
    def channel_id(self) -> int:
        """Its number on its connection, from 1."""
        return self.inner.number

    @property
    def closed(self) -> bool:
        """Whether it was closed, from here or by an error."""
        return self.inner.closed

    @property
    def lost(self) -> bool:
        """Whether it was open when its connection ended."""
        return self.connection.lost(self.inner)

    @property
    def unconfirmed(self) -> int:
        """How many publishes have no answer yet, as far as was looked."""
        return len(self.confirms)

    @property
    def highest_tag(self) -> int:
        """The highest delivery tag that it has handed out."""
        return self.inner.last_tag

    def go_on_from(self, lost: TransportChannel) -> None:
        """See `TransportChannel`: the broker's own channel counts on from there."""
        self.base = self.inner.last_tag = lost.highest_tag

    def properties(self, values: Mapping[str, Any]) -> Properties:
        """The broker's own record."""
        return record_of(values)

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
        try:
            number = self._publish(exchange, routing_key, body, properties, mandatory, timeout)
        except MiniBrokerError as error:
            raise self.connection.failed(error, "basic.publish", self.inner) from error
        if number:
            self.confirms.published(number)
        return number

    def confirmed(self, number: int, timeout: float | None = None) -> bool:
        """Wait for the confirm of a publish; see `TransportChannel`."""
        confirms = self.confirms
        if confirms.waits(number):
            self.connection.wait_for(lambda: not confirms.waits(number), timeout)
        return confirms.take(number)

    def answer(self, number: int) -> bool | None:
        """Whether a publish was acked; see `TransportChannel`."""
        return None if self.confirms.waits(number) else self.confirms.take(number)

    def wait_for_answers(self, outstanding: int, timeout: float | None = None) -> None:
        """Wait until no more publishes than that are unconfirmed; see `TransportChannel`."""
        confirms = self.confirms
        if len(confirms) > outstanding:
            self.connection.wait_for(lambda: len(confirms) <= outstanding, timeout)

    def wait_for_confirms(self, outstanding: int = 0, timeout: float | None = None) -> list[int]:
        """As `wait_for_answers`; the numbers that were refused."""
        self.wait_for_answers(outstanding, timeout)
        return self.confirms.take_refused()

    def confirm_select(self) -> None:
        """confirm.select."""
        self.call("confirm.select", self.inner.confirm_select)

    def tx_select(self) -> None:
        """tx.select."""
        self.call("tx.select", self.inner.tx_select)

    def tx_commit(self) -> None:
        """tx.commit."""
        self.call("tx.commit", self.inner.tx_commit)

    def tx_rollback(self) -> None:
        """tx.rollback."""
        self.call("tx.rollback", self.inner.tx_rollback)

    def close(self) -> None:
        """channel.close."""
        self.connection.forget(self.inner)
        self.inner.close()


def translated(error: MiniBrokerError, method: str) -> Exception:
    """The client's exception for one of the broker."""
    if isinstance(error, PublisherBlocked):
        return exceptions.PublisherBlocked(str(error))
    assert isinstance(error, AMQPError), error
    return exceptions.error_for_code(error.reply_code, error.reply_text, method)


def is_closed(channel: Channel | None) -> bool:
    """Whether there is a channel that is closed."""
    return channel is not None and channel.closed
