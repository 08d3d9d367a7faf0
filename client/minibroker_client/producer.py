"""Publishing, with Kombu's signatures. Knows channels and codecs, no transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .channel import Channel, maybe_channel
from .common import maybe_declare
from .compression import compress
from .exceptions import RecoverableConnectionError
from .exchange import Exchange, maybe_delivery_mode
from .message import copied
from .queue import Queue
from .serialization import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from .abstract import Entity
    from .connection import Connection
    from .message import Message

__all__ = ["Producer"]

MEMO_LIMIT = 256
"""Records of properties that a producer keeps; more kinds of messages than that start anew."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """One message that needs more than its body handed on: what `publish` was asked for."""

    body: Any
    exchange: Exchange | str | None
    routing_key: str
    mandatory: bool
    timeout: float | None
    confirm_timeout: float | None
    properties: dict[str, Any]
    declare: list[Entity] = field(default_factory=list)
    retry: bool = False
    retry_policy: dict[str, Any] = field(default_factory=dict)


class Producer:
    """Publishes to an exchange through a channel (of a connection: its default channel).

    Its exchange is declared with the first publish unless `auto_declare` is off; an exchange given
    by name is taken to exist. `on_return(exception, exchange, routing_key, message)` is called for a
    mandatory message that no queue took, when the connection drains events, or before `publish`
    returns in confirm mode. One thread at a time; pickling keeps all but the channel.
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

    # `_open` is the channel once nothing is left to do per message but to publish: the exchange is
    # declared and bodies go as they are. What changes that takes it away again.

    def publish(  # noqa: PLR0913 -- Kombu's signature
        self, body: Any, routing_key: str | None = None, delivery_mode: int | str | None = None,
        mandatory: bool = False, immediate: bool = False, priority: int | None = 0,
        content_type: str | None = None, content_encoding: str | None = None,
        serializer: str | None = None, headers: Mapping[str, Any] | None = None,
        compression: str | None = None, exchange: Exchange | str | None = None,
        retry: bool = False, retry_policy: dict[str, Any] | None = None,
        declare: Iterable[Entity] | None = None, expiration: float | None = None,
        timeout: float | None = None, confirm_timeout: float | None = None, **properties: Any,
    ) -> None:  # fmt: skip
        """Publish a message; see docs of `Outgoing` steps in `_publish`. Raises what they raise.

        `expiration`, `timeout` (while the broker takes nothing) and `confirm_timeout` are seconds.
        """
        channel = self._open
        if (
            channel is None or headers or serializer or compression or retry or declare
            or properties or immediate or exchange.__class__ is Exchange
            or expiration is not None or confirm_timeout is not None
            or not content_type or not content_encoding or body.__class__ is not bytes
        ):  # fmt: skip
            raise NotImplementedError
        key = (content_type, content_encoding, delivery_mode, priority)
        try:
            record = self._memo[key]
        except KeyError:
            record = self._remember(key)
        channel.send(
            exchange or self._exchange_name,  # type: ignore[arg-type]
            self.routing_key if routing_key is None else routing_key,
            body, record, mandatory, timeout,
        )  # fmt: skip
