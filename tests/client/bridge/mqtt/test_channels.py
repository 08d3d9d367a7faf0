from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from minibroker_client import exceptions
from minibroker_client.bridge.mqtt.channels import SourceChannel, TargetChannel
from minibroker_client.bridge.mqtt.settings import Settings


class Wire:
    """What a channel asks of a wire, written down."""

    where = "mqtt://here/"
    is_mqtt5 = True
    closed = False

    def __init__(self) -> None:
        self.messages: deque[Any] = deque()
        self.answers: deque[tuple[int, int]] = deque()
        self.done: list[tuple[Any, ...]] = []

    def subscribe(self, topic_filter: str, patience: float | None) -> None:
        self.done.append(("subscribe", topic_filter))

    def nudge(self, topic_filter: str) -> None:
        self.done.append(("nudge", topic_filter))

    def ack(self, number: int) -> None:
        self.done.append(("ack", number))

    def publish(self, number: int, topic: str, body: bytes, retain: bool, fields: Any) -> None:
        self.done.append(("publish", number, topic, body, retain, fields))

    def pump(self, seconds: float) -> bool:
        return False


def message(number: int, qos: int = 1) -> Any:
    return SimpleNamespace(
        mid=number, qos=qos, topic="a/b", payload=b"x", dup=False, retain=False, properties=None
    )


def source() -> tuple[SourceChannel, Wire, list[Any]]:
    wire: Any = Wire()
    channel = SourceChannel(wire, Settings(side="from", client_id="c", topic_filter="a/#"))
    inbox: list[Any] = []
    wire.messages.append(message(7))  # some come before the answer to the subscription
    channel.consume("a/#", inbox.append)
    return channel, wire, inbox


def target(**settings: Any) -> tuple[TargetChannel, Wire]:
    wire: Any = Wire()
    return TargetChannel(wire, Settings(side="to", client_id="", **settings)), wire


def test_acks_go_in_the_order_of_arrival_and_not_for_what_comes_at_most_once() -> None:
    channel, wire, inbox = source()
    wire.messages.extend([message(8), message(0, qos=0), message(9)])
    channel.look()
    assert [each.tag for each in inbox] == [1, 2, 3, 4]
    assert inbox[0].message.routing_key == "a.b"
    channel.ack(3, True)
    channel.ack(4, True)
    assert wire.done == [("subscribe", "a/#"), ("ack", 7), ("ack", 8), ("ack", 9)]
    assert channel.highest_tag == 4


def test_what_tells_equal_messages_apart_is_the_packet_identifier() -> None:
    channel, wire, inbox = source()
    wire.messages.extend([message(7), message(8), message(0, qos=0), message(0, qos=0)])
    channel.look()
    first, again, other, *lost = [each.seq for each in inbox]
    assert first == again != other
    assert len({first, other, *lost}) == 4


def test_a_server_is_nudged_once_when_all_is_acked_and_nothing_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("minibroker_client.bridge.mqtt.channels.time.monotonic", lambda: now)
    channel, wire, _ = source()
    now += 1
    channel.idle()  # not acked
    channel.ack(1, True)
    channel.idle()
    channel.idle()
    assert wire.done[2:] == [("nudge", "a/#")]
    wire.messages.append(message(8))
    channel.look()
    channel.ack(2, True)
    now += 1
    channel.idle()  # too soon after the last
    now += 4
    channel.idle()
    assert wire.done[3:] == [("ack", 8), ("nudge", "a/#")]


def test_how_many_wait_at_the_server_is_not_known() -> None:
    channel, _, _ = source()
    assert channel.declare_queue("a/#", passive=True) == ("a/#", 0, 0)
    with pytest.raises(exceptions.NotSupported, match="no queues"):
        channel.declare_queue("a/#")


def test_a_publish_is_confirmed_or_refused_by_its_number() -> None:
    channel, wire = target(prefix="p")
    properties = channel.properties({"content_type": "t"})
    assert [channel.publish("", "a.b", b"x", properties) for _ in range(3)] == [1, 2, 3]
    assert wire.done[0] == ("publish", 1, "p/a/b", b"x", False, {"ContentType": "t"})
    wire.answers.extend([(1, 0), (2, 0x97), (3, 0x10)])
    assert channel.unconfirmed == 3
    channel.wait_for_answers(0, 1)
    assert [channel.answer(number) for number in (1, 2, 3, 1)] == [True, False, True, None]


def test_an_answer_that_does_not_come_is_told() -> None:
    channel, _ = target()
    channel.publish("", "a", b"", channel.properties({}))
    with pytest.raises(TimeoutError, match="does not confirm"):
        channel.wait_for_answers(0, 0)
    channel.wait_for_answers(1, 0)


def test_a_message_is_retained_when_the_link_or_its_header_says_so() -> None:
    for settings, headers in (({"retain": True}, {}), ({}, {"x-mqtt-retain": True})):
        channel, wire = target(**settings)
        channel.publish("", "a", b"", channel.properties({"headers": headers}))
        assert wire.done == [("publish", 1, "a", b"", True, {})]


def test_what_mqtt_cannot_do_is_refused_by_its_name() -> None:
    channel, _ = target()
    for name in ("get", "tx_select", "bind_queue", "nack"):
        with pytest.raises(exceptions.NotSupported, match=f"no {name} here: mqtt:// is an end"):
            getattr(channel, name)
    with pytest.raises(AttributeError):
        _ = channel.colour
    with pytest.raises(TypeError):
        channel.properties({"colour": "red"})
