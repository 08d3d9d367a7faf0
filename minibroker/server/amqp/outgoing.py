"""What lies in the outbox of the model, one after the other, turned into frames.

Knows which clients want to hear of what; not how a delivery is encoded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...events import Blocked, Cancelled, ChannelClosed, Confirmed, Returned, Unblocked
from ...queues import Entry
from ...wire.amqp.spec import BasicCancel, BasicReturn

if TYPE_CHECKING:
    from ...connection import Connection
    from .base import ConnectionBase
    from .channel import ServerChannel

__all__ = ["drain", "undeliverable"]


def drain(connection: ConnectionBase, model: Connection) -> None:
    """Append everything in the outbox to the connection's output."""
    outbox, out = model.outbox, connection.out
    deliver, channels = connection.deliveries.deliver, connection.channels
    confirmed: dict[ServerChannel, None] = {}
    while outbox:
        item = outbox.popleft()
        if isinstance(item, Entry):
            try:
                deliver(item, out)
            except (TypeError, ValueError) as error:
                undeliverable(connection, item, error)
        elif type(item) is Confirmed:
            channel = channels.get(item.channel.number)
            if channel is None or channel.model is not item.channel:
                continue
            confirms = channel.confirms
            if item.ok and item.tag == confirms.up_to + 1 and not confirms.early:
                confirms.up_to += 1  # as `add`, without a call for each message
                confirms.run += 1
            else:
                confirms.add(item.tag, item.multiple, item.ok)
            confirmed[channel] = None
        else:
            _EVENTS[type(item)](connection, item)
    for channel in confirmed:
        for answer in channel.confirms.take():
            connection.send(channel.number, answer)


def undeliverable(connection: ConnectionBase, entry: Entry, error: Exception) -> None:
    """AMQP cannot carry what was published in process, to a broker without a log: it is dropped.

    Dead-lettering it could bring it back here without end.
    """
    connection.outlet.told("dropped", queue=entry.queue.name, reason=str(error))
    consumer = entry.consumer
    if consumer is not None and not consumer.no_ack:
        consumer.channel.ack(entry.tag)


def _returned(connection: ConnectionBase, event: Returned) -> None:
    message = event.message
    method = BasicReturn(event.reply_code, event.reply_text, message.exchange, message.routing_key)
    connection.send_content(event.channel.number, method, message)


def _cancelled(connection: ConnectionBase, event: Cancelled) -> None:
    connection.deliveries.forget()
    if "consumer_cancel_notify" in connection.capabilities:
        connection.send(event.channel.number, BasicCancel(event.consumer_tag, nowait=True))


def _channel_closed(connection: ConnectionBase, event: ChannelClosed) -> None:
    channel = connection.channels.get(event.channel.number)
    if channel is not None and channel.model is event.channel:
        channel.ended(event.error, 0, 0)


def _blocked(connection: ConnectionBase, _: Blocked) -> None:
    connection.tell_blocked()


def _unblocked(_: ConnectionBase, __: Unblocked) -> None:
    """Told when the connection goes on, for the gate may have another reason to be shut."""


_EVENTS: dict[type, Callable[[ConnectionBase, Any], None]] = {
    Blocked: _blocked,
    Cancelled: _cancelled,
    ChannelClosed: _channel_closed,
    Returned: _returned,
    Unblocked: _unblocked,
}
