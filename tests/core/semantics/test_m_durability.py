"""What a restart keeps of messages, and what a confirm promises (72, 125 to 127)."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker, ManualClock, Properties
from minibroker.events import Confirmed
from minibroker.queues import Entry

from ..restarts import PERSISTENT, Restarts, persistent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minibroker.channel import Channel

    End = Callable[[], Broker]

KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])


def declared(world: Restarts, kind: str = "classic", **arguments: Any) -> Channel:
    """A channel, and a durable queue `q`."""
    channel = world.channel()
    given = {name.replace("_", "-"): value for name, value in arguments.items()}
    channel.declare_queue("q", durable=True, arguments={"x-queue-type": kind, **given})
    return channel


def publish(channel: Channel, *bodies: str, queue: str = "q") -> None:
    for body in bodies:
        channel.publish("", queue, body.encode(), PERSISTENT)


def got(world: Restarts, queue: str = "q") -> list[tuple[str, bool]]:
    """All that is ready, in order: the body, and whether it is a redelivery."""
    channel = world.channel()
    found = []
    while (answer := channel.get(queue, no_ack=True)) is not None:
        found.append((answer.entry.message.body.decode(), answer.entry.redelivered))
    return found


def confirms(channel: Channel) -> list[tuple[int, bool]]:
    """The confirms that have arrived: tag and `multiple`."""
    outbox = channel.connection.outbox
    events = [event for event in outbox if isinstance(event, Confirmed)]
    assert all(event.ok for event in events)
    return [(event.tag, event.multiple) for event in events]


# -- 125: what is kept


@pytest.mark.semantics(125)
def test_of_a_durable_classic_queue_persistent_messages_alone_outlive_the_broker(
    world: Restarts, restart: End
) -> None:
    channel = declared(world)
    for mode in (2, 1, None, 2):
        channel.publish("", "q", str(mode).encode(), Properties(delivery_mode=mode))
    restart()
    assert world.drained("q") == ["2", "2"]


@pytest.mark.semantics(125)
def test_quorum_queues_and_streams_keep_transient_messages_too(
    world: Restarts, restart: End
) -> None:
    channel = declared(world, "quorum")
    channel.declare_queue("s", durable=True, arguments={"x-queue-type": "stream"})
    for queue in ("q", "s"):
        channel.publish("", queue, b"m")
    restart()
    assert (world.drained("q"), world.count("s")) == (["m"], 1)


@KINDS
@pytest.mark.semantics(72, 125)
def test_what_was_unacked_comes_first_as_redelivered_and_the_rest_in_order_as_new(
    world: Restarts, restart: End, kind: str
) -> None:
    channel = declared(world, kind)
    publish(channel, *"abcd")
    channel.qos(2)
    channel.consume("q")
    restart()
    assert got(world) == [("a", True), ("b", True), ("c", False), ("d", False)]


@pytest.mark.semantics(72, 125)
def test_what_was_requeued_stays_redelivered(world: Restarts, restart: End) -> None:
    channel = declared(world)
    publish(channel, *"ab")
    answer = channel.get("q")
    assert answer is not None
    channel.nack(answer.entry.tag)
    restart()
    restart()
    assert got(world) == [("a", True), ("b", False)]


@KINDS
@pytest.mark.semantics(125)
def test_what_was_acked_taken_purged_or_dropped_does_not_come_back(
    world: Restarts, restart: End, kind: str
) -> None:
    channel = declared(world, kind)
    publish(channel, *"abc")
    channel.consume("q", tag="t")
    channel.ack(1)
    channel.reject(2, requeue=False)
    channel.cancel("t")
    publish(channel, "d")
    assert channel.get("q", no_ack=True) is not None
    publish(channel, "e")
    assert channel.purge_queue("q") == 1
    publish(channel, "f")
    restart()
    assert got(world) == [("c", True), ("f", False)]


@pytest.mark.semantics(125)
def test_a_message_in_several_queues_is_kept_where_it_was_not_acked(
    world: Restarts, restart: End
) -> None:
    channel = world.channel()
    for queue in ("a", "b", "c"):
        channel.declare_queue(queue, durable=True)
        channel.bind_queue(queue, "amq.fanout")
    for body in (b"1", b"2"):
        channel.publish("amq.fanout", "", body, PERSISTENT)
    world.broker.sync()
    assert channel.get("a", no_ack=True) is not None
    channel.delete_queue("b")
    restart()
    assert (world.drained("a"), world.drained("c")) == (["2"], ["1", "2"])


@pytest.mark.semantics(125)
def test_messages_of_a_queue_that_was_deleted_and_declared_again_are_gone(
    world: Restarts, restart: End
) -> None:
    publish(declared(world), "old")
    channel = world.channel()
    channel.delete_queue("q")
    publish(declared(world), "new")
    restart()
    assert world.drained("q") == ["new"]


@pytest.mark.semantics(125)
def test_the_order_is_kept_over_many_restarts(world: Restarts, restart: End) -> None:
    declared(world)
    for number in range(6):
        publish(world.channel(), *(f"{number}.{part}" for part in range(40)))
        channel = world.channel()
        for _ in range(20):
            assert channel.get("q", no_ack=True) is not None
        restart()
    expected = [f"{number}.{part}" for number in range(6) for part in range(40)]
    assert world.drained("q") == expected[120:]


@pytest.mark.semantics(125)
def test_a_crash_leaves_a_directory_that_opens_as_it_was_after_the_last_commit(
    tmp_path: Path, clock: ManualClock
) -> None:
    with Broker(data=tmp_path / "a", clock=clock) as broker:
        channel = broker.connect().channel()
        channel.declare_queue("q", durable=True)
        publish(channel, "kept")
        broker.sync()
        publish(channel, "lost")
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    with Broker(data=tmp_path / "b", clock=clock) as broker:
        answer = broker.connect().channel().get("q")
        assert answer is not None
        assert (answer.entry.message.body, answer.message_count) == (b"kept", 0)


EVERY_TYPE = {
    "none": None,
    "true": True,
    "small": -1,
    "large": 2**62,
    "float": 1.5,
    "decimal": Decimal("12.34"),
    "text": "süß",
    "bytes": b"\x00\xff",
    "time": datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC),
    "list": [1, "two", [3], {"four": 4}],
    "table": {"a": {"b": [None]}},
}


@pytest.mark.parametrize("kind", ["classic", "quorum", "stream"])
@pytest.mark.semantics(125)
def test_every_property_and_every_type_of_header_is_delivered_as_it_was_published(
    world: Restarts, restart: End, kind: str
) -> None:
    channel = declared(world, kind)
    properties = persistent(
        content_type="text/plain",
        content_encoding="utf-8",
        headers=EVERY_TYPE,
        priority=7,
        correlation_id="c",
        reply_to="r",
        expiration="60000",
        message_id="m",
        timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        type="t",
        user_id="guest",
        app_id="a",
    )
    channel.publish("", "q", b"\x00body", properties)
    restart()
    channel = world.channel()
    channel.qos(1)
    first = {"x-stream-offset": "first"} if kind == "stream" else {}
    channel.consume("q", arguments=first)
    (delivery,) = channel.connection.outbox
    assert isinstance(delivery, Entry)
    found = delivery.message.properties
    headers = dict(delivery.message.headers)
    headers.pop("x-stream-offset", None)
    assert found.replace(headers=headers) == properties
    assert delivery.message.body == b"\x00body"
    assert (delivery.message.exchange, delivery.message.routing_key) == ("", "q")


# -- transactions


@pytest.mark.semantics(125)
def test_what_was_committed_is_kept_and_what_was_not_is_not(world: Restarts, restart: End) -> None:
    channel = declared(world)
    publish(channel, *"abc")
    channel.tx_select()
    for tag, end in ((1, channel.tx_commit), (2, channel.tx_rollback), (2, None)):
        if tag == 1 or end is not None:
            assert channel.get("q") is not None
        channel.ack(tag)
        publish(channel, f"with {tag}")
        if end is not None:
            end()
    restart()
    assert got(world) == [("b", True), ("c", False), ("with 1", False)]


@pytest.mark.semantics(126)
def test_a_transaction_is_on_the_disk_when_its_commit_returns(world: Restarts) -> None:
    channel = declared(world)
    publish(channel, "a")
    channel.tx_select()
    assert channel.get("q") is not None
    channel.ack(1)
    publish(channel, "b")
    channel.tx_commit()
    world.crash(power=3)
    assert got(world) == [("b", False)]


# -- 126 and 127: confirms


@pytest.mark.semantics(62, 126)
@pytest.mark.parametrize("fsync", ["always", "interval:1h", "never"])
def test_a_persistent_message_is_confirmed_when_it_was_committed_and_not_before(
    clock: ManualClock, fsync: str
) -> None:
    world = Restarts(clock, fsync=fsync)
    channel = declared(world)
    channel.confirm_select()
    publish(channel, "a")
    assert confirms(channel) == []
    world.broker.sync()
    assert confirms(channel) == [(1, True)]
    world.crash(power=5 if fsync == "always" else None)
    assert world.drained("q") == ["a"]
    world.close()


@pytest.mark.semantics(126)
def test_with_fsync_always_what_was_confirmed_survives_any_power_cut(clock: ManualClock) -> None:
    for seed in range(20):
        world = Restarts(clock)
        declared(world)
        connection = world.broker.connect()
        channel = connection.channel()
        channel.confirm_select()
        publish(channel, *"abc")
        assert connection.drain(0) == Confirmed(channel, 3, True, True)
        publish(channel, *"de")
        world.crash(power=seed)
        assert world.drained("q")[:3] == ["a", "b", "c"]
        world.close()


@pytest.mark.semantics(62, 126)
def test_what_no_log_keeps_is_confirmed_at_once(world: Restarts) -> None:
    channel = declared(world)
    channel.declare_queue("transient")
    channel.confirm_select()
    channel.publish("", "q", b"a transient message")
    channel.publish("", "transient", b"a persistent message", PERSISTENT)
    channel.publish("", "nowhere", b"no queue", PERSISTENT)
    assert confirms(channel) == [(1, False), (2, False), (3, False)]


@pytest.mark.semantics(126)
def test_an_ack_that_was_not_committed_before_a_crash_lets_the_message_come_again(
    world: Restarts,
) -> None:
    channel = declared(world)
    publish(channel, "a")
    channel.consume("q")
    world.broker.sync()
    channel.ack(1)
    world.crash()
    assert got(world) == [("a", True)]


@pytest.mark.semantics(65, 127)
def test_one_sync_confirms_all_that_was_published_before_it(world: Restarts) -> None:
    first, second = declared(world), world.channel()
    world.broker.sync()
    for channel in (first, second):
        channel.confirm_select()
        publish(channel, *"abc")
    before = syncs(world)
    world.broker.sync()
    assert syncs(world) == before + 1
    assert confirms(first) == confirms(second) == [(3, True)]


def syncs(world: Restarts) -> int:
    """How often the log waited for the disk."""
    return sum(each.startswith("sync") for each in world.files.history)
