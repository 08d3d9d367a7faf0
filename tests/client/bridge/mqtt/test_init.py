"""Bridges to a real Mosquitto and from it, also over kill -9."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Connection
from minibroker_client.bridge import Bridge, BridgeLink

from ....cli.served import environment
from ..conftest import until
from ..test_kill import count
from .conftest import QUICK, Roomy, Stranger, strangers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..conftest import Side

    MakeLink = Callable[..., BridgeLink]

BODIES = [b"%d" % number for number in range(600)]


def test_topics_become_keys_and_wildcards_choose_among_them(
    down: MakeLink, far: Side, stranger: Stranger
) -> None:
    far.raw.bind_queue("q", "amq.topic", "#")
    link = down(queue="sensors/+/temp", exchange="amq.topic", routing_key=None)
    with Bridge(link) as bridge:
        until(lambda: bridge.health()["down"].state == "running")
        for topic in ("sensors/7/temp", "sensors/7/humidity", "sensors/a.b/temp", "sensors/temp"):
            stranger.publish(topic, topic.encode())
        until(lambda: bridge.health()["down"].forwarded == 2)
    taken = {each.routing_key: each.body for each in far.take()}
    assert taken == {"sensors.7.temp": b"sensors/7/temp", "sensors.a/b.temp": b"sensors/a.b/temp"}


def test_keys_become_topics_with_properties_in_order(
    up: MakeLink, near: Side, stranger: Stranger
) -> None:
    stranger.subscribe("site/#")
    near.raw.bind_queue("q", "amq.topic", "#")
    bodies = [b"%d" % number for number in range(100)]
    near.publish(
        *bodies, key="a.b", exchange="amq.topic", content_type="text/plain", correlation_id="c",
        reply_to="me.too", expiration="60000", message_id="m", headers={"n": 1},
    )  # fmt: skip
    with Bridge(up(exchange="amq.topic", target_options={"prefix": "site"})):
        until(lambda: len(stranger.messages) == 100)
    assert [each.payload for each in stranger.messages] == bodies
    message = stranger.messages[0]
    properties = message.properties
    assert (message.topic, message.qos, message.retain) == ("site/a/b", 1, False)
    assert (properties.ContentType, properties.CorrelationData) == ("text/plain", b"c")
    assert properties.ResponseTopic == "site/me/too"
    assert 0 < properties.MessageExpiryInterval <= 60
    users = dict(properties.UserProperty)
    assert users["amqp-message-id"] == "m"
    assert (users["n"], users["x-minibroker-bridge"]) == ("1", "up")


def test_retained_messages_are_kept_by_the_server_and_come_once(
    up: MakeLink, down: MakeLink, near: Side, far: Side
) -> None:
    near.raw.bind_queue("q", "amq.topic", "#")
    near.publish(b"1", key="s.1", exchange="amq.topic")
    near.publish(b"2", key="s.2", exchange="amq.topic", headers={"x-mqtt-retain": False})
    with Bridge(up(target_options={"retain": True})) as bridge:
        until(lambda: bridge.health()["up"].forwarded == 2)
    for _ in range(2):  # the second time the subscription is there already
        with Bridge(down()) as bridge:
            until(lambda: bridge.health()["down"].state == "running")
            until(lambda: far.count() == 2)
    taken = far.take()
    assert sorted(each.body for each in taken) == [b"1", b"2"]
    assert all(each.properties.headers["x-mqtt-retain"] is True for each in taken)


def test_protocol_3_1_1_carries_body_and_topic(
    up: MakeLink, down: MakeLink, near: Side, far: Side
) -> None:
    older = {"protocol": "3.1.1"}
    near.raw.bind_queue("q", "amq.topic", "#")
    with Bridge(down(source_options=older)) as bridge:
        until(lambda: bridge.health()["down"].state == "running")
    near.publish(*BODIES[:200], key="s.1", exchange="amq.topic", headers={"a": "b"})
    with Bridge(up(target_options=older)) as bridge:
        until(lambda: bridge.health()["up"].forwarded == 200)
    with Bridge(down(source_options=older)) as bridge:
        until(lambda: bridge.health()["down"].forwarded == 200)
    taken = far.take()
    assert [bytes(each.body) for each in taken] == BODIES[:200]
    assert taken[0].properties.headers == {"x-minibroker-bridge": ["down"]}
    # They are told apart by their packet identifiers.
    assert len({each.properties.message_id for each in taken}) == 200


def test_both_ways_there_are_no_loops(mosquitto: Roomy, near: Side, stranger: Stranger) -> None:
    for queue in ("out", "in"):
        near.raw.declare_queue(queue, durable=True)
        near.raw.bind_queue(queue, "amq.topic", "s.#")
    common: dict[str, Any] = {"exchange": "amq.topic", **QUICK}
    there = BridgeLink(name="there", source=near.where, queue="out", target=mosquitto.url, **common)
    back = BridgeLink(name="back", source=mosquitto.url, queue="s/#", target=near.where, **common)
    stranger.subscribe("s/#")
    with Bridge(there, back) as bridge:
        until(lambda: all(each.state == "running" for each in bridge.health().values()))
        near.publish(b"1", key="s.1", exchange="amq.topic")
        stranger.publish("s/2", b"2")
        until(lambda: [each.forwarded for each in bridge.health().values()] == [1, 1])
        until(lambda: [each.looped for each in bridge.health().values()] == [1, 1])
    assert sorted(near.bodies("in")) == [b"1", b"2"]
    assert sorted(each.payload for each in stranger.messages) == [b"1", b"2"]


def test_equal_messages_are_told_apart_and_one_that_comes_again_is_not(
    down: MakeLink, far: Side, stranger: Stranger, mosquitto: Roomy
) -> None:
    link = down(unroutable="retry", exchange="", routing_key="not-there-yet")
    with Bridge(link) as bridge:
        until(lambda: bridge.health()["down"].state == "running")
        stranger.publish("s/1", b"same", b"same")
        stranger.publish("s/1", b"same", qos=0)
        until(lambda: bridge.health()["down"].state == "retrying")
        first = bridge._forwarders[0]._held
        ids = [each.values["message_id"] for each in (*first.sent, *first.unsent)]
    far.raw.declare_queue("not-there-yet", durable=True)
    with Bridge(link) as bridge:
        until(lambda: bridge.health()["down"].forwarded == 2)
        assert bridge.health()["down"].repeated == 2
    assert [each.properties.message_id for each in far.take("not-there-yet")] == ids[:2]
    assert len(set(ids)) == len(ids)


def check(messages: list[Any]) -> None:
    """All are there, in order, and what is there twice has one id, which no other has."""
    assert list(dict.fromkeys(bytes(each.body) for each in messages)) == BODIES
    ids = {(bytes(each.body), each.properties.message_id) for each in messages}
    assert len({message_id for _, message_id in ids}) == len(BODIES)


def fill(url: str) -> None:
    """A queue with all messages, which have no ids."""
    with Connection(url) as connection:
        raw = connection.channel().raw
        raw.declare_queue("q", durable=True)
        raw.confirm_select()
        for body in BODIES:
            raw.publish("", "q", body, raw.properties({"delivery_mode": 2}))
        raw.wait_for_answers(0, 20)


def command(source: str, queue: str, target: str, exchange: str, *more: str) -> Any:
    return subprocess.Popen(
        [
            sys.executable, "-m", "minibroker", "bridge", "--from", source, "--queue", queue,
            "--to", target, "--exchange", exchange, *more, "--rate", "1000",
        ],
        stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip


def subscribed(link: BridgeLink) -> None:
    """Have the server keep what comes for a link."""
    with Bridge(link) as bridge:
        until(lambda: bridge.health()[link.name].state == "running")


def killed_when(condition: Callable[[], object], *arguments: str) -> None:
    """Run a bridge in a process of its own, and kill it when it has done something."""
    process = command(*arguments)
    try:
        until(condition)
    finally:
        process.kill()
        process.wait()


def test_bridges_that_are_killed_go_on_from_where_they_were(
    mosquitto: Roomy, down: MakeLink, far: Side, tmp_path: Path
) -> None:
    away = f"file://{tmp_path}/away"
    fill(away)
    subscribed(down())
    there = ("--name", "up", "--routing-key", "s.1")
    with strangers(mosquitto) as counting:
        counting.subscribe("s/#")
        for part in (150, 300):
            killed_when(
                lambda part=part: len(counting.messages) >= part,  # type: ignore[misc]  # a lambda's default
                away, "q", mosquitto.url, "amq.topic", *there,
            )  # fmt: skip
    up = BridgeLink(
        name="up", source=away, queue="q", target=mosquitto.url, exchange="",
        routing_key="s.1", **QUICK,
    )  # fmt: skip
    with Bridge(up) as bridge:
        until(lambda: bridge.health()["up"].lag == 0)
    assert count(away, "q") == 0
    back = ("--name", "down", "--routing-key", "q")
    with far.where.listen() as server:
        for part in (150, 300):
            killed_when(
                lambda part=part: far.count() >= part,  # type: ignore[misc]  # a lambda's default
                mosquitto.url, "s/#", server.url, "", *back,
            )  # fmt: skip
        assert far.count() < len(BODIES)
    taken = far.take()
    with Bridge(down()):
        until(lambda: all_are_in(taken, far))
    check(taken)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_source_that_ends_gives_all_when_it_is_back(
    end: str, mosquitto: Roomy, down: MakeLink, far: Side
) -> None:
    link = down(rate=1000)
    subscribed(link)
    with strangers(mosquitto) as publishing:
        publishing.publish("s/1", *BODIES)
    mosquitto.stop()  # it has all of it on its disk now
    mosquitto.start()
    with Bridge(link) as bridge:
        until(lambda: bridge.health()["down"].forwarded > 150)
        getattr(mosquitto, end)()
        until(lambda: bridge.health()["down"].state == "retrying")
        mosquitto.start()
        until(lambda: bridge.health()["down"].state == "running")
        taken: list[Any] = []
        until(lambda: all_are_in(taken, far))
    assert list(dict.fromkeys(bytes(each.body) for each in taken)) == BODIES


def test_a_target_that_is_killed_has_all_that_it_had_not_confirmed(
    mosquitto: Roomy, up: MakeLink, down: MakeLink, near: Side, far: Side
) -> None:
    subscribed(down())
    near.publish(*BODIES)
    with Bridge(up(rate=1000, routing_key="s.1")) as bridge:
        until(lambda: bridge.health()["up"].forwarded > 150)
        mosquitto.kill()
        until(lambda: bridge.health()["up"].state == "retrying")
        confirmed = bridge.health()["up"].forwarded
        mosquitto.start()
        until(lambda: bridge.health()["up"].lag == 0)
    assert 150 < confirmed < len(BODIES)
    taken: list[Any] = []
    with Bridge(down()):
        until(lambda: all_are_in(taken, far, confirmed))
    seen = list(dict.fromkeys(int(each.body) for each in taken))
    assert seen == sorted(seen)


def test_a_target_that_ends_has_all_when_it_is_back(
    mosquitto: Roomy, up: MakeLink, down: MakeLink, near: Side, far: Side
) -> None:
    subscribed(down())
    near.publish(*BODIES)
    with Bridge(up(rate=1000, routing_key="s.1")) as bridge:
        until(lambda: bridge.health()["up"].forwarded > 150)
        mosquitto.stop()
        until(lambda: bridge.health()["up"].state == "retrying")
        assert bridge.health()["up"].lag
        mosquitto.start()
        until(lambda: bridge.health()["up"].lag == 0)
    assert near.count() == 0
    with Bridge(down()):
        until(lambda: far.count() >= len(BODIES))
    check(far.take())


def all_are_in(taken: list[Any], side: Side, first: int = 0) -> bool:
    """Take what has come; whether that is all of it, from the first that has to be there."""
    taken += side.take()
    return {bytes(each.body) for each in taken} >= set(BODIES[first:])


def test_a_server_that_is_away_is_waited_for(mosquitto: Roomy, up: MakeLink, near: Side) -> None:
    mosquitto.kill()
    near.publish(b"1")
    with Bridge(up()) as bridge:
        until(lambda: bridge.health()["up"].state == "retrying")
        assert "cannot connect to mqtt://127.0.0.1" in str(bridge.health()["up"].last_error)
        mosquitto.start()
        until(lambda: bridge.health()["up"].forwarded == 1)
        assert bridge.health()["up"].state == "running"
