"""What the registry of transports offers for `mqtt://`: connections for the ends of bridges."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, cast

from ...remote.transport import needed
from ...transport.base import Capabilities
from .channels import SourceChannel, TargetChannel
from .settings import settings_of
from .wire import PORT, Wire

if TYPE_CHECKING:
    from ...transport.base import Address, Listener, TransportChannel
    from .channels import EndChannel
    from .settings import Settings

__all__ = ["MqttConnection", "MqttTransport", "transport"]

logger = logging.getLogger("minibroker_client.bridge")
FOREVER = float("inf")


class MqttConnection:
    """One end's. One thread at a time."""

    def __init__(self, address: Address, settings: Settings) -> None:
        self._settings = settings
        self._patience = address.connect_timeout
        self._wire = Wire(address, settings)
        self._channels: list[EndChannel] = []
        if settings.side == "from" and not self._wire.kept:
            logger.info(
                "bridge: from %s: the server has nothing kept for client id %s, it begins now",
                self._wire.where, settings.client_id,
            )  # fmt: skip

    @property
    def closed(self) -> bool:
        """Whether it was closed, from either side."""
        return self._wire.closed

    def channel(self, listener: Listener) -> TransportChannel:
        """The part of a channel that this end of a link uses."""
        made: EndChannel
        if self._settings.side == "from":
            made = SourceChannel(self._wire, self._settings, self._patience)
        else:
            made = TargetChannel(self._wire, self._settings)
        self._channels.append(made)
        return cast("TransportChannel", made)

    def drain(self, timeout: float | None = None) -> None:
        """Wait for something, and deal with all that is there. `TimeoutError` when nothing came."""
        end = FOREVER if timeout is None else time.monotonic() + timeout
        left = FOREVER if timeout is None else timeout
        while not self._wire.pump(left):
            left = end - time.monotonic()
            if left <= 0:
                for channel in self._channels:
                    channel.idle()
                raise TimeoutError("nothing came")
        for channel in self._channels:
            channel.look()

    def heartbeat_check(self) -> None:
        """Nothing to do: `drain` keeps it alive."""

    def close(self) -> None:
        """Close it. Closing twice does nothing."""
        self._wire.close()


class MqttTransport:
    """Connects the ends of links, and nobody else."""

    capabilities = Capabilities(
        exchange_types=frozenset({"topic"}), confirms=True, prefetch=True, wake_up=True
    )
    default_port: int | None = PORT

    def check(self, address: Address) -> None:
        """`ValueError` for what cannot be used, `ImportError` without paho."""
        needed("paho.mqtt.client", "mqtt")
        settings_of(address)

    def connect(self, address: Address) -> MqttConnection:
        """Connect, or raise why not."""
        return MqttConnection(address, settings_of(address))


transport = MqttTransport()
