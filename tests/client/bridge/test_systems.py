"""Bridges over every system: from a file to it, and back from there."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Connection
from minibroker_client.bridge import Bridge, BridgeLink

from ..remote.places import KINDS, place_of
from .conftest import until

if TYPE_CHECKING:
    from pathlib import Path

BODIES = [b"%d" % number for number in range(100)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_from_a_file_to_a_system_and_back_is_all_there(kind: str, tmp_path: Path) -> None:
    away, home = f"file://{tmp_path}/away", f"file://{tmp_path}/home"
    options = {"prefix": f"t{secrets.token_hex(6)}"}
    with place_of(kind) as url:
        for place, queue, own in ((away, "out", {}), (home, "in", {}), (url, "middle", options)):
            declare(place, queue, own)
        common: dict[str, Any] = {"exchange": "", "interval_start": 0.05, "lag_interval": 0.05}
        up = BridgeLink(
            name="up", source=away, queue="out", target=url, routing_key="middle",
            target_options=options, **common,
        )  # fmt: skip
        down = BridgeLink(
            name="down", source=url, queue="middle", target=home, routing_key="in",
            source_options=options, **common,
        )  # fmt: skip
        with Connection(away) as connection:
            raw = connection.channel().raw
            for number, body in enumerate(BODIES):
                values = {"message_id": str(number), "headers": {"n": number}}
                raw.publish("", "out", body, raw.properties({**values, "delivery_mode": 2}))
        with Bridge(up, down) as bridge:
            until(lambda: bridge.health()["down"].forwarded >= len(BODIES))
            health = bridge.health()
        assert health["up"].forwarded == len(BODIES)
        assert (health["up"].last_error, health["down"].last_error) == (None, None)
        found = received(home, "in")
    assert {message.body for message in found} == set(BODIES)
    for message in found:
        assert message.properties.message_id == message.body.decode()
        assert message.properties.headers["n"] == int(message.body)


def declare(url: str, queue: str, options: dict[str, Any]) -> None:
    with Connection(url, transport_options=options) as connection:
        connection.channel().declare_queue(queue, durable=True)


def received(url: str, queue: str) -> list[Any]:
    messages: list[Any] = []
    with Connection(url) as connection:
        connection.channel().consume(queue, lambda each: messages.append(each.message), no_ack=True)
        while len(messages) < len(BODIES):
            connection.drain_events(10)
    return messages
