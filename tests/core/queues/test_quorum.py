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


def held_five(channel: Channel) -> None:
    """1 to 5 are unacked, 6 and 7 ready."""
    for number in range(1, 8):
        channel.publish("", "q", b"%d" % number)
    for _ in range(5):
        assert channel.get("q") is not None


def order(channel: Channel) -> str:
    """What is ready, in order."""
    bodies = []
    while (answer := channel.get("q", no_ack=True)) is not None:
        bodies.append(answer.entry.message.body)
    return b"".join(bodies).decode()


@pytest.mark.semantics(71)
@pytest.mark.parametrize(
    ("profile", "limit", "singly", "multiple", "recovered"),
    [
        # Observed on RabbitMQ 3.10.8: without a limit they go behind what is ready, with one
        # before it, and in both cases in the order in which they came back.
        ("rabbitmq-3.10", None, "6742", "6712345", "6712345"),
        ("rabbitmq-3.10", 10, "4267", "1234567", "1234567"),
        ("rabbitmq-4.2", None, "4267", "1234567", "1234567"),
        ("rabbitmq-4.2", -1, "6742", "6712345", "6712345"),
        ("rabbitmq-4.3", None, "4267", "1234567", "1234567"),
    ],
)
def test_what_is_returned_stands_in_the_order_of_returning(
    declared: Callable[..., Channel],
    profile: str,
    limit: int | None,
    singly: str,
    multiple: str,
    recovered: str,
) -> None:
    arguments = {} if limit is None else {"delivery_limit": limit}
    channel = declared(profile, **arguments)
    held_five(channel)
    channel.nack(4)
    channel.nack(2)
    assert order(channel) == singly
    channel.ack(0, multiple=True)
    held_five(channel)
    channel.nack(0, multiple=True)
    assert order(channel) == multiple
    held_five(channel)
    channel.recover()
    assert order(channel) == recovered


@pytest.mark.semantics(71)
@pytest.mark.parametrize("profile", ["rabbitmq-3.10", "rabbitmq-4.2", "rabbitmq-4.3"])
def test_what_a_lost_channel_held_goes_first_in_the_order_of_loss(
    declared: Callable[..., Channel], profile: str
) -> None:
    observer = declared(profile)
    for number in range(1, 8):
        observer.publish("", "q", b"%d" % number)
    even, odd = observer.connection.channel(), observer.connection.channel()
    for taker in (odd, even, odd, even, odd, even):
        assert taker.get("q") is not None
    even.close()
    odd.close()
    assert order(observer) == "2461357"
