"""Dead-lettering: what causes it, and what does not (101, 102)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.message import Message

KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])


def letters(channel: Channel, queue: str = "dead") -> list[Message]:
    """All that is ready, in order, taken out."""
    messages = []
    while (answer := channel.get(queue, no_ack=True)) is not None:
        messages.append(answer.entry.message)
    return messages


def declare(channel: Channel, name: str = "q", kind: str = "classic", **given: FieldValue) -> None:
    arguments = {f"x-{key.replace('_', '-')}": value for key, value in given.items()}
    channel.declare_queue(name, durable=True, arguments={"x-queue-type": kind, **arguments})


def rejected(channel: Channel, queue: str = "q") -> None:
    """Take the head of a queue, and reject it."""
    answer = channel.get(queue)
    assert answer is not None
    channel.reject(answer.entry.tag, requeue=False)


@pytest.fixture
def dead(channel: Channel) -> str:
    """A fanout exchange `dlx`, with a queue `dead`."""
    channel.declare_exchange("dlx", "fanout")
    channel.declare_queue("dead", durable=True)
    channel.bind_queue("dead", "dlx")
    return "dlx"


# -- 101: causes


def _expire(channel: Channel, clock: ManualClock) -> None:
    clock.advance("1s")


def _overflow(channel: Channel, clock: ManualClock) -> None:
    channel.publish("", "q", b"next")


def _reject(channel: Channel, clock: ManualClock) -> None:
    rejected(channel)


def _nack(channel: Channel, clock: ManualClock) -> None:
    answer = channel.get("q")
    assert answer is not None
    channel.nack(answer.entry.tag, requeue=False)


def _return_too_often(channel: Channel, clock: ManualClock) -> None:
    for _ in range(2):
        answer = channel.get("q")
        assert answer is not None
        channel.nack(answer.entry.tag, requeue=True)


@pytest.mark.semantics(101)
@pytest.mark.parametrize(
    ("kind", "arguments", "happens", "reason"),
    [
        ("classic", {}, _reject, "rejected"),
        ("classic", {}, _nack, "rejected"),
        ("classic", {"message_ttl": 1000}, _expire, "expired"),
        ("classic", {"max_length": 1}, _overflow, "maxlen"),
        ("quorum", {}, _reject, "rejected"),
        ("quorum", {"message_ttl": 1000}, _expire, "expired"),
        ("quorum", {"max_length": 1}, _overflow, "maxlen"),
        ("quorum", {"delivery_limit": 1}, _return_too_often, "delivery_limit"),
    ],
)
def test_rejections_expiries_overflows_and_the_delivery_limit_dead_letter(
    clock: ManualClock,
    channel: Channel,
    dead: str,
    kind: str,
    arguments: dict[str, FieldValue],
    happens: Callable[[Channel, ManualClock], None],
    reason: str,
) -> None:
    declare(channel, "q", kind, dead_letter_exchange=dead, **arguments)
    channel.publish("", "q", b"m")
    happens(channel, clock)
    (letter,) = letters(channel)
    assert letter.body == b"m"
    deaths = letter.headers["x-death"]
    assert isinstance(deaths, list)
    assert isinstance(deaths[0], dict)
    assert (deaths[0]["reason"], deaths[0]["queue"]) == (reason, "q")


@KINDS
@pytest.mark.semantics(101)
def test_a_purge_a_delete_and_an_ack_do_not_dead_letter(
    channel: Channel, dead: str, kind: str
) -> None:
    declare(channel, "q", kind, dead_letter_exchange=dead)
    for body in (b"a", b"b", b"c"):
        channel.publish("", "q", body)
    answer = channel.get("q")
    assert answer is not None
    channel.ack(answer.entry.tag)
    assert channel.purge_queue("q") == 2
    channel.publish("", "q", b"d")
    channel.delete_queue("q")
    assert letters(channel) == []


@KINDS
@pytest.mark.semantics(101)
def test_a_queue_that_expires_does_not_dead_letter(
    clock: ManualClock, channel: Channel, dead: str, kind: str
) -> None:
    declare(channel, "q", kind, dead_letter_exchange=dead, expires=1000)
    channel.publish("", "q", b"m")
    clock.advance("1s")
    assert "q" not in channel.vhost.queues
    assert letters(channel) == []


@pytest.mark.semantics(101)
def test_a_queue_that_goes_with_its_last_consumer_or_its_connection_does_not_dead_letter(
    broker: Broker, channel: Channel, dead: str
) -> None:
    arguments: dict[str, FieldValue] = {"x-dead-letter-exchange": dead}
    owner = broker.connect()
    other = owner.channel()
    other.declare_queue("own", exclusive=True, arguments=arguments)
    channel.declare_queue("auto", auto_delete=True, arguments=arguments)
    channel.qos(1)
    channel.consume("auto", tag="c")
    for body in (b"a", b"b"):
        channel.publish("", "auto", body)
        channel.publish("", "own", body)
    channel.cancel("c")
    owner.close()
    assert letters(channel) == []


@pytest.mark.semantics(101)
def test_rejecting_a_delivery_of_a_deleted_queue_dead_letters_nothing(
    channel: Channel, dead: str
) -> None:
    declare(channel, dead_letter_exchange=dead)
    channel.publish("", "q", b"m")
    answer = channel.get("q")
    assert answer is not None
    channel.delete_queue("q")
    channel.reject(answer.entry.tag, requeue=False)
    assert letters(channel) == []


# -- 102: no such exchange


@KINDS
@pytest.mark.semantics(102)
def test_without_a_dead_letter_exchange_a_rejected_message_is_dropped(
    channel: Channel, dead: str, kind: str
) -> None:
    declare(channel, "q", kind)
    channel.publish("", "q", b"m")
    rejected(channel)
    assert channel.get("q") is None
    assert letters(channel) == []


@KINDS
@pytest.mark.semantics(102)
def test_while_the_dead_letter_exchange_is_missing_messages_are_dropped_and_it_may_come_later(
    channel: Channel, kind: str
) -> None:
    declare(channel, "q", kind, dead_letter_exchange="late")
    channel.publish("", "q", b"too early")
    rejected(channel)
    channel.declare_exchange("late", "fanout")
    channel.declare_queue("dead")
    channel.bind_queue("dead", "late")
    channel.publish("", "q", b"in time")
    rejected(channel)
    assert [letter.body for letter in letters(channel)] == [b"in time"]
    channel.delete_exchange("late")
    channel.publish("", "q", b"too late")
    rejected(channel)
    assert letters(channel) == []
