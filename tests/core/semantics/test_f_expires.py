"""Queues that are deleted when nobody uses them: `x-expires` (93)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import NotFound
from minibroker.events import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.local import LocalConnection

KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])


def dead_letters(channel: Channel) -> int:
    return channel.declare_queue("dead", passive=True).message_count


@pytest.fixture
def declare(channel: Channel) -> Callable[..., None]:
    """`declare(kind)`: the queue `q` that expires after a second; dead letters go to `dead`."""

    def make(kind: str = "classic") -> None:
        channel.declare_queue("dead", durable=True)
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        channel.declare_queue(
            "q", durable=True, arguments={"x-queue-type": kind, "x-expires": 1000, **dead}
        )

    return make


def exists(channel: Channel) -> bool:
    """Whether `q` is there, asked in a way that does not count as using it."""
    return "q" in channel.vhost.queues


@KINDS
@pytest.mark.semantics(93)
def test_an_unused_queue_is_deleted_after_its_x_expires_and_dead_letters_nothing(
    clock: ManualClock, channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind)
    channel.publish("", "q", b"m")
    clock.advance("999ms")
    assert exists(channel)
    clock.advance("1ms")
    with pytest.raises(NotFound, match="no queue 'q' in vhost '/'"):
        channel.get("q")
    assert dead_letters(channel) == 0


@KINDS
@pytest.mark.semantics(93)
def test_publishing_does_not_renew_x_expires(
    clock: ManualClock, channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind)
    clock.advance("900ms")
    channel.publish("", "q", b"m")
    clock.advance("100ms")
    assert not exists(channel)


@pytest.mark.semantics(93)
@pytest.mark.parametrize("use", ["get", "declare", "passive declare"])
@KINDS
def test_a_get_or_a_declare_renews_x_expires_but_a_declare_not_that_of_a_quorum_queue(
    clock: ManualClock, channel: Channel, declare: Callable[..., None], kind: str, use: str
) -> None:
    declare(kind)
    clock.advance("900ms")
    if use == "get":
        assert channel.get("q") is None
    elif use == "declare":
        declare(kind)
    else:
        channel.declare_queue("q", passive=True)
    clock.advance("999ms")
    assert exists(channel) == (use == "get" or kind == "classic")
    clock.advance("1ms")
    assert not exists(channel)


@KINDS
@pytest.mark.semantics(93)
def test_x_expires_does_not_run_while_there_is_a_consumer_and_begins_anew_without(
    clock: ManualClock, channel: Channel, declare: Callable[..., None], kind: str
) -> None:
    declare(kind)
    clock.advance("900ms")
    channel.consume("q", tag="a")
    channel.consume("q", tag="b")
    clock.advance("1h")
    channel.cancel("a")
    clock.advance("1h")
    channel.cancel("b")
    clock.advance("999ms")
    assert exists(channel)
    clock.advance("1ms")
    assert not exists(channel)


@pytest.mark.semantics(93)
def test_what_is_unacked_does_not_keep_an_expiring_queue(
    clock: ManualClock, connection: LocalConnection, channel: Channel, declare: Callable[..., None]
) -> None:
    declare()
    channel.publish("", "q", b"m")
    answer = channel.get("q")
    assert answer is not None
    clock.advance("1s")
    assert not exists(channel)
    channel.nack(answer.entry.tag, requeue=True)
    assert dead_letters(channel) == 0
    assert not any(isinstance(item, Cancelled) for item in connection.outbox)


@pytest.mark.semantics(93, 111)
def test_a_policy_can_make_queues_expire_and_stop_it_again(
    clock: ManualClock, broker: Broker, channel: Channel
) -> None:
    channel.declare_queue("q")
    broker.set_policy("idle", "^q$", {"expires": 1000})
    clock.advance("900ms")
    broker.delete_policy("idle")
    clock.advance("1h")
    assert exists(channel)
    broker.set_policy("idle", "^q$", {"expires": 1000})
    clock.advance("1s")
    assert not exists(channel)
