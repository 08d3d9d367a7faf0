"""The quorum queue: counting, giving up, and retrying later. Rules: `semantics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.queues import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker, ManualClock
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue
    from minibroker.local import LocalConnection


@pytest.fixture
def declared(make_broker: Callable[..., Broker]) -> Callable[..., Channel]:
    """`declared(profile, **arguments)`: a channel, a quorum queue `q`, and a queue `dead`."""

    def declare(profile: str, **arguments: FieldValue) -> Channel:
        channel = make_broker(profile=profile).connect().channel()
        channel.declare_queue("dead", durable=True)
        table: dict[str, FieldValue] = {
            "x-queue-type": "quorum",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "dead",
        }
        table.update({f"x-{name.replace('_', '-')}": value for name, value in arguments.items()})
        channel.declare_queue("q", durable=True, arguments=table)
        return channel

    return declare


def handed_out(channel: Channel) -> Entry:
    """The next delivery."""
    item = channel.connection.outbox.popleft()
    assert isinstance(item, Entry)
    return item


def test_a_message_is_shared_unchanged_though_deliveries_show_their_counts(
    declared: Callable[..., Channel],
) -> None:
    channel = declared("rabbitmq-4.2")
    channel.publish("", "q", b"body")
    channel.consume("q")
    first = handed_out(channel)
    channel.nack(first.tag)
    second = handed_out(channel)
    assert first.message.headers == {}
    assert second.message.headers == {"x-delivery-count": 1}
    channel.reject(second.tag, requeue=False)
    dead = channel.get("dead", no_ack=True)
    assert dead is not None
    assert "x-delivery-count" not in dead.entry.message.headers


def test_over_the_limit_it_is_given_up(declared: Callable[..., Channel]) -> None:
    channel = declared("rabbitmq-4.2", delivery_limit=1)
    channel.publish("", "q", b"body")
    for _ in range(2):
        got = channel.get("q")
        assert got is not None
        channel.nack(got.entry.tag)
    assert channel.get("q") is None
    dead = channel.get("dead", no_ack=True)
    assert dead is not None
    assert dead.entry.message.headers["x-first-death-reason"] == "delivery_limit"


@pytest.mark.parametrize(
    ("kind", "method", "waits"),
    [
        ("all", "nack", True),
        ("all", "reject", True),
        ("returned", "nack", True),
        ("returned", "reject", False),
        ("failed", "nack", False),
        ("failed", "reject", True),
        ("disabled", "nack", False),
    ],
)
@pytest.mark.semantics("113b")
def test_a_delayed_retry_waits_longer_each_time_up_to_its_limit(
    declared: Callable[..., Channel], clock: ManualClock, kind: str, method: str, waits: bool
) -> None:
    arguments: dict[str, FieldValue] = {"delayed_retry_type": kind}
    if kind != "disabled":
        arguments |= {"delayed_retry_min": 1000, "delayed_retry_max": 2500}
    channel = declared("rabbitmq-4.3", **arguments)
    channel.publish("", "q", b"body")
    got = channel.get("q")
    assert got is not None
    getattr(channel, method)(got.entry.tag, requeue=True)
    if waits:
        assert channel.get("q") is None
        clock.advance("999ms")
        assert channel.get("q") is None
        clock.advance("1ms")
    again = channel.get("q")
    assert again is not None
    assert again.entry.redelivered


def test_purging_takes_what_waits_for_its_retry_too(
    declared: Callable[..., Channel], clock: ManualClock
) -> None:
    channel = declared(
        "rabbitmq-4.3", delayed_retry_type="all", delayed_retry_min=1000, delayed_retry_max=9000
    )
    for body in (b"1", b"2"):
        channel.publish("", "q", body)
    got = channel.get("q")
    assert got is not None
    channel.reject(got.entry.tag)
    assert channel.purge_queue("q") == 2
    clock.advance("1m")
    assert channel.get("q") is None


def test_without_a_prefetch_limit_it_hands_out_2000(
    declared: Callable[..., Channel], make_broker: Callable[..., Broker]
) -> None:
    channel = declared("rabbitmq-4.2")
    for _ in range(2001):
        channel.publish("", "q", b"")
    channel.consume("q")
    connection: LocalConnection = channel.connection  # type: ignore[assignment]  # in process
    assert len(connection.outbox) == 2000
    channel.ack(1)
    assert len(connection.outbox) == 2001
