"""Filling a broker from what is left. What the semantics promise: `semantics/test_m_*`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from faulty import FaultyFiles
from minibroker import Broker
from minibroker.access import TopicPermissions
from minibroker.errors import LogDamaged
from minibroker.profile import PROFILES
from minibroker.queues import Queue, QuorumQueue
from minibroker.queues.paged import Page

from ..described import accounted, described
from ..restarts import PERSISTENT, Restarts, persistent

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import ManualClock
    from minibroker.channel import Channel

KINDS = pytest.mark.parametrize("kind", ["classic", "quorum", "stream"])


def declared(world: Restarts, kind: str = "classic", **arguments: Any) -> Channel:
    channel = world.channel()
    given = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    channel.declare_queue("q", durable=True, arguments={"x-queue-type": kind, **given})
    return channel


def publish(channel: Channel, count: int, **properties: Any) -> None:
    for number in range(count):
        channel.publish("", "q", b"%d" % number, persistent(**properties))


def queue(world: Restarts) -> Queue:
    found = world.broker.vhosts["/"].queues["q"]
    assert isinstance(found, Queue)
    return found


def test_a_new_directory_is_a_new_broker(world: Restarts) -> None:
    fresh = Broker(clock=world.clock)
    assert described(world.broker) == described(fresh)
    fresh.close()


def test_everything_that_a_broker_has_is_there_again(
    world: Restarts, restart: Callable[[], Broker]
) -> None:
    broker = world.broker
    broker.add_vhost("v")
    broker.set_limits("v", queues=3)
    broker.set_limits(None, exchanges=99)
    broker.add_user("u", ["tag"], 5)
    broker.set_permissions("u", "v", topics=[TopicPermissions("amq.topic", "w", "r")])
    broker.set_policy("p", "^q", {"max-length": 500}, vhost="v", priority=3, apply_to="queues")
    broker.set_policy("o", "^q", {"max-length": 400}, vhost="v", operator=True)
    channel = world.channel("v", "u")
    channel.declare_exchange("x", "topic", durable=True, auto_delete=True, internal=True)
    delayed = {"x-delayed-type": "headers", "alternate-exchange": "amq.fanout"}
    channel.declare_exchange("d", "x-delayed-message", durable=True, arguments=delayed)
    channel.declare_queue("q", durable=True, arguments={"x-max-priority": 9})
    channel.bind_queue("q", "d", "k", {"x-match": "any", "a": 1})
    channel.bind_exchange("x", "d", "k", {"b": [1, 2]})
    channel.publish("d", "k", b"held", persistent(headers={"x-delay": 1000, "a": 1}))
    channel.publish("", "q", b"ready", persistent(priority=4))
    world.broker.sync()
    before = described(world.broker)
    restart()
    assert described(world.broker) == before
    world.clock.advance(1)
    assert world.broker.vhosts["v"].queues["q"].message_count == 2


def test_what_was_restored_is_reported_from_then_on_and_not_again(world: Restarts) -> None:
    publish(declared(world), 3)
    world.restart()
    assert not world.committer.journal.has_work
    end = world.committer.log.end
    world.broker.sync()
    assert world.committer.log.end == end
    publish(world.channel(), 1)
    assert world.committer.journal.has_work


def test_what_follows_from_the_restart_is_reported(world: Restarts) -> None:
    """That the consumers of a quorum queue were lost counts, and the counts are kept."""
    channel = declared(world, "quorum")
    publish(channel, 1)
    channel.get("q")
    world.broker.sync()
    world.crash()
    assert world.committer.journal.has_work
    world.broker.sync()
    world.crash()
    (entry,) = queue(world).ready
    assert entry.deliveries == 1


@KINDS
def test_segments_know_how_many_places_need_them(
    world: Restarts, restart: Callable[[], Broker], kind: str
) -> None:
    channel = declared(world, kind, **({"max_length_bytes": 5000} if kind == "stream" else {}))
    publish(channel, 2000)
    world.broker.sync()
    if kind != "stream":
        channel.consume("q", tag="t")
        for tag in range(1, 1000, 3):
            channel.ack(tag)
        for tag in range(2, 100, 3):
            channel.nack(tag)
    restart()
    world.broker.sync()
    accounted(world.broker)


@KINDS
def test_a_restart_changes_nothing_wherever_the_checkpoint_was(world: Restarts, kind: str) -> None:
    channel = declared(world, kind)
    for number in range(60):
        publish(channel, 30)
        if kind != "stream":
            for _ in range(25):
                channel.get("q", no_ack=True)
        if number % 7 == 0:
            world.checkpoint()
        if number % 10 == 9:
            world.tidy()
            before = described(world.broker)
            world.crash()
            assert described(world.broker) == before
            channel = world.channel()


def test_of_a_long_backlog_nothing_but_the_head_is_loaded(world: Restarts) -> None:
    publish(declared(world), 3000)
    for end in (world.crash, world.restart):
        world.broker.sync()
        end()
        pieces = [piece for _, _, piece in queue(world).ready.pieces()]
        assert sum(not isinstance(piece, Page) for piece in pieces) <= 128
        assert world.count("q") == 3000


@pytest.mark.parametrize("before", sorted(PROFILES))
@pytest.mark.parametrize("after", sorted(PROFILES))
def test_a_quorum_queue_outlives_a_change_of_the_profile(
    clock: ManualClock, before: str, after: str
) -> None:
    world = Restarts(clock, profile=before)
    channel = declared(world, "quorum")
    for number in range(800):
        priority = (None, 0, 4, 5, 9, 31)[number % 6]
        channel.publish("", "q", b"%d" % number, persistent(priority=priority))
        if number % 100 == 0:
            answer = channel.get("q")
            assert answer is not None
            channel.nack(answer.entry.tag)
    world.close()
    world.options["profile"] = after
    world.broker._check()
    accounted(world.broker)
    assert world.count("q") == 800
    found = sorted(map(int, world.drained("q")))
    assert found == list(range(800))
    world.close()


def test_entries_go_out_by_the_priorities_of_the_profile_that_is_in_force(
    clock: ManualClock,
) -> None:
    world = Restarts(clock, profile="rabbitmq-3.10")
    channel = declared(world, "quorum")
    for priority in (1, 9, 2, 8):
        channel.publish("", "q", b"%d" % priority, persistent(priority=priority))
    world.broker.sync()
    world.options["profile"] = "rabbitmq-4.3"
    world.crash()
    assert world.drained("q") == ["9", "8", "2", "1"]
    world.close()


def test_a_queue_that_a_newer_profile_would_refuse_stays(clock: ManualClock) -> None:
    world = Restarts(clock, profile="rabbitmq-3.10")
    channel = world.channel()
    channel.declare_queue("q", durable=True, arguments={"x-queue-mode": "lazy"})
    channel.publish("", "q", b"m", PERSISTENT)
    world.close()
    world.options["profile"] = "rabbitmq-4.3"
    assert world.drained("q") == ["m"]
    world.close()


def test_a_retry_that_was_due_meanwhile_goes_out_at_once(clock: ManualClock) -> None:
    world = Restarts(clock, profile="rabbitmq-4.3")
    channel = declared(world, "quorum", delayed_retry_type="all", delayed_retry_min=1000)
    publish(channel, 1)
    answer = channel.get("q")
    assert answer is not None
    channel.reject(answer.entry.tag)
    world.close()
    clock.advance("1h")
    found = queue(world)
    assert isinstance(found, QuorumQueue)
    assert len(found.delayed) == 1
    clock.advance(0)
    assert world.drained("q") == ["0"]
    world.close()


def test_a_log_that_cannot_be_read_makes_no_broker_and_stays_as_it_is(world: Restarts) -> None:
    channel = declared(world)
    publish(channel, 300)
    channel.get("q")
    world.broker.sync()
    world.close()
    whole = world.files.contents()
    for number in range(12):
        files = world.files.after_kill()
        files.fail(at=number, kinds={"read"}, code=errno.EIO)
        try:
            broker = Broker(data=files, clock=world.clock, segment_size=4096)
        except OSError as error:
            assert error.errno == errno.EIO
            assert files.contents() == whole
        else:
            broker.close()


def test_a_record_that_a_queue_needs_and_that_is_not_there_is_damage(world: Restarts) -> None:
    channel = declared(world)
    publish(channel, 3)
    channel.get("q")
    world.broker.sync()
    (segment,) = world.committer.log.segments
    world.checkpoint()
    contents = world.files.after_kill().contents()
    contents[segment.name] = contents[segment.name][:150]
    with pytest.raises(LogDamaged):
        Broker(data=FaultyFiles(contents), clock=world.clock)
