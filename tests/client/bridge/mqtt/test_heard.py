from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from minibroker_client import exceptions
from minibroker_client.bridge.mqtt.heard import Heard
from minibroker_client.bridge.mqtt.settings import Settings


class Reason:
    def __init__(self, value: int) -> None:
        self.value = value
        self.is_failure = value >= 0x80

    def __str__(self) -> str:
        return "because"


@pytest.fixture
def told() -> tuple[Heard, Any]:
    heard = Heard("mqtt://here/", Settings(side="from", client_id="c", window=100))
    client = SimpleNamespace()
    heard.listen_to(client)
    return heard, client


def test_the_answer_to_the_connect_says_what_the_server_takes(told: tuple[Heard, Any]) -> None:
    heard, client = told
    flags = SimpleNamespace(session_present=1)
    limits = SimpleNamespace(MaximumPacketSize=1000, ReceiveMaximum=20)
    client.on_connect(client, None, flags, Reason(0), limits)
    assert (heard.greeting, heard.kept) == ((0, "because"), True)
    assert (heard.max_packet, heard.room) == (1000, 20)


def test_without_limits_those_of_the_link_stay(told: tuple[Heard, Any]) -> None:
    heard, client = told
    client.on_connect(client, None, SimpleNamespace(session_present=0), Reason(0x87), None)
    assert (heard.greeting, heard.kept) == ((0x87, "because"), False)
    assert (heard.max_packet, heard.room) == (None, 100)


def test_answers_and_messages_are_noted_in_order(told: tuple[Heard, Any]) -> None:
    heard, client = told
    heard.sent.update({7: 1, 8: 2})
    client.on_publish(client, None, 7, Reason(0), None)
    client.on_publish(client, None, 8, Reason(0x97), None)
    client.on_message(client, None, "one")
    client.on_subscribe(client, None, 1, [Reason(1)], None)
    assert (list(heard.answers), heard.sent) == ([(1, 0), (2, 0x97)], {})
    assert (list(heard.messages), heard.granted, heard.events) == (["one"], 1, 4)


@pytest.mark.parametrize(
    ("by_server", "code", "error", "text"),
    [
        (True, 0x8E, exceptions.ConnectionForced, "another client came as 'c'"),
        (True, 0x95, exceptions.ContentTooLarge, "mqtt://here/: because"),
        (True, 0x8B, exceptions.ConnectionForced, "ended the connection: because"),
        (False, 0x80, exceptions.ConnectionLost, "was lost"),
    ],
)
def test_why_a_connection_ends_is_noted(
    told: tuple[Heard, Any], by_server: bool, code: int, error: type[Exception], text: str
) -> None:
    heard, client = told
    flags = SimpleNamespace(is_disconnect_packet_from_server=by_server)
    client.on_disconnect(client, None, flags, Reason(code), None)
    assert type(heard.lost) is error
    assert text in str(heard.lost)


def test_the_first_reason_stays(told: tuple[Heard, Any]) -> None:
    heard, client = told
    heard.lost = first = exceptions.FrameInvalid("first")
    flags = SimpleNamespace(is_disconnect_packet_from_server=False)
    client.on_disconnect(client, None, flags, Reason(0x80), None)
    assert heard.lost is first
