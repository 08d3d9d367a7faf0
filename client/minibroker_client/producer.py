"""Publishing, with Kombu's signatures. Knows channels and codecs, no transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .channel import Channel, maybe_channel
from .common import maybe_declare
from .compression import compress
from .exceptions import NotBoundError, RecoverableConnectionError
from .exchange import PERSISTENT_DELIVERY_MODE, Exchange, maybe_delivery_mode
from .message import copied
from .serialization import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from .connection import Connection
    from .message import Message
    from .queue import Queue

__all__ = ["Producer"]

MILLISECONDS = 1000
PROPERTIES: tuple[str, ...] = (
    "headers", "delivery_mode", "priority", "correlation_id", "reply_to", "expiration",
    "message_id", "type", "timestamp", "user_id", "app_id",
)  # fmt: skip
"""What `publish` takes of AMQP's properties besides content type and encoding, in this order."""
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(PROPERTIES), "priority": 0, "mandatory": False, "content_type": None,
    "content_encoding": None, "serializer": None, "compression": None, "exchange": None,
    "timeout": None,
}  # fmt: skip
"""What `prepare` takes, and what it is when it is not said."""
RAW = "application/data", "binary"
"""Content type and encoding of bytes that no serializer made."""
MEMO_LIMIT = 256
"""Records of properties that a producer keeps; more kinds of messages than that start anew."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """One message that needs more than to be handed on: what `publish` was asked for."""

    body: bytes
    properties: dict[str, Any]
    exchange: Exchange | str
    routing_key: str
    mandatory: bool
    immediate: bool
    timeout: float | None
    confirm_timeout: float | None
    declare: list[Exchange | Queue]
    retry_policy: dict[str, Any] | None
    """None: do not retry."""


class Producer:
    """Publishes to an exchange through a channel (of a connection: its default channel).

    Its exchange is declared with the first publish unless `auto_declare` is off; one that is given
    by name is taken to exist. `on_return(exception, exchange, routing_key, message)` is called for
    a mandatory message that no queue took, when the connection drains events, or before `publish`
    returns in confirm mode. One thread at a time; pickling keeps all but the channel.

    Of the arguments of `publish`: with a `content_type` the body goes as it is (`content_encoding`
    "binary" if it is bytes), without one the `serializer` makes it. `declare` lists what has to be
    declared before, once per connection. `expiration` is the message's time to live, `timeout` the
    time to wait while the broker takes no messages, `confirm_timeout` that for a confirm; all are
    seconds. `retry` reconnects and tries again as `retry_policy` (see `Connection.ensure`) says.
    `delivery_mode` defaults to the exchange's, or persistent. `correlation_id` and those after it
    are AMQP's properties; `reply_to` may be a `Queue`. `immediate` raises `NotImplementedError`.

    Besides the transport's errors it raises `EncodeError`, `PublisherBlocked` when nothing was
    published within `timeout`, and in confirm mode `MessageNacked` when the broker refused the
    message, `MessageReturned` when a mandatory one came back and nobody listens to returns, and
    `TimeoutError`; without confirms the last two do not happen, or happen in `drain_events`.
    """

    serializer: str | None = None
    routing_key: str = ""
    auto_declare: bool = True
    on_return: Callable[[Exception, str, str, Message], object] | None = None
    __connection__: Connection | None = None
    """The connection, if it was made with one instead of a channel."""

    _compression: str | None = None

    def __init__(  # noqa: PLR0913 -- Kombu's signature
        self,
        channel: Channel | Connection | None,
        exchange: Exchange | str | None = None,
        routing_key: str | None = None,
        serializer: str | None = None,
        auto_declare: bool | None = None,
        compression: str | None = None,
        on_return: Callable[[Exception, str, str, Message], object] | None = None,
    ) -> None:
        """What is None is taken from the class; the default exchange, json, no compression."""
        self._channel: Channel | Connection | None = None
        self._open: Channel | None = None
        self._memo: dict[tuple[Any, ...], Any] = {}
        self._take_exchange(exchange)
        self.routing_key = routing_key or self.routing_key
        self.serializer = serializer or self.serializer
        self._compression = compression or self._compression
        self.on_return = on_return or self.on_return
        self.auto_declare = self.auto_declare if auto_declare is None else auto_declare
        if channel is not None:
            self.revive(channel)

    def publish(  # noqa: PLR0913 -- Kombu's signature, the properties of AMQP spelled out
        self, body: Any, routing_key: str | None = None, delivery_mode: int | str | None = None,
        mandatory: bool = False, immediate: bool = False, priority: int | None = 0,
        content_type: str | None = None, content_encoding: str | None = None,
        serializer: str | None = None, headers: Mapping[str, Any] | None = None,
        compression: str | None = None, exchange: Exchange | str | None = None,
        retry: bool = False, retry_policy: dict[str, Any] | None = None,
        declare: Iterable[Exchange | Queue] | None = None, expiration: float | None = None,
        timeout: float | None = None, confirm_timeout: float | None = None,
        correlation_id: str | None = None, reply_to: str | Queue | None = None,
        message_id: str | None = None, type: str | None = None,  # noqa: A002 -- AMQP's name
        timestamp: datetime | int | None = None, user_id: str | None = None,
        app_id: str | None = None,
    ) -> None:  # fmt: skip
        """Publish a message. See the class for what the arguments mean and what is raised."""
        channel = self._open
        key = self.routing_key if routing_key is None else routing_key
        if (
            channel is None or headers or compression or expiration is not None or declare or retry
            or immediate or confirm_timeout or correlation_id or reply_to or message_id or timestamp
            or type or user_id or app_id
        ):  # fmt: skip
            properties: dict[str, Any] = dict(zip(PROPERTIES, (
                headers, delivery_mode, priority, correlation_id, reply_to, expiration, message_id,
                type, timestamp, user_id, app_id), strict=True))  # fmt: skip
            encoded = self._encode(body, serializer, content_type, content_encoding)
            self._publish_by_steps(Outgoing(
                self._pack(encoded, compression, properties), properties, exchange or
                self._exchange, key, mandatory, immediate, timeout, confirm_timeout,
                list(declare or ()), retry_policy or {} if retry else None))  # fmt: skip
            return
        if not content_type or not content_encoding or body.__class__ is not bytes:
            content_type, content_encoding, body = self._encode(
                body, serializer, content_type, content_encoding)  # fmt: skip
        name: Any = exchange or self._exchange_name
        if name.__class__ is not str:
            delivery_mode = delivery_mode or name.delivery_mode or PERSISTENT_DELIVERY_MODE
            name = name.name
        kind = content_type, content_encoding, delivery_mode, priority
        record = self._memo.get(kind) or self._remember(kind)
        channel.send(name, key, body, record, mandatory, timeout)

    def prepare(self, body: Any, routing_key: str | None = None, **options: Any) -> Outgoing:
        """What `publish` with these arguments would send, but for the declaring and the sending.

        `TypeError` for an argument that `publish` does not have. Raises `EncodeError`.
        """
        given = {**_DEFAULTS, **options}
        unknown = sorted(given.keys() - _DEFAULTS.keys())
        if unknown:
            raise TypeError(f"publish has no argument {unknown[0]!r}")
        properties = {name: given[name] for name in PROPERTIES}
        encoded = self._encode(
            body, given["serializer"], given["content_type"], given["content_encoding"]
        )
        key = self.routing_key if routing_key is None else routing_key
        return Outgoing(
            self._pack(encoded, given["compression"], properties), properties,
            given["exchange"] or self._exchange, key, given["mandatory"], False,
            given["timeout"], None, [], None,
        )  # fmt: skip

    def _remember(self, kind: tuple[Any, ...]) -> Any:
        """The record of properties for messages that have no more than these four."""
        content_type, content_encoding, delivery_mode, priority = kind
        if len(self._memo) >= MEMO_LIMIT:
            self._memo.clear()
        record = self._memo[kind] = self.channel.raw.properties({
            "content_type": content_type,
            "content_encoding": content_encoding,
            "delivery_mode": maybe_delivery_mode(delivery_mode or self._exchange.delivery_mode),
            "priority": priority,
        })  # fmt: skip
        return record

    def _encode(
        self,
        body: Any,
        serializer: str | None,
        content_type: str | None,
        content_encoding: str | None,
    ) -> tuple[str, str, Any]:
        """Content type, encoding and bytes. With a content type the body is taken as it is."""
        if body.__class__ is bytes and not (content_type or serializer or self.serializer):
            return *RAW, body  # as `dumps` says, without asking it
        if not content_type:
            content_type, content_encoding, body = dumps(body, serializer or self.serializer)
        if isinstance(body, str):
            content_encoding = content_encoding or "utf-8"
            body = body.encode(content_encoding)
        return content_type, content_encoding or "binary", body

    def _pack(
        self, content: tuple[str, str, Any], compression: str | None, properties: dict[str, Any]
    ) -> bytes:
        """Finish the properties; the body, compressed if need be."""
        properties["content_type"], properties["content_encoding"], body = content
        # A copy, because in one process the message would change with the caller's dict.
        headers = copied(dict(properties["headers"] or {}))
        compression = self._compression if compression is None else compression
        if compression:
            body, headers["compression"] = compress(body, compression)
        properties["headers"] = headers or None
        if properties["expiration"] is not None:
            properties["expiration"] = str(round(properties["expiration"] * MILLISECONDS))
        properties["reply_to"] = getattr(properties["reply_to"], "name", properties["reply_to"])
        return bytes(body)

    def _publish_by_steps(self, outgoing: Outgoing) -> None:
        """Declare what is to be declared and publish, with retries if asked for."""
        if outgoing.immediate:
            raise NotImplementedError("immediate=True: RabbitMQ does not have it")
        publish = self._declare_and_publish
        if outgoing.retry_policy is not None:
            connection = self.connection
            if connection is None:
                raise RecoverableConnectionError("the producer has no connection to retry with")
            publish = connection.ensure(self, publish, **outgoing.retry_policy)
        publish(outgoing)

    def _declare_and_publish(self, outgoing: Outgoing) -> None:
        channel = self.channel
        for entity in outgoing.declare:
            maybe_declare(entity, channel)
        if self.auto_declare and self._exchange.name:
            maybe_declare(self._exchange, channel)
        exchange, properties = outgoing.exchange, dict(outgoing.properties)
        own = exchange if isinstance(exchange, Exchange) else self._exchange
        properties["delivery_mode"] = maybe_delivery_mode(
            properties["delivery_mode"] or own.delivery_mode
        )
        channel.publish(
            exchange.name if isinstance(exchange, Exchange) else exchange,
            outgoing.routing_key,
            outgoing.body,
            properties,
            outgoing.mandatory,
            outgoing.timeout,
            outgoing.confirm_timeout,
        )
        if not self._compression and (not self.auto_declare or self._declared_for_good):
            self._open = channel

    # `_open` is the channel once nothing is left to do per message but to publish: the exchange is
    # declared and bodies go as they are. Whatever changes that takes it away again.

    @property
    def _declared_for_good(self) -> bool:
        return not self._exchange.name or self._exchange.can_cache_declaration

    @property
    def exchange(self) -> Exchange:
        """The default exchange, bound."""
        return self._exchange

    @exchange.setter
    def exchange(self, exchange: Exchange | str | None) -> None:
        self._take_exchange(exchange)

    def _take_exchange(self, exchange: Exchange | str | None) -> None:
        if not isinstance(exchange, Exchange):
            exchange = Exchange(exchange or "", no_declare=True)
        if self._channel is not None:
            exchange = exchange.bind(self._channel)
        self._exchange = exchange
        self._exchange_name = exchange.name
        self._open = None
        self._memo.clear()

    @property
    def compression(self) -> str | None:
        """The default compression, by name or content type."""
        return self._compression

    @compression.setter
    def compression(self, compression: str | None) -> None:
        self._compression = compression
        self._open = None

    @property
    def channel(self) -> Channel:
        """Its channel, opened now if it was made with a connection.

        `NotBoundError` if it was made with neither.
        """
        if not isinstance(self._channel, Channel):
            if self._channel is None:
                raise NotBoundError("the producer has no channel")
            self._channel = maybe_channel(self._channel)
            self._attach(self._channel)
        return self._channel

    @property
    def connection(self) -> Connection | None:
        """The connection of its channel, None if it has none."""
        if self.__connection__ is None and self._channel is not None:
            return self.channel.connection
        return self.__connection__

    def revive(self, channel: Channel | Connection) -> None:
        """Go on with a new channel (or a connection's default one, when it is needed)."""
        self._open = None
        self._memo.clear()
        self._channel = channel
        self._exchange = self._exchange.bind(channel)
        if isinstance(channel, Channel):
            self._attach(channel)
        else:
            self.__connection__ = channel

    def unbind(self) -> None:
        """Let go of channel and connection; `revive` gives it new ones."""
        self._open = None
        self._channel = self.__connection__ = None

    def _attach(self, channel: Channel) -> None:
        if self.on_return is not None:
            channel.events["basic_return"].add(self.on_return)

    def declare(self) -> None:
        """Declare the default exchange, unless that is the nameless one."""
        self._exchange.declare()

    def maybe_declare(
        self, entity: Exchange | Queue | None, retry: bool = False, **retry_policy: Any
    ) -> bool:
        """Declare it unless this connection has done so; see `common.maybe_declare`."""
        return entity is not None and maybe_declare(entity, self.channel, retry, **retry_policy)

    def release(self) -> None:
        """Nothing to give back; a producer from a pool goes back there."""

    close = release

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Release it. After an error a connection that came from a pool is not used again."""
        if exc_type is not None and self.__connection__ is not None:
            self.__connection__.discard()
        self.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return self.__class__, (
            None, self._exchange, self.routing_key, self.serializer, self.auto_declare,
            self._compression,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._channel!r}>"
