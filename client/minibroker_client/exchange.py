"""Declarations of exchanges and bindings, with Kombu's signatures. Knows no transport.

They are values until they are bound to a channel: `exchange(channel)` gives a bound copy. All
methods that talk to the broker raise `NotBoundError` without a channel; `nowait` is accepted for
Kombu's sake and the reply is waited for all the same, so that an error is raised where it belongs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from . import message as messages
from .abstract import Entity

if TYPE_CHECKING:
    from .channel import Channel
    from .connection import Connection
    from .queue import Queue
    from .transport.base import Arguments

__all__ = [
    "DELIVERY_MODES",
    "PERSISTENT_DELIVERY_MODE",
    "TRANSIENT_DELIVERY_MODE",
    "Exchange",
    "binding",
    "exchange_name",
    "maybe_delivery_mode",
]

TRANSIENT_DELIVERY_MODE = 1
PERSISTENT_DELIVERY_MODE = 2
DELIVERY_MODES = {"transient": TRANSIENT_DELIVERY_MODE, "persistent": PERSISTENT_DELIVERY_MODE}


def maybe_delivery_mode(
    mode: int | str | None,
    modes: dict[str, int] | None = None,
    default: int = PERSISTENT_DELIVERY_MODE,
) -> int:
    """The number of a delivery mode given as number or name; the default for none.

    `ValueError` for a name that `modes` does not have.
    """
    if not mode:
        return default
    if isinstance(mode, int):
        return mode
    try:
        return (modes or DELIVERY_MODES)[mode]
    except KeyError:
        raise ValueError(f"unknown delivery mode {mode!r}") from None


class Exchange(Entity):
    """An exchange to declare, bind to and publish to. See `Entity` for what binding means.

    `delivery_mode` is the default of what is published to it: 1 or "transient", 2 or "persistent"
    (what None means). The default exchange (`name=""`) and `amq.*` are never declared.
    """

    TRANSIENT_DELIVERY_MODE = TRANSIENT_DELIVERY_MODE
    PERSISTENT_DELIVERY_MODE = PERSISTENT_DELIVERY_MODE

    attrs: ClassVar[tuple[str, ...]] = (
        "name", "type", "arguments", "durable", "passive", "auto_delete", "delivery_mode",
        "no_declare",
    )  # fmt: skip

    type: str = "direct"
    durable: bool = True
    passive: bool = False
    auto_delete: bool = False
    no_declare: bool = False
    arguments: dict[str, Any] | None = None
    delivery_mode: int | None = None

    def __init__(  # noqa: PLR0913 -- Kombu's signature, its keyword arguments spelled out
        self,
        name: str = "",
        type: str = "",  # noqa: A002 -- Kombu's name
        channel: Channel | Connection | None = None,
        *,
        arguments: dict[str, Any] | None = None,
        durable: bool | None = None,
        passive: bool | None = None,
        auto_delete: bool | None = None,
        delivery_mode: int | str | None = None,
        no_declare: bool | None = None,
    ) -> None:
        """What is None or empty is taken from the class: durable, direct, not auto-delete."""
        self.name = name or self.name
        self.type = type or self.type
        self.arguments = self.arguments if arguments is None else arguments
        self.durable = self.durable if durable is None else bool(durable)
        self.passive = self.passive if passive is None else bool(passive)
        self.auto_delete = self.auto_delete if auto_delete is None else bool(auto_delete)
        self.no_declare = self.no_declare if no_declare is None else bool(no_declare)
        if delivery_mode is not None:
            self.delivery_mode = maybe_delivery_mode(delivery_mode)
        self.maybe_bind(channel)

    def declare(
        self,
        nowait: bool = False,
        passive: bool | None = None,
        channel: Channel | None = None,
    ) -> None:
        """Create the exchange, or check that it is there and the same; `passive` only looks.

        `NotFound` (passive) or `PreconditionFailed` (it exists with other properties).
        """
        if self.no_declare or not self.name or self.name.startswith("amq."):
            return
        (channel or self.channel).declare_exchange(
            self.name,
            self.type,
            passive=self.passive if passive is None else passive,
            durable=self.durable,
            auto_delete=self.auto_delete,
            arguments=self.arguments,
        )

    def bind_to(
        self,
        exchange: Exchange | str = "",
        routing_key: str = "",
        arguments: Arguments = None,
        nowait: bool = False,
        channel: Channel | None = None,
    ) -> None:
        """Let messages flow from another exchange to this one."""
        target = channel or self.channel
        target.bind_exchange(self.name, exchange_name(exchange), routing_key, arguments)

    def unbind_from(
        self,
        source: Exchange | str = "",
        routing_key: str = "",
        nowait: bool = False,
        arguments: Arguments = None,
        channel: Channel | None = None,
    ) -> None:
        """Remove a binding made by `bind_to`."""
        target = channel or self.channel
        target.unbind_exchange(self.name, exchange_name(source), routing_key, arguments)

    def Message(  # noqa: N802, PLR0913 -- Kombu's name and arguments
        self,
        body: Any,
        delivery_mode: int | str | None = None,
        properties: dict[str, Any] | None = None,
        *,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: dict[str, Any] | None = None,
    ) -> messages.Message:
        """A message for `publish`: body and properties as they are, nothing is serialized."""
        properties = dict(properties or {})
        properties["delivery_mode"] = maybe_delivery_mode(delivery_mode or self.delivery_mode)
        if priority is not None:
            properties["priority"] = priority
        if isinstance(body, str):
            content_encoding = content_encoding or "utf-8"
            body = body.encode(content_encoding)
        return messages.Message(
            body,
            content_type=content_type,
            content_encoding=content_encoding,
            properties=properties,
            headers=headers,
        )

    def publish(
        self,
        message: messages.Message | str | bytes,
        routing_key: str | None = None,
        mandatory: bool = False,
        immediate: bool = False,
        exchange: Exchange | str | None = None,
    ) -> None:
        """Publish a message made with `Message`, or a plain `str` or `bytes`.

        `immediate` raises `NotImplementedError`: RabbitMQ has not had it since 3.0. Other errors
        are those of `Channel.publish`.
        """
        if immediate:
            raise NotImplementedError("immediate=True: RabbitMQ does not have it, nor does this")
        if not isinstance(message, messages.Message):
            message = self.Message(message)
        content = {
            "content_type": message.content_type,
            "content_encoding": message.content_encoding,
            "headers": message.headers or None,
        }
        self.channel.publish(
            exchange_name(exchange or self),
            routing_key or "",
            message.body,
            {**message.properties, **content},
            mandatory,
        )

    def delete(self, if_unused: bool = False, nowait: bool = False) -> None:
        """Delete it; with `if_unused` only when nothing is bound to it (`PreconditionFailed`)."""
        self.channel.delete_exchange(self.name, if_unused)

    def binding(
        self,
        routing_key: str = "",
        arguments: Arguments = None,
        unbind_arguments: Arguments = None,
    ) -> binding:
        """A binding to this exchange, for the `bindings` of a queue."""
        return binding(self, routing_key, arguments, unbind_arguments)

    @property
    def can_cache_declaration(self) -> bool:  # type: ignore[override]  # computed here
        """Not when it may be deleted by itself meanwhile."""
        return not self.auto_delete

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Exchange):
            return NotImplemented
        return self._same(
            other, ("name", "type", "arguments", "durable", "auto_delete", "delivery_mode")
        )

    def __hash__(self) -> int:
        return hash(("exchange", self.name))

    def __str__(self) -> str:
        return f"Exchange {self.name or repr('')}({self.type})"


class binding:  # noqa: N801 -- Kombu's name
    """One binding of a queue or exchange: to which exchange, with which key and arguments."""

    def __init__(
        self,
        exchange: Exchange | None = None,
        routing_key: str = "",
        arguments: Arguments = None,
        unbind_arguments: Arguments = None,
    ) -> None:
        """`unbind_arguments` are those that `unbind` uses."""
        self.exchange = exchange
        self.routing_key = routing_key
        self.arguments = arguments
        self.unbind_arguments = unbind_arguments

    def declare(self, channel: Channel, nowait: bool = False) -> None:
        """Declare its exchange."""
        if self.exchange is not None:
            self.exchange.declare(channel=channel)

    def bind(
        self, entity: Exchange | Queue, nowait: bool = False, channel: Channel | None = None
    ) -> None:
        """Bind a queue or exchange with it."""
        entity.bind_to(self.exchange or "", self.routing_key, self.arguments, channel=channel)

    def unbind(
        self, entity: Exchange | Queue, nowait: bool = False, channel: Channel | None = None
    ) -> None:
        """Undo `bind`."""
        entity.unbind_from(
            self.exchange or "",
            self.routing_key,
            arguments=self.unbind_arguments,
            channel=channel,
        )

    def as_dict(self, recurse: bool = False) -> dict[str, Any]:
        """Its attributes by name; with `recurse` the exchange as a dict, too."""
        values = dict(vars(self))
        if recurse and self.exchange is not None:
            values["exchange"] = self.exchange.as_dict(recurse=True)
        return values

    def __repr__(self) -> str:
        return f"<binding: {exchange_name(self.exchange or '')}->{self.routing_key}>"


def exchange_name(exchange: Exchange | str) -> str:
    """The name of an exchange given as a declaration or by name."""
    return exchange if isinstance(exchange, str) else exchange.name
