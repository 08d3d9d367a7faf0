"""What counts where a policy and an argument say different things (111)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue

pytestmark = pytest.mark.semantics(111)
KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])
LOWER = pytest.mark.parametrize(("argument", "policy"), [(1, 2), (2, 1), (None, 1), (1, None)])


def declare(channel: Channel, kind: str = "classic", **given: FieldValue) -> None:
    arguments = {
        f"x-{key.replace('_', '-')}": value for key, value in given.items() if value is not None
    }
    channel.declare_queue("q", durable=True, arguments={"x-queue-type": kind, **arguments})


def set_policy(broker: Broker, key: str, value: FieldValue) -> None:
    if value is not None:
        broker.set_policy("p", "^q$", {key: value})


def ready(channel: Channel, queue: str = "q") -> int:
    return channel.declare_queue(queue, passive=True).message_count


def rejected(channel: Channel) -> None:
    answer = channel.get("q")
    assert answer is not None
    channel.reject(answer.entry.tag, requeue=False)


@LOWER
@KINDS
@pytest.mark.parametrize("policy_first", [True, False])
def test_of_message_ttl_the_lower_counts(
    clock: ManualClock,
    broker: Broker,
    channel: Channel,
    kind: str,
    argument: int | None,
    policy: int | None,
    policy_first: bool,
) -> None:
    ttl = None if policy is None else policy * 1000
    if policy_first:
        set_policy(broker, "message-ttl", ttl)
    declare(channel, kind, message_ttl=None if argument is None else argument * 1000)
    if not policy_first:
        set_policy(broker, "message-ttl", ttl)
    channel.publish("", "q", b"m")
    clock.advance("999ms")
    assert ready(channel) == 1
    clock.advance("1ms")
    assert ready(channel) == 0


@LOWER
@KINDS
def test_of_expires_the_lower_counts(
    clock: ManualClock,
    broker: Broker,
    channel: Channel,
    kind: str,
    argument: int | None,
    policy: int | None,
) -> None:
    declare(channel, kind, expires=None if argument is None else argument * 1000)
    set_policy(broker, "expires", None if policy is None else policy * 1000)
    clock.advance("999ms")
    assert "q" in channel.vhost.queues
    clock.advance("1ms")
    assert "q" not in channel.vhost.queues


@LOWER
@KINDS
@pytest.mark.parametrize("limit", ["max-length", "max-length-bytes"])
def test_of_length_limits_the_lower_counts(
    broker: Broker,
    channel: Channel,
    kind: str,
    limit: str,
    argument: int | None,
    policy: int | None,
) -> None:
    declare(channel, kind, **{limit.replace("-", "_"): argument})
    set_policy(broker, limit, policy)
    for body in (b"a", b"b", b"c"):
        channel.publish("", "q", body)
    assert ready(channel) == 1


@LOWER
def test_of_delivery_limits_the_lower_counts(
    broker: Broker, channel: Channel, argument: int | None, policy: int | None
) -> None:
    declare(channel, "quorum", delivery_limit=argument)
    set_policy(broker, "delivery-limit", policy)
    channel.publish("", "q", b"m")
    for _ in range(2):
        answer = channel.get("q")
        assert answer is not None
        channel.nack(answer.entry.tag)
    assert ready(channel) == 0


@KINDS
def test_a_dead_letter_exchange_of_the_arguments_wins(
    broker: Broker, channel: Channel, kind: str
) -> None:
    for name in ("argued", "decreed"):
        channel.declare_exchange(name, "fanout")
        channel.declare_queue(name)
        channel.bind_queue(name, name)
    declare(channel, kind, dead_letter_exchange="argued")
    broker.set_policy("p", "^q$", {"dead-letter-exchange": "decreed"})
    channel.publish("", "q", b"m")
    rejected(channel)
    assert (ready(channel, "argued"), ready(channel, "decreed")) == (1, 0)


@KINDS
def test_a_dead_letter_exchange_and_key_of_a_policy_count_where_no_argument_says(
    broker: Broker, channel: Channel, kind: str
) -> None:
    channel.declare_queue("dead")
    declare(channel, kind)
    channel.publish("", "q", b"a")
    definition: dict[str, FieldValue] = {
        "dead-letter-exchange": "",
        "dead-letter-routing-key": "dead",
    }
    broker.set_policy("p", "^q$", definition)
    rejected(channel)
    assert ready(channel, "dead") == 1
    broker.delete_policy("p")
    channel.publish("", "q", b"b")
    rejected(channel)
    assert ready(channel, "dead") == 1


def test_a_dead_letter_routing_key_of_the_arguments_wins(broker: Broker, channel: Channel) -> None:
    for name in ("argued", "decreed"):
        channel.declare_queue(name)
    declare(channel, dead_letter_exchange="", dead_letter_routing_key="argued")
    broker.set_policy("p", "^q$", {"dead-letter-routing-key": "decreed"})
    channel.publish("", "q", b"m")
    rejected(channel)
    assert (ready(channel, "argued"), ready(channel, "decreed")) == (1, 0)


@KINDS
@pytest.mark.parametrize(
    ("argument", "kept"), [("drop-head", b"b"), ("reject-publish", b"a"), (None, b"a")]
)
def test_an_overflow_of_the_arguments_wins(
    broker: Broker, channel: Channel, kind: str, argument: str | None, kept: bytes
) -> None:
    declare(channel, kind, max_length=1, overflow=argument)
    policy = "drop-head" if argument == "reject-publish" else "reject-publish"
    broker.set_policy("p", "^q$", {"overflow": policy})
    channel.publish("", "q", b"a")
    channel.publish("", "q", b"b")
    answer = channel.get("q")
    assert answer is not None
    assert answer.entry.message.body == kept


def test_an_operator_policy_lowers_what_argument_and_policy_say(
    broker: Broker, channel: Channel
) -> None:
    declare(channel, max_length=10)
    broker.set_policy("p", "^q$", {"max-length": 5})
    broker.set_policy("op", "^q$", {"max-length": 1}, operator=True)
    for body in (b"a", b"b", b"c"):
        channel.publish("", "q", body)
    assert ready(channel) == 1
    broker.delete_policy("op", operator=True)
    for _ in range(9):
        channel.publish("", "q", b"m")
    assert ready(channel) == 5


def test_a_policy_counts_for_queues_that_are_declared_later(
    broker: Broker, channel: Channel
) -> None:
    broker.set_policy("p", "^q", {"max-length": 1})
    declare(channel)
    channel.declare_queue("other")
    for queue in ("q", "other"):
        for body in (b"a", b"b"):
            channel.publish("", queue, body)
    assert (ready(channel), ready(channel, "other")) == (1, 2)
