"""The declaration of a queue, with Kombu's signatures. Knows no transport.

As for exchanges, `nowait` is accepted for Kombu's sake and the reply is waited for all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .abstract import Entity
from .exceptions import ContentDisallowed
from .exchange import Exchange, binding, exchange_name
from .message import ReceivedMessage, SettledMessage
from .serialization import prepare_accept_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .channel import Channel
    from .connection import Connection
    from .message import Message
    from .transport.base import Arguments, Declared, Delivery

__all__ = ["Queue"]

MILLISECONDS = 1000
_SETTINGS: dict[str, tuple[str, Callable[[float], int]]] = {
    "expires": ("x-expires", lambda seconds: round(seconds * MILLISECONDS)),
    "message_ttl": ("x-message-ttl", lambda seconds: round(seconds * MILLISECONDS)),
    "max_length": ("x-max-length", int),
    "max_length_bytes": ("x-max-length-bytes", int),
    "max_priority": ("x-max-priority", int),
}
"""Queue attribute: the argument of queue.declare that says it, and how to write its value."""


class Queue(Entity):
    """A queue to declare, bind, and consume or get from. See `Entity` for what binding means.

    `exchange` and `routing_key` are its binding, `bindings` are more; both at once are possible
    only by putting all in `bindings`. `expires` and `message_ttl` are seconds, `max_length_bytes`
    counts bodies. Other `x-` arguments go to `queue_arguments`. `exclusive` implies `auto_delete`.
    `on_declared(name, messages, consumers)` is called after each declare; `alias` is for the
    application. With an empty name the broker makes one, which the queue then has.
    """

    ContentDisallowed = ContentDisallowed

    attrs: ClassVar[tuple[str, ...]] = (
        "name", "exchange", "routing_key", "queue_arguments", "binding_arguments",
        "consumer_arguments", "durable", "exclusive", "auto_delete", "no_ack", "alias", "bindings",
        "no_declare", "expires", "message_ttl", "max_length", "max_length_bytes", "max_priority",
    )  # fmt: skip

    exchange: Exchange | None = None
    routing_key: str = ""
    durable: bool = True
    exclusive: bool = False
    auto_delete: bool = False
    no_ack: bool = False
    no_declare: bool = False
    alias: str | None = None
    queue_arguments: dict[str, Any] | None = None
    binding_arguments: dict[str, Any] | None = None
    consumer_arguments: dict[str, Any] | None = None
    expires: float | None = None
    message_ttl: float | None = None
    max_length: int | None = None
    max_length_bytes: int | None = None
    max_priority: int | None = None

    def __init__(  # noqa: PLR0913 -- Kombu's signature, its keyword arguments spelled out
        self,
        name: str = "",
        exchange: Exchange | str | Iterable[binding] | None = None,
        routing_key: str = "",
        channel: Channel | Connection | None = None,
        bindings: Iterable[binding] | None = None,
        on_declared: Callable[[str, int, int], object] | None = None,
        *,
        queue_arguments: dict[str, Any] | None = None,
        binding_arguments: dict[str, Any] | None = None,
        consumer_arguments: dict[str, Any] | None = None,
        durable: bool | None = None,
        exclusive: bool | None = None,
        auto_delete: bool | None = None,
        no_ack: bool | None = None,
        alias: str | None = None,
        no_declare: bool | None = None,
        expires: float | None = None,
        message_ttl: float | None = None,
        max_length: int | None = None,
        max_length_bytes: int | None = None,
        max_priority: int | None = None,
    ) -> None:
        """What is None or empty is taken from the class: durable, kept, the default exchange.

        `exchange` may also be a list of bindings: `Queue("q", [exchange.binding("key")])`.
        """
        given = {
            "name": name or None, "routing_key": routing_key or None, "durable": durable,
            "exclusive": exclusive, "auto_delete": auto_delete, "no_ack": no_ack, "alias": alias,
            "no_declare": no_declare, "queue_arguments": queue_arguments,
            "binding_arguments": binding_arguments, "consumer_arguments": consumer_arguments,
            "expires": expires, "message_ttl": message_ttl, "max_length": max_length,
            "max_length_bytes": max_length_bytes, "max_priority": max_priority,
        }  # fmt: skip
        self.__dict__.update((key, value) for key, value in given.items() if value is not None)
        self.bindings = list(bindings or ())
        self.on_declared = on_declared
        self._take_exchange(exchange)
        if self.exclusive:
            self.auto_delete = True
        self.maybe_bind(channel)

    def _take_exchange(self, exchange: Exchange | str | Iterable[binding] | None) -> None:
        if isinstance(exchange, str):
            self.exchange = Exchange(exchange)
        elif isinstance(exchange, Exchange):
            self.exchange = exchange
        elif exchange is not None:
            self.bindings.extend(exchange)
        if self.bindings:
            self.exchange = None
        elif self.exchange is None:
            self.exchange = Exchange("")

    def when_bound(self) -> None:
        """Bind its exchange, too."""
        if self.exchange is not None and self._channel is not None:
            self.exchange = self.exchange.bind(self._channel)

    def declare(self, nowait: bool = False, channel: Channel | None = None) -> str:
        """Declare exchange and queue and bind them; returns the queue's name.

        `PreconditionFailed` when one of them exists with other properties.
        """
        if self.no_declare:
            return self.name
        target = channel or self.channel
        if self.exchange is not None:
            self.exchange.declare(channel=target)
        self.queue_declare(channel=target)
        if self.exchange is not None and self.exchange.name:
            self.queue_bind(channel=target)
        for each in self.bindings:
            each.declare(target)
            each.bind(self, channel=target)
        return self.name

    def queue_declare(
        self, nowait: bool = False, passive: bool = False, channel: Channel | None = None
    ) -> Declared:
        """Declare the queue alone: `(name, ready messages, consumers)`. `passive` only looks."""
        target = channel or self.channel
        declared = target.declare_queue(
            self.name,
            passive=passive,
            durable=self.durable,
            exclusive=self.exclusive,
            auto_delete=self.auto_delete,
            arguments=self._arguments(),
        )
        if not self.name:
            self.name = declared.queue
        if self.on_declared is not None:
            self.on_declared(*declared)
        return declared

    def _arguments(self) -> dict[str, Any] | None:
        arguments = dict(self.queue_arguments or {})
        for attribute, (argument, written) in _SETTINGS.items():
            value = getattr(self, attribute)
            if value is not None:
                arguments[argument] = written(value)
        return arguments or None

    def queue_bind(self, nowait: bool = False, channel: Channel | None = None) -> None:
        """Bind the queue to its exchange with its routing key."""
        self.bind_to(self.exchange or "", self.routing_key, self.binding_arguments, channel=channel)

    def bind_to(
        self,
        exchange: Exchange | str = "",
        routing_key: str = "",
        arguments: Arguments = None,
        nowait: bool = False,
        channel: Channel | None = None,
    ) -> None:
        """Bind the queue to an exchange."""
        target = channel or self.channel
        target.bind_queue(self.name, exchange_name(exchange), routing_key, arguments)

    def queue_unbind(
        self,
        arguments: Arguments = None,
        nowait: bool = False,
        channel: Channel | None = None,
    ) -> None:
        """Undo `queue_bind`."""
        self.unbind_from(self.exchange or "", self.routing_key, arguments, channel=channel)

    def unbind_from(
        self,
        exchange: Exchange | str = "",
        routing_key: str = "",
        arguments: Arguments = None,
        nowait: bool = False,
        channel: Channel | None = None,
    ) -> None:
        """Undo `bind_to`."""
        target = channel or self.channel
        target.unbind_queue(self.name, exchange_name(exchange), routing_key, arguments)

    def get(
        self, no_ack: bool | None = None, accept: Iterable[str] | None = None
    ) -> Message | None:
        """Fetch the first ready message, None when there is none; `accept` as for a consumer.

        Raises what the body's decompression raised, like `DecodeError`.
        """
        message = self.channel.get(self.name, self.no_ack if no_ack is None else no_ack)
        if message is not None:
            if message.errors:
                message._reraise_error()
            message.accept = prepare_accept_content(accept)
        return message

    def purge(self, nowait: bool = False) -> int:
        """Remove all ready messages; returns how many."""
        return self.channel.purge_queue(self.name)

    def consume(
        self,
        consumer_tag: str = "",
        callback: Callable[[Message], object] | None = None,
        no_ack: bool | None = None,
        nowait: bool = False,
        on_cancel: Callable[[str], object] | None = None,
    ) -> str:
        """Start a consumer whose `callback` gets each message; returns the consumer tag.

        `on_cancel` is called with the tag when the broker cancels it, as when the queue is deleted.
        """
        if callback is None:
            raise TypeError("consume() needs a callback")
        channel = self.channel
        no_ack = self.no_ack if no_ack is None else no_ack
        build = SettledMessage if no_ack else ReceivedMessage

        def deliver(delivery: Delivery) -> None:
            callback(build(delivery, channel))

        return channel.consume(
            self.name,
            deliver,
            tag=consumer_tag,
            no_ack=no_ack,
            arguments=self.consumer_arguments,
            on_cancel=on_cancel,
        )

    def cancel(self, consumer_tag: str) -> None:
        """Stop a consumer by its tag."""
        self.channel.cancel(consumer_tag)

    def delete(self, if_unused: bool = False, if_empty: bool = False, nowait: bool = False) -> int:
        """Delete the queue and return how many messages it held.

        `PreconditionFailed` with `if_unused` when it has consumers, `if_empty` when messages.
        """
        return self.channel.delete_queue(self.name, if_unused, if_empty)

    @property
    def can_cache_declaration(self) -> bool:  # type: ignore[override]  # computed here
        """Not when it may be gone by itself meanwhile."""
        expiring = self.expires is not None or "x-expires" in (self.queue_arguments or {})
        return not expiring and not self.auto_delete

    @classmethod
    def from_dict(cls, queue: str, **options: Any) -> Queue:
        """A queue from the flat options of a configuration file (Kombu's names).

        `exchange_…` and `queue_…` options win over plain ones; `binding_key` over `routing_key`.
        An option that it does not know raises `TypeError`.
        """
        exchange = Exchange(
            options.pop("exchange", None) or "",
            options.pop("exchange_type", None) or "",
            arguments=options.pop("exchange_arguments", None),
            durable=_first(options.pop("exchange_durable", None), options.get("durable")),
            auto_delete=_first(
                options.pop("exchange_auto_delete", None), options.get("auto_delete")
            ),
            delivery_mode=options.pop("delivery_mode", None),
        )
        options["durable"] = _first(options.pop("queue_durable", None), options.get("durable"))
        options["auto_delete"] = _first(
            options.pop("queue_auto_delete", None), options.get("auto_delete")
        )
        key = options.pop("routing_key", None)
        return cls(queue, exchange, options.pop("binding_key", None) or key or "", **options)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Queue):
            return NotImplemented
        return self._same(
            other,
            (
                "name", "exchange", "routing_key", "queue_arguments", "binding_arguments",
                "consumer_arguments", "durable", "exclusive", "auto_delete",
            ),
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash(("queue", self.name))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state["on_declared"] = None
        return state

    def __str__(self) -> str:
        return f"Queue {self.name or repr('')} -> {self.exchange!s} -> {self.routing_key!r}"


def _first(value: Any, other: Any) -> Any:
    return other if value is None else value
