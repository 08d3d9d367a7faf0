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

__all__ = ["check_consumer", "check_delete", "check_get", "check_purge", "check_reject"]


def check_consumer(consumer: Consumer) -> None:
    """Refuse a consumer that its queue could not serve."""
    queue = consumer.queue
    if queue.kind == "quorum" and consumer.channel.shared_limit is not None:
        raise NotImplementedByBroker(f"{queue.declaration} does not support global qos")
    if queue.kind != "stream":
        return
    if not consumer.prefetch:
        raise PreconditionFailed(f"consumer prefetch count is not set for '{queue.declaration}'")
    if consumer.no_ack:
        raise NotImplementedByBroker(
            f"automatic acknowledgement not supported by stream queues {queue.declaration}"
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


def check_purge(queue: BaseQueue) -> None:
    """Refuse `queue.purge` where retention alone removes entries."""
    if queue.kind == "stream":
        raise NotImplementedByBroker(
            f"queue.purge not supported by stream queues {queue.declaration}"
        )


def check_reject(queue: BaseQueue) -> None:
    """Refuse `basic.nack` and `basic.reject` of a stream's entry, up to RabbitMQ 3.13.

    Later versions take them for an ack, as nothing can go back to a stream.
    """
    if queue.kind == "stream" and not queue.world.profile.stream_rejects:
        raise NotImplementedByBroker(
            f"basic.nack and basic.reject not supported by stream queues {queue.declaration}"
        )


def check_delete(queue: BaseQueue, if_unused: bool, if_empty: bool) -> None:
    """Refuse the conditions of `queue.delete` that quorum queues do not know.

    Streams do not know them either, but pass them over.
    """
    if queue.kind != "quorum":
        return
    for flag, asked in (("if-unused", if_unused), ("if-empty", if_empty)):
        if asked:
            raise NotImplementedByBroker(
                f"cannot delete {queue.declaration}. queue.delete operations with {flag} flag set "
                f"are not supported by {queue.kind} queues"
            )
