"""What quorum queues and streams refuse, in RabbitMQ's words (observed on 3.10.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.errors import NotImplementedByBroker, PreconditionFailed, ResourceLocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel
    from minibroker.fields import FieldValue

Q = "queue 'q' in vhost '/'"


@pytest.fixture
def declared(make_broker: Callable[..., Broker]) -> Callable[..., Channel]:
    """`declared(kind, profile=..., **arguments)`: a channel and a queue `q` of that kind."""

    def declare(kind: str, profile: str = "rabbitmq-4.2", **arguments: bool) -> Channel:
        channel = make_broker(profile=profile).connect().channel()
        table: dict[str, FieldValue] = {"x-queue-type": kind}
        table.update({f"x-{name.replace('_', '-')}": value for name, value in arguments.items()})
        channel.declare_queue("q", durable=True, arguments=table)
        return channel

    return declare


def test_a_stream_is_read_with_a_limit(declared: Callable[..., Channel]) -> None:
    channel = declared("stream")
    with pytest.raises(PreconditionFailed, match="consumer prefetch count is not set for"):
        channel.consume("q")
    with pytest.raises(PreconditionFailed, match="consumer prefetch count is not set for"):
        channel.consume("q", no_ack=True)


def test_a_stream_is_read_with_acks(declared: Callable[..., Channel]) -> None:
    channel = declared("stream")
    channel.qos(1)
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.consume("q", no_ack=True)
    assert str(caught.value) == f"automatic acknowledgement not supported by stream queues {Q}"


def test_a_stream_has_neither_get_nor_purge(declared: Callable[..., Channel]) -> None:
    channel = declared("stream")
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.get("q")
    assert str(caught.value) == f"basic.get not supported by stream queues {Q}"
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.purge_queue("q")
    assert str(caught.value) == f"queue.purge not supported by stream queues {Q}"


def test_up_to_3_13_a_stream_s_entries_are_not_rejected(declared: Callable[..., Channel]) -> None:
    channel = declared("stream", "rabbitmq-3.10")
    channel.qos(1)
    channel.consume("q")
    channel.publish("", "q", b"")
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.reject(1)
    assert str(caught.value) == (f"basic.nack and basic.reject not supported by stream queues {Q}")
    channel.ack(1)


def test_a_quorum_queue_refuses_consumers_under_a_global_limit(
    declared: Callable[..., Channel],
) -> None:
    channel = declared("quorum")
    channel.qos(5, global_=True)
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.consume("q")
    assert str(caught.value) == f"{Q} does not support global qos"
    channel.qos(0, global_=True)
    channel.consume("q")


def test_a_quorum_queue_with_a_single_active_consumer_has_no_get(
    declared: Callable[..., Channel],
) -> None:
    channel = declared("quorum", single_active_consumer=True)
    with pytest.raises(ResourceLocked) as caught:
        channel.get("q")
    assert str(caught.value) == (
        f"cannot obtain access to locked {Q}. basic.get operations are not supported by quorum "
        "queues with single active consumer"
    )


@pytest.mark.parametrize(("flag", "name"), [("if_unused", "if-unused"), ("if_empty", "if-empty")])
def test_a_quorum_queue_is_deleted_without_conditions(
    declared: Callable[..., Channel], flag: str, name: str
) -> None:
    channel = declared("quorum")
    with pytest.raises(NotImplementedByBroker) as caught:
        channel.delete_queue("q", **{flag: True})
    assert str(caught.value) == (
        f"cannot delete {Q}. queue.delete operations with {name} flag set are not supported by "
        "quorum queues"
    )
    assert channel.delete_queue("q") == 0
