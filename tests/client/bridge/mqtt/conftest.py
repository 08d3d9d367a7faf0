"""A Mosquitto that drops nothing by itself, and programs that know MQTT only."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.bridge import BridgeLink
from minibroker_client.parameters import Parameters

from ....external.servers import MosquittoServer
from ....interop.needed import needed_module
from ..conftest import SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from minibroker_client.transport.base import Address

    from ..conftest import Side


class Roomy(MosquittoServer):
    """It keeps any number of messages, where Mosquitto by itself drops those above 1000."""

    lines: Sequence[str] = ()

    def _command(self) -> Sequence[str | Path]:
        command = super()._command()
        with (self.directory / "mosquitto.conf").open("a", encoding="utf-8") as file:
            file.write("\n".join(["max_queued_messages 0", *self.lines]) + "\n")
        return command

    def stop(self) -> None:
        """End it by a signal that lets it save what it has."""
        running, self.running = self._alive(), None
        running.stop()


class Stranger:
    """A program that knows MQTT only."""

    def __init__(self, server: MosquittoServer, client_id: str = "", **connecting: Any) -> None:
        paho = needed_module("paho.mqtt.client")
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        self.messages: list[Any] = []
        self.subscribed = 0
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        self.client.on_subscribe = self._on_subscribe
        self.client.connect(server.host, server.port, **connecting)
        self.client.loop_start()
        until(self.client.is_connected)

    def _on_subscribe(self, *_: Any) -> None:
        self.subscribed += 1

    def subscribe(self, topic_filter: str) -> None:
        wanted = self.subscribed + 1
        self.client.subscribe(topic_filter, 1)
        until(lambda: self.subscribed == wanted)

    def publish(self, topic: str, *bodies: bytes, qos: int = 1, **values: Any) -> None:
        retain = values.pop("retain", False)
        properties = None
        if values:
            types = needed_module("paho.mqtt.packettypes").PacketTypes
            properties = needed_module("paho.mqtt.properties").Properties(types.PUBLISH)
            for name, value in values.items():
                setattr(properties, name, value)
        publish = self.client.publish
        for each in [publish(topic, body, qos, retain, properties) for body in bodies]:
            each.wait_for_publish(SECONDS)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Roomy]:
    """A server of this test's own."""
    directory = tmp_path / "mosquitto"
    directory.mkdir()
    server = Roomy(directory)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def stranger(mosquitto: Roomy) -> Iterator[Stranger]:
    made = Stranger(mosquitto)
    yield made
    made.close()


@contextmanager
def strangers(server: Roomy, **connecting: Any) -> Iterator[Stranger]:
    made = Stranger(server, **connecting)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def up(mosquitto: Roomy, near: Side) -> Callable[..., BridgeLink]:
    """Make a link from `near` to the server."""
    return lambda **settings: BridgeLink(
        **{
            "name": "up", "source": near.where, "queue": "q", "target": mosquitto.url,
            "exchange": "", **QUICK, **settings,
        }
    )  # fmt: skip


@pytest.fixture
def down(mosquitto: Roomy, far: Side) -> Callable[..., BridgeLink]:
    """Make a link from the server to `far`."""
    return lambda **settings: BridgeLink(
        **{
            "name": "down", "source": mosquitto.url, "queue": "s/#", "target": far.where,
            "exchange": "", "routing_key": "q", **QUICK, **settings,
        }
    )  # fmt: skip


QUICK: dict[str, Any] = {
    "interval_start": 0.01, "interval_step": 0.01, "interval_max": 0.05, "lag_interval": 0.01,
}  # fmt: skip


def address_of(link: BridgeLink, side: str) -> Address:
    """What a transport is given for one end of a link."""
    connection = link.source_connection() if side == "from" else link.target_connection()
    address: Address = connection.parameters.address(connection.transport_options)
    return address


def address(url: str, **options: Any) -> Address:
    return Parameters().with_url(url).address(options)
