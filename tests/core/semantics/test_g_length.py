"""Length limits: what counts, and who has to go (96 to 100)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.events import Confirmed
from minibroker.properties import Properties
from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection

KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])
LIMITS = pytest.mark.parametrize("limit", [{"x-max-length": 2}, {"x-max-length-bytes": 2}])


def ready(channel: Channel, queue: str = "q") -> int:
    return channel.declare_queue(queue, passive=True).message_count


def drained(channel: Channel, queue: str) -> list[bytes]:
    """The bodies of all that is ready, in order, taken out."""
    bodies = []
    while (answer := channel.get(queue, no_ack=True)) is not None:
        bodies.append(answer.entry.message.body)
    return bodies


def publish(channel: Channel, *bodies: bytes, priority: int | None = None) -> None:
    for body in bodies:
        channel.publish("", "q", body, Properties(priority=priority))


def delivered(connection: LocalConnection) -> list[bytes]:
    return [item.message.body for item in connection.outbox if isinstance(item, Entry)]


def confirms(connection: LocalConnection) -> list[bool]:
    """Acks and nacks to the publisher, in order, taken out of the outbox."""
    items = list(connection.outbox)
    connection.outbox.clear()
    return [item.ok for item in items if isinstance(item, Confirmed)]


@pytest.fixture
def declare(channel: Channel) -> Callable[..., None]:
    """`declare(kind, {arguments})`: the queue `q`, whose dead letters go to `dead`."""

    def make(kind: str = "classic", arguments: dict[str, FieldValue] | None = None) -> None:
        channel.declare_queue("dead", durable=True)
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        channel.declare_queue(
            "q", durable=True, arguments={"x-queue-type": kind, **dead, **(arguments or {})}
        )

    return make


# -- 96: what counts


@KINDS
@LIMITS
@pytest.mark.semantics(96)
def test_only_ready_messages_count(
    channel: Channel, declare: Callable[..., None], kind: str, limit: dict[str, FieldValue]
) -> None:
    declare(kind, limit)
    publish(channel, b"a", b"b")
    channel.get("q")
    publish(channel, b"c")
    assert (ready(channel), ready(channel, "dead")) == (2, 0)
    publish(channel, b"d")
    assert (drained(channel, "q"), drained(channel, "dead")) == ([b"c", b"d"], [b"b"])


@KINDS
@pytest.mark.semantics(96)
def test_bytes_are_those_of_bodies_alone(
    channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind, {"x-max-length-bytes": 10})
    heavy = Properties(headers={"h": "x" * 1000}, correlation_id="y" * 200)
    channel.publish("", "q", b"12345", heavy)
    channel.publish("", "q", b"67890", heavy)
    channel.publish("", "q", b"", heavy)
    assert ready(channel) == 3
    publish(channel, b"!")
    assert drained(channel, "dead") == [b"12345"]
    assert drained(channel, "q") == [b"67890", b"", b"!"]


@KINDS
@pytest.mark.semantics(96)
def test_a_body_larger_than_the_limit_drives_out_everything_and_then_itself(
    channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind, {"x-max-length-bytes": 3})
    publish(channel, b"a", b"b", b"long one")
    assert (drained(channel, "q"), drained(channel, "dead")) == ([], [b"a", b"b", b"long one"])


@KINDS
@LIMITS
@pytest.mark.semantics(96)
def test_room_comes_back_with_a_purge_an_expiry_or_a_delivery(
    clock: ManualClock,
    channel: Channel,
    declare: Callable[..., None],
    kind: str,
    limit: dict[str, FieldValue],
) -> None:
    declare(kind, {**limit, "x-message-ttl": 1000})
    publish(channel, b"a", b"b")
    channel.purge_queue("q")
    publish(channel, b"c", b"d")
    assert ready(channel, "dead") == 0
    clock.advance("1s")
    assert drained(channel, "dead") == [b"c", b"d"]
    publish(channel, b"e", b"f")
    assert drained(channel, "q") == [b"e", b"f"]
    publish(channel, b"g", b"h")
    assert (drained(channel, "q"), ready(channel, "dead")) == ([b"g", b"h"], 0)


# -- 97: drop-head


@KINDS
@LIMITS
@pytest.mark.semantics(97)
@pytest.mark.parametrize("overflow", [{}, {"x-overflow": "drop-head"}])
def test_drop_head_is_the_default_and_dead_letters_in_order_with_reason_maxlen(
    channel: Channel,
    declare: Callable[..., None],
    kind: str,
    limit: dict[str, FieldValue],
    overflow: dict[str, FieldValue],
) -> None:
    declare(kind, {**limit, **overflow})
    publish(channel, b"a", b"b", b"c", b"d")
    assert drained(channel, "q") == [b"c", b"d"]
    letter = channel.get("dead")
    assert letter is not None
    assert letter.entry.message.body == b"a"
    assert letter.entry.message.headers["x-first-death-reason"] == "maxlen"
    assert drained(channel, "dead") == [b"b"]


@KINDS
@pytest.mark.semantics(97)
def test_max_length_0_dead_letters_each_message_unless_a_consumer_takes_it_at_once(
    connection: LocalConnection, channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind, {"x-max-length": 0})
    publish(channel, b"nobody there")
    assert drained(channel, "dead") == [b"nobody there"]
    channel.qos(1)
    channel.consume("q")
    publish(channel, b"taken", b"no credit left")
    assert delivered(connection) == [b"taken"]
    assert drained(channel, "dead") == [b"no credit left"]


@KINDS
@pytest.mark.semantics(97, 111)
def test_a_policy_that_sets_a_limit_applies_at_once_to_what_is_queued(
    broker: Broker, channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind)
    publish(channel, b"a", b"b", b"c")
    broker.set_policy("short", "^q$", {"max-length": 2})
    assert drained(channel, "dead") == [b"a"]
    broker.set_policy("short", "^q$", {"max-length-bytes": 1})
    assert drained(channel, "dead") == [b"b"]
    broker.delete_policy("short")
    publish(channel, b"d")
    assert drained(channel, "q") == [b"c", b"d"]


# -- 98: priorities


@pytest.mark.semantics(98)
def test_overflow_of_a_priority_queue_drops_the_most_important_message(
    channel: Channel, declare: Callable[..., None]
) -> None:
    declare("classic", {"x-max-length": 2, "x-max-priority": 9})
    publish(channel, b"low", priority=1)
    publish(channel, b"high", priority=9)
    publish(channel, b"middle", priority=5)
    assert drained(channel, "dead") == [b"high"]
    assert drained(channel, "q") == [b"middle", b"low"]


@pytest.mark.semantics(98)
def test_a_new_message_of_the_highest_priority_does_not_get_into_a_full_priority_queue(
    channel: Channel, declare: Callable[..., None]
) -> None:
    declare("classic", {"x-max-length": 1, "x-max-priority": 9})
    publish(channel, b"low", priority=1)
    publish(channel, b"high", priority=9)
    assert (drained(channel, "dead"), drained(channel, "q")) == ([b"high"], [b"low"])


# -- 99: requeue


@KINDS
@LIMITS
@pytest.mark.semantics(99)
def test_a_requeue_into_a_full_queue_drops_the_message_that_came_back(
    channel: Channel, declare: Callable[..., None], kind: str, limit: dict[str, FieldValue]
) -> None:
    declare(kind, limit)
    publish(channel, b"a", b"b")
    answer = channel.get("q")
    assert answer is not None
    publish(channel, b"c")
    channel.nack(answer.entry.tag, requeue=True)
    assert (drained(channel, "dead"), drained(channel, "q")) == ([b"a"], [b"b", b"c"])


@LIMITS
@pytest.mark.semantics(99)
def test_it_is_dropped_before_a_consumer_with_credit_could_take_it_again(
    connection: LocalConnection,
    channel: Channel,
    declare: Callable[..., None],
    limit: dict[str, FieldValue],
) -> None:
    # Observed on RabbitMQ 3.10.8: the limit comes first, then the consumers.
    declare("classic", limit)
    channel.qos(2)
    channel.consume("q")
    publish(channel, b"a", b"b", b"c", b"d")
    channel.nack(1, requeue=True)
    assert delivered(connection) == [b"a", b"b", b"c"]
    assert (drained(channel, "dead"), drained(channel, "q")) == ([b"a"], [b"d"])


@pytest.mark.semantics(97, 99)
@pytest.mark.parametrize(("kind", "again"), [("classic", []), ("quorum", [b"a"])])
def test_with_max_length_0_what_comes_back_is_dropped_though_a_consumer_waits(
    connection: LocalConnection,
    channel: Channel,
    declare: Callable[..., None],
    kind: str,
    again: list[bytes],
) -> None:
    # A quorum queue serves its consumers first, and applies its limits then.
    declare(kind, {"x-max-length": 0})
    channel.consume("q")
    publish(channel, b"a")
    channel.nack(1, requeue=True)
    assert delivered(connection) == [b"a", *again]
    assert drained(channel, "dead") == ([] if again else [b"a"])


# -- 100: reject-publish


@LIMITS
@pytest.mark.semantics(100)
@pytest.mark.parametrize(
    ("kind", "overflow"),
    [
        ("classic", "reject-publish"),
        ("classic", "reject-publish-dlx"),
        ("quorum", "reject-publish"),
    ],
)
def test_reject_publish_refuses_the_new_message_with_a_nack_and_only_the_dlx_mode_keeps_it(
    connection: LocalConnection,
    channel: Channel,
    declare: Callable[..., None],
    kind: str,
    overflow: str,
    limit: dict[str, FieldValue],
) -> None:
    declare(kind, {**limit, "x-overflow": overflow})
    channel.confirm_select()
    publish(channel, b"a", b"b", b"c")
    assert confirms(connection) == [True, True, False]
    letter = channel.get("dead", no_ack=True)
    if overflow == "reject-publish-dlx":
        assert letter is not None
        assert letter.entry.message.body == b"c"
        assert letter.entry.message.headers["x-first-death-reason"] == "maxlen"
    else:
        assert letter is None
    assert drained(channel, "q") == [b"a", b"b"]
    publish(channel, b"d")
    assert confirms(connection) == [True]


@pytest.mark.semantics(100)
def test_reject_publish_drops_silently_without_confirm_mode(
    connection: LocalConnection, channel: Channel, declare: Callable[..., None]
) -> None:
    declare("classic", {"x-max-length": 1, "x-overflow": "reject-publish"})
    publish(channel, b"a", b"b")
    assert not connection.outbox
    assert (drained(channel, "q"), ready(channel, "dead")) == ([b"a"], 0)


@pytest.mark.semantics(100)
def test_reject_publish_dlx_without_a_dead_letter_exchange_only_refuses(
    connection: LocalConnection, channel: Channel
) -> None:
    channel.declare_queue("q", arguments={"x-max-length": 0, "x-overflow": "reject-publish-dlx"})
    channel.confirm_select()
    publish(channel, b"a")
    assert confirms(connection) == [False]


@pytest.mark.semantics(100)
def test_a_full_queue_refuses_even_when_a_consumer_could_take_the_message(
    connection: LocalConnection, channel: Channel, declare: Callable[..., None]
) -> None:
    declare("classic", {"x-max-length": 0, "x-overflow": "reject-publish"})
    channel.consume("q")
    channel.confirm_select()
    publish(channel, b"a")
    assert delivered(connection) == []
    assert confirms(connection) == [False]


@pytest.mark.semantics(100)
def test_a_requeue_is_no_publish_and_goes_over_a_limit_that_rejects_publishes(
    channel: Channel, declare: Callable[..., None]
) -> None:
    declare("classic", {"x-max-length": 1, "x-overflow": "reject-publish"})
    publish(channel, b"a")
    answer = channel.get("q")
    assert answer is not None
    publish(channel, b"b")
    channel.nack(answer.entry.tag)
    assert drained(channel, "q") == [b"a", b"b"]


@pytest.mark.semantics(100)
def test_a_quorum_queue_takes_reject_publish_dlx_and_drops_from_the_head(
    connection: LocalConnection, channel: Channel, declare: Callable[..., None]
) -> None:
    declare("quorum", {"x-max-length": 1, "x-overflow": "reject-publish-dlx"})
    channel.confirm_select()
    publish(channel, b"a", b"b")
    assert confirms(connection) == [True, True]
    assert (drained(channel, "q"), drained(channel, "dead")) == ([b"b"], [b"a"])


@KINDS
@pytest.mark.semantics(100)
@pytest.mark.parametrize(
    ("bodies", "kept"), [([b"a", b"b", b"c"], [b"b", b"c"]), ([b"aaaa", b"bb"], [b"bb"])]
)
def test_of_two_limits_the_one_that_is_reached_first_counts(
    channel: Channel,
    declare: Callable[..., None],
    kind: str,
    bodies: list[bytes],
    kept: list[bytes],
) -> None:
    declare(kind, {"x-max-length": 2, "x-max-length-bytes": 5})
    publish(channel, *bodies)
    assert drained(channel, "q") == kept
