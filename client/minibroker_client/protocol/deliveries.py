"""Messages as they come over a socket. One record per delivery: it is its own message, too.

What messages have in common, where they were published and their properties, is one `Route` for
many of them, decoded when somebody looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.properties import Properties

__all__ = ["Delivered", "Route", "Subscription"]


class Route:
    """Where messages were published, and their properties as they were encoded."""

    __slots__ = ("_decode", "_encoded", "_properties", "exchange", "routing_key")

    def __init__(
        self,
        exchange: str,
        routing_key: str,
        encoded: bytes,
        decode: Callable[[bytes], Properties],
    ) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        self._encoded = encoded
        self._decode = decode
        self._properties: Properties | None = None

    @property
    def properties(self) -> Properties:
        """The properties. Raises what decoding raises."""
        if self._properties is None:
            self._properties = self._decode(self._encoded)
        return self._properties


class Subscription:
    """A consumer of this client."""

    __slots__ = ("callback", "tag")

    def __init__(self, tag: str, callback: Callable[[Delivered], None]) -> None:
        self.tag = tag
        self.callback = callback


class Delivered:
    """A delivery, see `transport.values.Delivery`; and its own `Carried`."""

    __slots__ = ("body", "consumer", "redelivered", "route", "tag")

    def __init__(
        self,
        tag: int,
        redelivered: bool,
        route: Route,
        body: bytes,
        consumer: Subscription | None = None,
    ) -> None:
        self.tag = tag
        self.redelivered = redelivered
        self.route = route
        self.body = body
        self.consumer = consumer

    @property
    def message(self) -> Delivered:
        """What was published: itself."""
        return self

    @property
    def exchange(self) -> str:
        """Where it was published."""
        return self.route.exchange

    @property
    def routing_key(self) -> str:
        """With which key."""
        return self.route.routing_key

    @property
    def properties(self) -> Properties:
        """Its properties."""
        return self.route.properties
