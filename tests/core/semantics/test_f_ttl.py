"""Time to live of messages, as consumers and other queues see it (88 to 92, and 94)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from minibroker.properties import Properties
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])


def ready(channel: Channel, queue: str = "q") -> int:
    return channel.declare_queue(queue, passive=True).message_count


def drained(channel: Channel, queue: str) -> list[bytes]:
    """The bodies of all that is ready, in order, taken out."""
    bodies = []
    while (answer := channel.get(queue, no_ack=True)) is not None:
        bodies.append(answer.entry.message.body)
    return bodies


def publish(channel: Channel, body: bytes, expiration: str | None = None, **more: int) -> None:
    properties = Properties(expiration=expiration).replace(**more)
    channel.publish("", "q", body, properties)


@pytest.fixture
def declare(channel: Channel) -> Callable[..., None]:
    """`declare(x_message_ttl=..., ...)`: the queue `q`, whose dead letters go to `dead`."""

    def make(kind: str = "classic", **arguments: int) -> None:
        channel.declare_queue("dead", durable=True)
        given = {name.replace("_", "-"): value for name, value in arguments.items()}
        channel.declare_queue("q", durable=True, arguments={"x-queue-type": kind, **DEAD, **given})

    return make


# -- 88: the shorter one


@KINDS
@pytest.mark.semantics(88)
@pytest.mark.parametrize(
    ("queue_ttl", "expiration", "effective"),
    [(1000, "300", 300), (300, "1000", 300), (1000, None, 1000), (None, "1000", 1000)],
)
def test_a_message_expires_after_the_shorter_of_queue_ttl_and_its_own_expiration(
    clock: ManualClock,
    channel: Channel,
    declare: Callable[..., None],
    kind: str,
    queue_ttl: int | None,
    expiration: str | None,
    effective: int,
) -> None:
    declare(kind, **({} if queue_ttl is None else {"x_message_ttl": queue_ttl}))
    publish(channel, b"m", expiration)
    clock.advance((effective - 1) / 1000)
    assert (ready(channel), ready(channel, "dead")) == (1, 0)
    clock.advance("1ms")
    assert (ready(channel), ready(channel, "dead")) == (0, 1)


# -- 89: only at the head


@pytest.mark.semantics(89)
def test_an_expired_message_behind_a_live_one_stays_counted_until_it_is_the_head(
    clock: ManualClock, channel: Channel, declare: Callable[..., None]
) -> None:
    declare()
    publish(channel, b"live")
    publish(channel, b"brief", "100")
    publish(channel, b"also brief", "50")
    clock.advance("1s")
    assert (ready(channel), ready(channel, "dead")) == (3, 0)
    live = channel.get("q")
    assert live is not None
    assert live.entry.message.body == b"live"
    clock.advance(0)
    assert (ready(channel), drained(channel, "dead")) == (0, [b"brief", b"also brief"])


@pytest.mark.semantics(89)
def test_an_expired_low_priority_message_behind_a_live_higher_one_stays(
    clock: ManualClock, channel: Channel, declare: Callable[..., None]
) -> None:
    declare(x_max_priority=5)
    publish(channel, b"low", "100", priority=1)
    publish(channel, b"high", priority=5)
    clock.advance("1s")
    assert (ready(channel), ready(channel, "dead")) == (2, 0)
    channel.get("q")
    clock.advance(0)
    assert (ready(channel), drained(channel, "dead")) == (0, [b"low"])


@pytest.mark.semantics(89)
def test_the_head_expires_on_time_and_with_it_all_that_are_due_behind_it(
    clock: ManualClock, channel: Channel, declare: Callable[..., None]
) -> None:
    declare()
    for body, expiration in ((b"a", "200"), (b"b", "100"), (b"c", "300")):
        publish(channel, body, expiration)
    clock.advance("199ms")
    assert ready(channel) == 3
    clock.advance("1ms")
    assert (ready(channel), drained(channel, "dead")) == (1, [b"a", b"b"])
    clock.advance("100ms")
    assert (ready(channel), drained(channel, "dead")) == (0, [b"c"])


@KINDS
@pytest.mark.semantics(89)
def test_an_expired_message_is_never_delivered(
    clock: ManualClock,
    connection: LocalConnection,
    channel: Channel,
    declare: Callable[..., None],
    kind: str,
) -> None:
    declare(kind)
    for body, expiration in ((b"a", None), (b"b", "100"), (b"c", None)):
        publish(channel, body, expiration)
    clock.advance("1s")
    channel.consume("q")
    items = list(connection.outbox)
    bodies = [item.message.body for item in items if isinstance(item, Entry)]
    assert bodies == [b"a", b"c"]
    assert drained(channel, "dead") == [b"b"]


@pytest.mark.semantics(89)
def test_a_get_never_returns_an_expired_message(
    clock: ManualClock, channel: Channel, declare: Callable[..., None]
) -> None:
    declare()
    for body, expiration in ((b"a", None), (b"b", "100"), (b"c", None)):
        publish(channel, body, expiration)
    clock.advance("1s")
    assert drained(channel, "q") == [b"a", b"c"]
    assert drained(channel, "dead") == [b"b"]


@pytest.mark.semantics(89)
def test_what_nobody_dead_letters_is_just_gone(clock: ManualClock, channel: Channel) -> None:
    channel.declare_queue("q", arguments={"x-message-ttl": 100})
    channel.publish("", "q", b"m")
    clock.advance("100ms")
    assert channel.get("q") is None
    assert channel.purge_queue("q") == 0


# -- 90: TTL 0


@KINDS
@pytest.mark.semantics(90)
@pytest.mark.parametrize("by_queue", [True, False])
def test_ttl_0_is_delivered_when_a_consumer_can_take_it_at_once_and_expires_otherwise(
    connection: LocalConnection,
    channel: Channel,
    declare: Callable[..., None],
    kind: str,
    by_queue: bool,
) -> None:
    declare(kind, **({"x_message_ttl": 0} if by_queue else {}))
    expiration = None if by_queue else "0"
    publish(channel, b"nobody there", expiration)
    assert drained(channel, "dead") == [b"nobody there"]
    channel.qos(1)
    channel.consume("q")
    publish(channel, b"taken", expiration)
    publish(channel, b"no credit left", expiration)
    bodies = [item.message.body for item in connection.outbox if isinstance(item, Entry)]
    assert bodies == [b"taken"]
    assert drained(channel, "dead") == [b"no credit left"]


@pytest.mark.semantics(90)
def test_ttl_0_without_a_dead_letter_exchange_is_gone_at_once(channel: Channel) -> None:
    channel.declare_queue("q", arguments={"x-message-ttl": 0})
    channel.publish("", "q", b"m")
    assert ready(channel) == 0


# -- 91: unacked


@KINDS
@pytest.mark.semantics(91)
def test_ttl_does_not_run_out_while_unacked_and_a_requeue_goes_straight_to_the_dead_letters(
    clock: ManualClock, channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind)
    publish(channel, b"m", "100")
    answer = channel.get("q")
    assert answer is not None
    clock.advance("10s")
    assert ready(channel, "dead") == 0
    channel.nack(answer.entry.tag, requeue=True)
    assert (ready(channel), ready(channel, "dead")) == (0, 1)
    letter = channel.get("dead")
    assert letter is not None
    assert letter.entry.message.headers["x-first-death-reason"] == "expired"


@KINDS
@pytest.mark.semantics(91)
def test_an_overdue_message_that_comes_back_is_not_delivered_again(
    clock: ManualClock,
    connection: LocalConnection,
    channel: Channel,
    declare: Callable[..., None],
    kind: str,
) -> None:
    declare(kind)
    channel.consume("q", tag="c")
    publish(channel, b"m", "100")
    clock.advance("1s")
    first = connection.drain(0)
    assert isinstance(first, Entry)
    channel.reject(first.tag, requeue=True)
    assert not connection.outbox
    assert drained(channel, "dead") == [b"m"]


@pytest.mark.semantics(91)
def test_a_message_that_comes_back_in_time_keeps_its_deadline(
    clock: ManualClock, channel: Channel, declare: Callable[..., None]
) -> None:
    declare(x_message_ttl=1000)
    publish(channel, b"m")
    clock.advance("600ms")
    answer = channel.get("q")
    assert answer is not None
    channel.nack(answer.entry.tag)
    clock.advance("399ms")
    assert ready(channel) == 1
    clock.advance("1ms")
    assert (ready(channel), ready(channel, "dead")) == (0, 1)


# -- 92: the property stays


@KINDS
@pytest.mark.semantics(92)
def test_the_property_expiration_is_delivered_as_published(
    clock: ManualClock, channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind, x_message_ttl=500)
    publish(channel, b"m", "60000")
    clock.advance("100ms")
    answer = channel.get("q")
    assert answer is not None
    assert answer.entry.message.properties.expiration == "60000"
    channel.nack(answer.entry.tag)
    again = channel.get("q")
    assert again is not None
    assert again.entry.message.properties.expiration == "60000"


# -- 94: a policy's TTL


@KINDS
@pytest.mark.semantics(94)
def test_a_policy_ttl_counts_for_what_is_published_from_then_on(
    clock: ManualClock, broker: Broker, channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    # Observed on RabbitMQ 3.10.8: what lies in the queue already has no deadline, and gets none.
    declare(kind)
    publish(channel, b"before")
    broker.set_policy("ttl", "^q$", {"message-ttl": 1000})
    publish(channel, b"after")
    clock.advance("10s")
    assert ready(channel) == 2
    assert drained(channel, "q") == [b"before"]
    assert drained(channel, "dead") == [b"after"]


@KINDS
@pytest.mark.semantics(94)
def test_what_was_published_under_a_policy_ttl_keeps_its_deadline_when_the_policy_goes(
    clock: ManualClock, broker: Broker, channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind)
    broker.set_policy("ttl", "^q$", {"message-ttl": 1000})
    publish(channel, b"m")
    broker.delete_policy("ttl")
    publish(channel, b"later")
    clock.advance("1s")
    assert drained(channel, "dead") == [b"m"]
    assert drained(channel, "q") == [b"later"]


@pytest.mark.semantics(94)
def test_a_requeue_does_not_give_a_message_the_ttl_of_a_newer_policy(
    clock: ManualClock, broker: Broker, channel: Channel, declare: Callable[..., None]
) -> None:
    declare()
    publish(channel, b"m")
    answer = channel.get("q")
    assert answer is not None
    broker.set_policy("ttl", "^q$", {"message-ttl": 1000})
    channel.nack(answer.entry.tag)
    clock.advance("10s")
    assert drained(channel, "q") == [b"m"]


# -- 95: not by the message's own time stamp


@pytest.mark.semantics(95)
def test_a_ttl_counts_from_the_publish_to_the_millisecond_whatever_the_timestamp_says(
    clock: ManualClock, channel: Channel, declare: Callable[..., None]
) -> None:
    # LavinMQ counts from the property, in steps of 100 ms.
    declare(x_message_ttl=1234)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    channel.publish("", "q", b"m", Properties(timestamp=long_ago))
    clock.advance("1233ms")
    assert ready(channel) == 1
    clock.advance("1ms")
    assert drained(channel, "dead") == [b"m"]
