"""What quorum queues and streams do not do, though a classic queue does.

Source: RabbitMQ's `rabbit_quorum_queue` and `rabbit_stream_queue`; RabbitMQ documentation,
"Quorum Queues" and "Streams and Super Streams".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NotImplementedByBroker, PreconditionFailed, ResourceLocked

if TYPE_CHECKING:
    from .base import BaseQueue
    from .consumers import Consumer

__all__ = ["check_consumer", "check_delete", "check_get"]


def check_consumer(consumer: Consumer) -> None:
    """Refuse a consumer that its queue could not serve."""
    queue = consumer.queue
    if queue.kind == "quorum" and consumer.channel.shared_limit is not None:
        raise NotImplementedByBroker(f"{queue.declaration} does not support global qos")
    if queue.kind != "stream":
        return
    if consumer.no_ack:
        raise NotImplementedByBroker(
            f"automatic acknowledgement not supported by stream {queue.declaration}"
        )
    if not consumer.prefetch:
        raise PreconditionFailed(
            f"consumer prefetch count is not set for stream {queue.declaration}"
        )


def check_get(queue: BaseQueue) -> None:
    """Refuse `basic.get` where a queue has only consumers."""
    if queue.kind == "stream":
        raise NotImplementedByBroker(
            f"basic.get not supported by stream queues {queue.declaration}"
        )
    if queue.kind == "quorum" and queue.consumers.single_active:
        raise ResourceLocked(
            f"cannot obtain access to locked {queue.declaration}. basic.get operations are not "
            "supported by quorum queues with single active consumer"
        )


def check_delete(queue: BaseQueue, if_unused: bool, if_empty: bool) -> None:
    """Refuse the conditions of `queue.delete` that only classic queues know."""
    if queue.kind == "classic":
        return
    for flag, asked in (("if-unused", if_unused), ("if-empty", if_empty)):
        if asked:
            raise NotImplementedByBroker(
                f"cannot delete {queue.declaration}. queue.delete operations with {flag} flag set "
                f"are not supported by {queue.kind} queues"
            )
