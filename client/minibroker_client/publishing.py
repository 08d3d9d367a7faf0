"""The half of a channel that publishes: confirms, one by one or with a window, and returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .declaring import Declaring
from .exceptions import MessageNacked, MessageReturned
from .message import returned_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection import Connection
    from .transport.base import Returned

__all__ = ["Publishing"]


class Publishing(Declaring):
    """Publishes to one transport channel, and says what the broker made of it."""

    __slots__ = ("confirming", "connection", "events", "returned", "send", "transactional")

    connection: Connection
    confirming: bool
    transactional: bool
    events: dict[str, set[Callable[..., object]]]
    """Callbacks `(exception, exchange, routing_key, message)` for messages that come back."""
    returned: list[MessageReturned]
    send: Callable[[str, str, bytes, Any, bool, float | None], object]
    """Publish with a record made by `raw.properties`; in confirm mode, wait for the confirm."""

    def confirm_select(self) -> None:
        """Put the channel in confirm mode: from now on `publish` waits for the broker's answer.

        With the transport option `confirm_window` it does so only when more than that many
        publishes have no answer; see `wait_for_confirms`.
        """
        self.raw.confirm_select()
        self.confirming = True
        self.send = self._sender()

    def _sender(self) -> Callable[[str, str, bytes, Any, bool, float | None], object]:
        """How to publish in the present mode."""
        buffer = self.connection.buffer
        if buffer is not None and not self.transactional:
            buffer.on_returned = self._on_returned
            return buffer.send
        if not self.confirming:
            return self.raw.publish
        return self.send_windowed if self.connection.confirm_window else self.send_confirmed

    def publish(  # noqa: PLR0913 -- the fields of basic.publish and the two times to wait
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: dict[str, Any] | None = None,
        mandatory: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
    ) -> None:
        """Publish bytes as they are. `properties` has AMQP's names, `headers` among them.

        Seconds: `timeout` bounds the wait while the broker takes no messages (`PublisherBlocked`),
        `confirm_timeout` that for the confirm (`TimeoutError`). In confirm mode `MessageNacked`
        says that the broker refused the message, and `MessageReturned` that a mandatory one came
        back, unless a callback in `events["basic_return"]` was told.
        """
        record = self.raw.properties(properties or {})
        if confirm_timeout is not None and self.confirming:
            self.send_confirmed(
                exchange, routing_key, body, record, mandatory, timeout, confirm_timeout
            )
        else:
            self.send(exchange, routing_key, body, record, mandatory, timeout)

    def send_confirmed(  # noqa: PLR0913 -- as publish
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        record: Any,
        mandatory: bool = False,
        timeout: float | None = None,
        confirm_timeout: float | None = None,
    ) -> None:
        """`publish` in confirm mode, with a record made by `raw.properties`."""
        number = self.raw.publish(exchange, routing_key, body, record, mandatory, timeout)
        self.returned.clear()
        if not self.raw.confirmed(number, confirm_timeout):
            raise MessageNacked(
                f"the broker refused the message to exchange {exchange!r} "
                f"with routing key {routing_key!r}",
                number,
            )
        if self.returned:
            raise self.returned.pop(0)

    def send_windowed(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        record: Any,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> None:
        """`publish` with a window: it waits, for half of the window, only when that is full.

        What it raises then is about earlier messages; this one is published.
        """
        raw = self.raw
        raw.publish(exchange, routing_key, body, record, mandatory, timeout)
        window = self.connection.confirm_window
        if raw.unconfirmed >= window:
            self.wait_for_confirms(window // 2)

    def wait_for_confirms(self, outstanding: int = 0, timeout: float | None = None) -> None:
        """Wait until at most so many publishes of this channel have no answer.

        `TimeoutError` after `timeout` seconds; `MessageNacked` when the broker refused one since
        the last time, `MessageReturned` when a mandatory one came back and nobody was told.
        """
        if self.connection.buffer is not None:
            self.connection.buffer.flush(timeout)
            return
        refused = self.raw.wait_for_confirms(outstanding, timeout)
        if refused:
            raise MessageNacked(f"the broker refused {len(refused)} messages", refused[0])
        if self.returned:
            raise self.returned.pop(0)

    def _on_returned(self, returned: Returned) -> None:
        carried = returned.message
        error = MessageReturned(
            returned_message(carried),
            returned.reply_code,
            returned.reply_text,
            carried.exchange,
            carried.routing_key,
        )
        callbacks = tuple(self.events["basic_return"])
        for callback in callbacks:
            callback(error, carried.exchange, carried.routing_key, error.message)
        if callbacks:
            return
        if not self.confirming:
            raise error
        self.returned.append(error)
