"""Times to live and dead letters through a restart (92, 109, 125)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from faulty import PowerCut
from minibroker import Broker, ManualClock
from minibroker.properties import Properties

from ..restarts import Restarts, persistent

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.channel import Channel
    from minibroker.message import Message

    End = Callable[[], Broker]

DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])


def declared(world: Restarts, kind: str = "classic", **arguments: Any) -> Channel:
    """A channel, and the durable queues `q` and `dead`."""
    channel = world.channel()
    given = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    arguments = {"x-queue-type": kind, **DEAD, **given}
    channel.declare_queue("q", durable=True, arguments=arguments)
    channel.declare_queue("dead", durable=True, arguments={"x-queue-type": kind})
    return channel


def publish(channel: Channel, body: str, **properties: Any) -> None:
    channel.publish("", "q", body.encode(), persistent(**properties))


def taken(channel: Channel, queue: str) -> Message:
    answer = channel.get(queue, no_ack=True)
    assert answer is not None
    return answer.entry.message


def deaths(message: Message) -> Any:
    """The rows of the header `x-death`."""
    return message.headers["x-death"]


# -- 92: expiry


@KINDS
@pytest.mark.parametrize(("ttl", "expiration"), [(1000, None), (None, "1000"), (5000, "1000")])
@pytest.mark.semantics(92)
def test_the_time_to_live_goes_on_through_a_restart_and_is_not_begun_anew(
    world: Restarts,
    clock: ManualClock,
    restart: End,
    kind: str,
    ttl: int | None,
    expiration: str | None,
) -> None:
    channel = declared(world, kind, **({} if ttl is None else {"message_ttl": ttl}))
    publish(channel, "m", expiration=expiration)
    clock.advance("600ms")
    restart()
    clock.advance("399ms")
    assert world.count("q") == 1
    clock.advance("1ms")
    assert (world.count("q"), world.count("dead")) == (0, 1)
    restart()
    row = deaths(taken(world.channel(), "dead"))[0]
    assert (row["reason"], row.get("original-expiration")) == ("expired", expiration)


@KINDS
@pytest.mark.semantics(92)
def test_the_property_expiration_is_delivered_unchanged_after_a_restart(
    world: Restarts, clock: ManualClock, restart: End, kind: str
) -> None:
    publish(declared(world, kind, message_ttl=50000), "m", expiration="10000")
    clock.advance("5s")
    restart()
    assert taken(world.channel(), "q").properties.expiration == "10000"


@KINDS
@pytest.mark.semantics(92)
def test_what_expired_while_the_broker_was_down_is_dead_lettered_when_it_is_opened(
    world: Restarts, clock: ManualClock, kind: str
) -> None:
    channel = declared(world, kind)
    publish(channel, "a", expiration="1000")
    publish(channel, "b", expiration="2000")
    publish(channel, "c")
    world.close()
    clock.advance("1h")
    assert world.count("q") == 3
    clock.advance(0)
    assert (world.drained("q"), world.drained("dead")) == (["c"], ["a", "b"])


@KINDS
@pytest.mark.semantics(91, 92)
def test_an_unacked_message_that_was_to_expire_expires_after_the_restart(
    world: Restarts, clock: ManualClock, restart: End, kind: str
) -> None:
    channel = declared(world, kind, message_ttl=1000)
    publish(channel, "m")
    assert channel.get("q") is not None
    world.checkpoint()  # says that nothing which is ready expires
    restart()
    clock.advance("999ms")
    assert (world.count("q"), world.count("dead")) == (1, 0)
    clock.advance("1ms")
    assert (world.count("q"), world.count("dead")) == (0, 1)


@pytest.mark.semantics(89, 92)
def test_also_after_a_restart_a_message_behind_a_live_one_expires_at_the_head_only(
    world: Restarts, clock: ManualClock, restart: End
) -> None:
    channel = declared(world)
    publish(channel, "alive")
    publish(channel, "dead", expiration="100")
    restart()
    clock.advance("1s")
    assert (world.count("q"), world.count("dead")) == (2, 0)
    assert taken(world.channel(), "q").body == b"alive"
    clock.advance(0)
    assert (world.count("q"), world.drained("dead")) == (0, ["dead"])


# -- 109: nothing is lost between a queue and its dead letters


@KINDS
@pytest.mark.semantics(109)
def test_a_crash_finds_a_message_in_its_queue_or_in_the_dead_letters_and_never_in_none(
    clock: ManualClock, kind: str
) -> None:
    outcomes = set()
    for seed in range(40):
        world = Restarts(clock)
        channel = declared(world, kind)
        publish(channel, "m")
        world.broker.sync()
        channel.consume("q")
        channel.reject(1, requeue=False)
        world.files.stop_at(world.files.count + seed % 4)
        with suppress(PowerCut):
            world.broker.sync()
        world = after_power_cut(world, seed)
        outcomes.add((world.count("q"), world.count("dead")))
        world.close()
    assert outcomes == {(1, 0), (0, 1)}


def after_power_cut(world: Restarts, seed: int) -> Restarts:
    """The world on what is left; nobody closes the broker of before."""
    world.clock.detach(world.broker)
    return Restarts(world.clock, world.files.after_power_cut(seed))


@KINDS
@pytest.mark.semantics(102, 125)
def test_dead_letters_without_an_exchange_stay_dropped(
    world: Restarts, restart: End, kind: str
) -> None:
    channel = declared(world, kind, dead_letter_exchange="nowhere")
    publish(channel, "m")
    channel.consume("q")
    channel.reject(1, requeue=False)
    restart()
    assert (world.count("q"), world.count("dead")) == (0, 0)


# -- the history


@KINDS
@pytest.mark.semantics(105, 125)
def test_x_death_goes_on_counting_after_a_restart(
    world: Restarts, clock: ManualClock, restart: End, kind: str
) -> None:
    channel = declared(world, kind)
    back: dict[str, Any] = {**DEAD, "x-dead-letter-routing-key": "q", "x-message-ttl": 1000}
    channel.declare_queue("wait", durable=True, arguments=back)
    channel.delete_queue("q")
    there: dict[str, Any] = {"x-queue-type": kind, **DEAD, "x-dead-letter-routing-key": "wait"}
    channel.declare_queue("q", durable=True, arguments=there)
    publish(channel, "m", headers={"own": 1})
    for _ in range(3):
        channel = world.channel()
        answer = channel.get("q")
        assert answer is not None
        channel.reject(answer.entry.tag, requeue=False)
        restart()
        clock.advance("1s")
        restart()
    message = taken(world.channel(), "q")
    found = [(row["queue"], row["reason"], row["count"]) for row in deaths(message)]
    assert found == [("wait", "expired", 3), ("q", "rejected", 3)]
    assert message.headers["own"] == 1
    assert message.headers["x-first-death-queue"] == "q"
    assert message.headers["x-last-death-queue"] == "wait"


@KINDS
@pytest.mark.semantics(51, 103, 125)
def test_further_routing_keys_are_kept_for_the_dead_letters(
    world: Restarts, restart: End, kind: str
) -> None:
    channel = declared(world, kind)
    arguments: dict[str, Any] = {"x-queue-type": kind, "x-dead-letter-exchange": "amq.direct"}
    channel.declare_queue("first", durable=True, arguments=arguments)
    for key in ("first", "cc", "bcc"):
        channel.declare_queue(f"after {key}", durable=True)
        channel.bind_queue(f"after {key}", "amq.direct", key)
    headers = {"CC": ["cc"], "BCC": ["bcc"]}
    properties = Properties(delivery_mode=2, headers=headers)
    channel.publish("", "first", b"m", properties)
    restart()
    channel = world.channel()
    channel.consume("first")
    channel.reject(1, requeue=False)
    restart()
    channel = world.channel()
    found = [channel.get(f"after {key}") for key in ("first", "cc", "bcc")]
    letters = [answer.entry.message for answer in found if answer is not None]
    assert [each.headers.get("CC") for each in letters] == [["cc"]] * 3
    assert all("BCC" not in each.headers for each in letters)
