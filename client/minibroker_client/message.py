"""A message as a consumer gets it. Knows no transport: only what a delivery offers.

What a consumer asks for is made when it asks: the body is decompressed, the properties and headers
are copied out, the payload is decoded on the first look. Each consumer has copies of its own, so
what it changes is not seen by another one of the same message.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .compression import decompress
from .exceptions import MessageStateError, SerializationError
from .serialization import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from logging import Logger
    from types import TracebackType
    from typing import Self

    from .channel import Channel
    from .transport.base import Carried, Delivery

__all__ = ["Message", "ReceivedMessage", "SettledMessage", "returned_message"]

T = TypeVar("T")

RECEIVED = "RECEIVED"
SETTLED = frozenset({"ACK", "REJECTED", "REQUEUED"})
PROPERTIES = (
    "delivery_mode", "priority", "correlation_id", "reply_to", "expiration", "message_id",
    "timestamp", "type", "user_id", "app_id",
)  # fmt: skip
"""What `Message.properties` holds: content type, encoding and headers have places of their own."""


class Lazy(Generic[T]):
    """A field that a method of its message fills when it is first looked at. It can be set, too.

    Not `__getattr__`, which would make every other attribute of a message slower (CPython 3.11:
    0.3 us per received message).
    """

    def __init__(self, fill: str) -> None:
        self._fill = fill

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    @overload
    def __get__(self, message: None, owner: type) -> Self: ...
    @overload
    def __get__(self, message: Message, owner: type) -> T: ...
    def __get__(self, message: Message | None, owner: type) -> T | Self:
        if message is None:
            return self
        if not hasattr(message, self._slot):
            getattr(message, self._fill)()
        value: T = getattr(message, self._slot)
        return value

    def __set__(self, message: Message, value: T) -> None:
        setattr(message, self._slot, value)


class Message:
    """A message: `body` is bytes, `payload` what the sender's serializer made them from.

    Kombu's attributes and arguments. `errors` holds the `sys.exc_info()` of a body that could not
    be decompressed. One thread at a time.
    """

    __slots__ = (
        "_body", "_content_encoding", "_content_type", "_delivery_info", "_errors", "_headers",
        "_payload", "_properties", "_state", "accept", "channel", "delivery_tag",
    )  # fmt: skip

    MessageStateError = MessageStateError

    _payload: Any
    accept: Collection[str] | None
    channel: Channel | None
    delivery_tag: int | None
    body = Lazy[Any]("_fill_body")
    content_encoding = Lazy["str | None"]("_fill_content")
    content_type = Lazy["str | None"]("_fill_content")
    delivery_info = Lazy[dict[str, Any]]("_fill_delivery_info")
    errors = Lazy[list[tuple[type[BaseException], BaseException, "TracebackType"]]]("_fill_body")
    headers = Lazy[dict[str, Any]]("_fill_headers")
    payload = Lazy[Any]("_fill_payload")
    properties = Lazy[dict[str, Any]]("_fill_properties")

    def __init__(  # noqa: PLR0913 -- Kombu's signature
        self,
        body: Any = None,
        delivery_tag: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        delivery_info: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        postencode: str | None = None,
        accept: Collection[str] | None = None,
        channel: Channel | None = None,
    ) -> None:
        self._state = RECEIVED
        self.accept = accept
        self.channel = channel
        self.delivery_tag = delivery_tag
        self._content_type = content_type
        self._content_encoding = content_encoding
        self._delivery_info = delivery_info or {}
        self._properties = properties or {}
        self._headers = headers or {}
        self._open(body)
        if postencode and isinstance(self.body, str):
            self.body = self.body.encode(postencode)

    @property
    def acknowledged(self) -> bool:
        """Whether it is settled: acked, rejected or requeued."""
        return self._state in SETTLED

    def ack(self, multiple: bool = False) -> None:
        """Tell the broker that it is done; with `multiple`, and all before it on the channel.

        `MessageStateError` when it is settled already, or was not received.
        """
        channel = self.channel
        if channel is None or self._state != RECEIVED:
            raise self._not_settleable()
        channel.ack(self.delivery_tag, multiple)  # type: ignore[arg-type]  # received: has a tag
        self._state = "ACK"

    def reject(self, requeue: bool = False) -> None:
        """Refuse it: the broker dead-letters or discards it, or requeues it. Errors as `ack`."""
        if self.channel is None or self._state != RECEIVED:
            raise self._not_settleable()
        self.channel.reject(self.delivery_tag, requeue)  # type: ignore[arg-type]  # as in ack
        self._state = "REQUEUED" if requeue else "REJECTED"

    def requeue(self) -> None:
        """Put it back in its place in the queue. Errors as `ack`."""
        self.reject(requeue=True)

    def ack_log_error(
        self, logger: Logger, errors: tuple[type[BaseException], ...], multiple: bool = False
    ) -> None:
        """`ack`, but log these errors instead of raising them (a broken pipe is raised, too)."""
        try:
            self.ack(multiple=multiple)
        except BrokenPipeError as error:
            logger.critical("Couldn't ack %r: %r", self.delivery_tag, error, exc_info=True)
            raise
        except errors as error:
            logger.critical("Couldn't ack %r: %r", self.delivery_tag, error, exc_info=True)

    def reject_log_error(
        self, logger: Logger, errors: tuple[type[BaseException], ...], requeue: bool = False
    ) -> None:
        """`reject`, but log these errors instead of raising them."""
        try:
            self.reject(requeue=requeue)
        except errors as error:
            logger.critical("Couldn't reject %r: %r", self.delivery_tag, error, exc_info=True)

    def decode(self) -> Any:
        """The payload, decoded once.

        `ContentDisallowed` when `accept` does not have its content type (or it is one of those
        that are off unless asked for), `DecodeError` when the body is not what it says.
        """
        return self.payload

    def _decode(self) -> Any:
        if self.errors:
            raise self.errors[0][1]
        return loads(self.body, self.content_type, self.content_encoding, accept=self.accept)

    def _fill_payload(self) -> None:
        self.payload = self._decode()

    def _reraise_error(
        self, callback: Callable[[Message, Exception], object] | None = None
    ) -> None:
        """Raise what kept the body from being read, or hand it to the callback."""
        error = self.errors[0][1]
        if callback is None or not isinstance(error, Exception):
            raise error
        callback(self, error)

    def _open(self, body: Any) -> None:
        """Set `body`, decompressed if its header says so, and `errors`."""
        self.errors = []
        self.body = body
        compression = self.headers.get("compression")
        if compression:
            try:
                self.body = decompress(body, compression)
            except SerializationError:
                self.errors.append(sys.exc_info())  # type: ignore[arg-type]  # inside an except

    def _not_settleable(self) -> Exception:
        if self.channel is None:
            return MessageStateError("this message has no channel that it was received on")
        return MessageStateError(f"message already settled: {self._state}")

    def __repr__(self) -> str:
        details = {
            "state": self._state,
            "content_type": self.content_type,
            "delivery_tag": self.delivery_tag,
            "body_length": None if self.body is None else len(self.body),
            "exchange": self.delivery_info.get("exchange"),
            "routing_key": self.delivery_info.get("routing_key"),
        }
        inside = " ".join(f"{name}={value!r}" for name, value in details.items())
        return f"<{type(self).__name__} {inside}>"


class ReceivedMessage(Message):
    """A message on top of its delivery; its fields are filled in when they are looked at."""

    __slots__ = ("_delivery", "left")

    left: int
    """How many ready messages `get` left in the queue; set for those that came by `get` alone."""

    def __init__(
        self,
        delivery: Delivery,
        channel: Channel,
        accept: Collection[str] | None = None,
    ) -> None:
        self._delivery = delivery
        self._state = RECEIVED
        self.accept = accept
        self.channel = channel
        self.delivery_tag = delivery.tag

    def _fill_content(self) -> None:
        properties = self._delivery.message.properties
        self.content_type = properties.content_type
        self.content_encoding = properties.content_encoding

    def _fill_headers(self) -> None:
        self.headers = copied(self._delivery.message.properties.headers or {})

    def _fill_properties(self) -> None:
        properties = self._delivery.message.properties
        self.properties = {
            name: value for name in PROPERTIES if (value := getattr(properties, name)) is not None
        }

    def _fill_body(self) -> None:
        self._open(self._delivery.message.body)

    def _fill_delivery_info(self) -> None:
        delivery = self._delivery
        carried, consumer = delivery.message, delivery.consumer
        info: dict[str, Any] = {
            "delivery_tag": delivery.tag,
            "redelivered": delivery.redelivered,
            "exchange": carried.exchange,
            "routing_key": carried.routing_key,
        }
        if consumer is None:
            info["message_count"] = self.left
        else:
            info["consumer_tag"] = consumer.tag
        self.delivery_info = info


class SettledMessage(ReceivedMessage):
    """A message delivered without acks (`no_ack`): settled when it left the broker.

    `ack` does nothing, as in Kombu. There is nothing left to reject or requeue: those raise
    `MessageStateError` here, where RabbitMQ would close the channel.
    """

    __slots__ = ()

    @property
    def acknowledged(self) -> bool:
        """Always True."""
        return True

    def ack(self, multiple: bool = False) -> None:
        """Do nothing."""

    def reject(self, requeue: bool = False) -> None:
        """Raise `MessageStateError`."""
        raise MessageStateError("message was delivered without acks: it is settled already")


def copied(value: Any) -> Any:
    """A copy of a field table or array all the way down; what cannot change is shared."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def returned_message(carried: Carried) -> Message:
    """A message that came back to its publisher: it has no channel, so it cannot be settled."""
    properties = carried.properties
    headers: Mapping[str, Any] = properties.headers or {}
    return Message(
        carried.body,
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        delivery_info={"exchange": carried.exchange, "routing_key": carried.routing_key},
        properties={
            name: value for name in PROPERTIES if (value := getattr(properties, name)) is not None
        },
        headers=copied(headers),
    )
