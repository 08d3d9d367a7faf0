"""Publishing for an event loop: the bodies and properties of `minibroker_client.Producer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exchange import maybe_delivery_mode
from ..producer import Producer as Prepares

if TYPE_CHECKING:
    from .channel import Channel

__all__ = ["Producer"]


class Producer:
    """Publishes to an exchange through a channel. Declares nothing."""

    def __init__(
        self,
        channel: Channel,
        exchange: str = "",
        routing_key: str = "",
        serializer: str | None = None,
        compression: str | None = None,
    ) -> None:
        """The defaults of `publish`."""
        self.channel = channel
        self._prepares = Prepares(
            None, exchange, routing_key, serializer, auto_declare=False, compression=compression
        )

    async def publish(self, body: Any, routing_key: str | None = None, **options: Any) -> None:
        """Publish a message, and return when it is confirmed, if the channel does confirms.

        `options` are those of `minibroker_client.Producer.publish` that say what the message is
        (`serializer`, `headers`, `expiration` …), `exchange`, `mandatory` and `timeout`. Raises as
        `Channel.publish`, and `EncodeError`.
        """
        outgoing = self._prepares.prepare(body, routing_key, **options)
        exchange: Any = outgoing.exchange
        properties = dict(outgoing.properties)
        properties["delivery_mode"] = maybe_delivery_mode(
            properties["delivery_mode"] or getattr(exchange, "delivery_mode", None)
        )
        await self.channel.publish(
            getattr(exchange, "name", exchange), outgoing.routing_key, outgoing.body,
            properties, outgoing.mandatory, outgoing.timeout,
        )  # fmt: skip
