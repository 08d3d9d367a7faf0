"""Where dead letters go round: loops of expiries end, loops of rejections do not (108)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from minibroker import ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue

pytestmark = pytest.mark.semantics(108)
KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])


def declare(channel: Channel, name: str, to: str, kind: str = "classic", **more: int) -> None:
    """A queue whose dead letters go to another one, or to itself."""
    arguments: dict[str, FieldValue] = {
        "x-queue-type": kind,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": to,
        **{f"x-{key.replace('_', '-')}": value for key, value in more.items()},
    }
    channel.declare_queue(name, durable=True, arguments=arguments)


def ready(channel: Channel, queue: str) -> int:
    return channel.declare_queue(queue, passive=True).message_count


def rejected(channel: Channel, queue: str) -> None:
    """Take the head of a queue, and reject it."""
    answer = channel.get(queue)
    assert answer is not None
    channel.reject(answer.entry.tag, requeue=False)


def counts(channel: Channel, queue: str) -> list[tuple[FieldValue, FieldValue, FieldValue]]:
    """Queue, reason and count of the deaths of the head, which is put back."""
    answer = channel.get(queue)
    assert answer is not None
    channel.nack(answer.entry.tag)
    rows = answer.entry.message.headers["x-death"]
    assert isinstance(rows, list)
    return [(row["queue"], row["reason"], row["count"]) for row in rows if isinstance(row, dict)]


@KINDS
def test_a_queue_that_dead_letters_to_itself_by_expiry_drops_the_message(
    clock: ManualClock, channel: Channel, kind: str
) -> None:
    declare(channel, "q", "q", kind, message_ttl=1000)
    channel.publish("", "q", b"m")
    clock.advance("1s")
    assert ready(channel, "q") == 0


@KINDS
def test_a_queue_that_dead_letters_to_itself_by_overflow_drops_the_message(
    channel: Channel, kind: str
) -> None:
    declare(channel, "q", "q", kind, max_length=1)
    channel.publish("", "q", b"a")
    channel.publish("", "q", b"b")
    answer = channel.get("q")
    assert answer is not None
    assert (answer.entry.message.body, answer.message_count) == (b"b", 0)


@KINDS
def test_a_queue_that_dead_letters_to_itself_by_rejection_goes_round(
    channel: Channel, kind: str
) -> None:
    declare(channel, "q", "q", kind)
    channel.publish("", "q", b"m")
    for _ in range(3):
        rejected(channel, "q")
    assert counts(channel, "q") == [("q", "rejected", 3)]


def test_a_loop_of_two_queues_by_expiry_ends_where_it_began(
    clock: ManualClock, channel: Channel
) -> None:
    declare(channel, "a", "b", message_ttl=1000)
    declare(channel, "b", "a", message_ttl=1000)
    channel.publish("", "a", b"m")
    clock.advance("1s")
    assert (ready(channel, "a"), ready(channel, "b")) == (0, 1)
    clock.advance("1h")
    assert (ready(channel, "a"), ready(channel, "b")) == (0, 0)


def test_a_rejection_within_the_loop_keeps_it_going(clock: ManualClock, channel: Channel) -> None:
    declare(channel, "work", "wait")
    declare(channel, "wait", "work", message_ttl=1000)
    channel.publish("", "work", b"m")
    for count in (1, 2, 3):
        rejected(channel, "work")
        clock.advance("1s")
        assert counts(channel, "work") == [
            ("wait", "expired", count),
            ("work", "rejected", count),
        ]


def test_a_rejection_before_the_loop_does_not_keep_it_going(
    clock: ManualClock, channel: Channel
) -> None:
    declare(channel, "start", "a")
    declare(channel, "a", "b", message_ttl=1000)
    declare(channel, "b", "a", message_ttl=1000)
    channel.publish("", "start", b"m")
    rejected(channel, "start")
    clock.advance("1s")
    assert counts(channel, "b") == [("a", "expired", 1), ("start", "rejected", 1)]
    clock.advance("1s")
    assert (ready(channel, "a"), ready(channel, "b")) == (0, 0)


def test_only_the_queue_that_closes_the_cycle_is_left_out(
    clock: ManualClock, channel: Channel
) -> None:
    channel.declare_exchange("dlx", "fanout")
    channel.declare_queue("new")
    channel.declare_queue("q", arguments={"x-dead-letter-exchange": "dlx", "x-message-ttl": 1000})
    for queue in ("q", "new"):
        channel.bind_queue(queue, "dlx")
    channel.publish("", "q", b"m")
    clock.advance("1s")
    assert (ready(channel, "q"), ready(channel, "new")) == (0, 1)


def test_a_message_that_is_published_again_starts_a_cycle_of_its_own(
    clock: ManualClock, channel: Channel
) -> None:
    declare(channel, "a", "b", message_ttl=1000)
    channel.declare_queue("b")
    for _ in range(3):
        channel.publish("", "a", b"m")
        clock.advance("1s")
    assert ready(channel, "b") == 3


def test_a_ring_of_hundreds_of_queues_is_no_chain_of_calls(channel: Channel) -> None:
    size = 400
    for number in range(size):
        declare(channel, f"q{number}", f"q{(number + 1) % size}", max_length=0)
    channel.publish("", "q0", b"m")
    assert all(not ready(channel, f"q{number}") for number in range(size))
