"""What a server offers: its defaults, and what is no setting."""

from __future__ import annotations

from typing import Any

import pytest

from minibroker.server import ServerSettings


@pytest.mark.semantics(4)
def test_the_defaults_are_those_of_rabbitmq() -> None:
    settings = ServerSettings()
    assert (settings.channel_max, settings.frame_max, settings.heartbeat) == (2047, 131_072, 60)
    assert settings.handshake_timeout == 10
    assert settings.refusal_delay == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channel_max", 0),
        ("channel_max", 65535),
        ("frame_max", 0),
        ("frame_max", 8192),
        ("heartbeat", 0),
        ("heartbeat", 65535),
        ("handshake_timeout", 0.001),
        ("close_timeout", 0.001),
        ("refusal_delay", 0.0),
    ],
)
def test_the_ends_of_a_range_are_in_it(name: str, value: Any) -> None:
    assert getattr(ServerSettings(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("channel_max", -1, "channel_max must be 0 to 65535, not -1"),
        ("channel_max", 65536, "channel_max must be 0 to 65535, not 65536"),
        ("frame_max", 8191, "frame_max must be 8192 to"),
        ("frame_max", -1, "frame_max must be 8192 to"),
        ("heartbeat", 65536, "heartbeat must be 0 to 65535, not 65536"),
        ("handshake_timeout", 0, "handshake_timeout must be more than 0 seconds, not 0"),
        ("close_timeout", -1, "close_timeout must be more than 0 seconds, not -1"),
    ],
)
def test_what_is_out_of_its_range_is_refused_by_name(name: str, value: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ServerSettings(**{name: value})
