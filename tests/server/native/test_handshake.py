from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker.server import ServerSettings
from minibroker.server.amqp.states import CLOSED, CLOSING, OPEN, STARTING
from minibroker.server.native.handshake import CAPABILITIES
from minibroker.server.sasl import Peer
from minibroker.wire.amqp import spec
from minibroker.wire.native import LOGIN, MAGIC

from .native_pair import NativeClient

if TYPE_CHECKING:
    from minibroker import Broker, ManualClock


def test_the_broker_answers_with_the_same_bytes_and_says_what_it_is(broker: Broker) -> None:
    client = NativeClient(broker)
    hello = client.greet()
    assert client.greeted == MAGIC
    assert hello["product"] == "RabbitMQ"
    assert hello["mechanisms"] == ["PLAIN", "AMQPLAIN"]
    assert (hello["frame_max"], hello["channel_max"], hello["heartbeat"]) == (1 << 20, 2047, 60)
    assert client.server.state is STARTING


def test_the_first_bytes_may_come_one_by_one(broker: Broker) -> None:
    client = NativeClient(broker)
    for byte in MAGIC[:-1]:
        assert client.raw(bytes((byte,))) == []
    [[kind, number, _]] = client.raw(MAGIC[-1:])
    assert (kind, number) == (0, 0)


def test_another_version_is_answered_with_the_one_that_is_spoken_and_the_end(
    broker: Broker,
) -> None:
    client = NativeClient(broker)
    assert client.raw(b"MiniBrk\x02 and more") == []
    assert client.greeted == MAGIC
    assert client.server.ending
    assert client.server.state is CLOSED


def test_a_login_opens_the_virtual_host_and_agrees_on_limits(broker: Broker) -> None:
    client = NativeClient(broker)
    client.greet()
    [[kind, _, said]] = client.login(frame_max=9000, heartbeat=7, properties={"product": "me"})
    assert (kind, said) == (2, {"frame_max": 9000, "heartbeat": 7})
    assert client.server.state is OPEN
    assert client.server.client_properties == {"product": "me"}
    assert client.server.capabilities == CAPABILITIES


def test_the_frame_is_never_longer_than_the_broker_offers(broker: Broker) -> None:
    client = NativeClient(broker, ServerSettings(native_frame_max=10_000))
    client.greet()
    [[_, _, said]] = client.login(frame_max=1 << 30)
    assert said["frame_max"] == 10_000


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"response": b"\0guest\0wrong"}, 403, "Login was refused"),
        ({"mechanism": "MAGIC"}, 503, "unknown authentication mechanism 'MAGIC'"),
        ({"vhost": "nowhere"}, 530, "vhost nowhere not found"),
        ({"frame_max": 100}, 530, "lower than the minimum"),
        ({"frame_max": -1}, 502, "below 0"),
        ({"heartbeat": 70_000}, 502, "over 65535"),
        ({"heartbeat": True}, 502, "heartbeat of LOGIN is True, not int"),
        ({"vhost": 5}, 502, "vhost of LOGIN is 5, not str"),
        ({"properties": []}, 502, "properties of LOGIN"),
    ],
)
def test_a_login_that_is_refused_is_told_why(
    broker: Broker, fields: dict[str, Any], code: int, text: str
) -> None:
    client = NativeClient(broker)
    client.greet()
    [[_, number, close]] = client.login(**fields)
    assert number == 0
    assert isinstance(close, spec.ConnectionClose)
    assert close.reply_code == code
    assert text in close.reply_text
    assert client.server.state is CLOSING


def test_a_login_is_one_map_and_comes_once(broker: Broker) -> None:
    client = NativeClient(broker)
    client.greet()
    [[_, _, close]] = client.send([LOGIN, 0, [], 1])
    assert close.reply_code == 502
    again = NativeClient(broker).open()
    [[_, _, close]] = again.login()
    assert (close.reply_code, "comes once" in close.reply_text) == (503, True)


def test_guest_does_not_log_in_from_another_machine(broker: Broker) -> None:
    client = NativeClient(broker, peer=Peer(loopback=False))
    client.greet()
    [[_, _, close]] = client.login()
    assert close.reply_code == 403


def test_a_method_before_the_login_may_not_come(broker: Broker) -> None:
    client = NativeClient(broker)
    client.greet()
    [[_, _, close]] = client.tell(1, spec.ChannelOpen())
    assert close.reply_code == 504


def test_a_handshake_that_takes_too_long_is_dropped(broker: Broker, clock: ManualClock) -> None:
    client = NativeClient(broker)
    client.greet()
    clock.advance(11)
    assert client.server.aborted
