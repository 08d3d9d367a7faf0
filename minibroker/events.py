"""What a broker tells a connection besides deliveries. Knows nothing of how it gets there.

Each lies in the connection's outbox, in order with the deliveries, until the connection drains
it. Events never change; they are not frozen because frozen ones take four times as long to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .channel.state import ChannelState
    from .errors import AMQPError
    from .message import Message

__all__ = ["Blocked", "Cancelled", "ChannelClosed", "Confirmed", "Returned", "Unblocked"]


@dataclass(slots=True)
class Returned:
    """`basic.return`: a mandatory message that no queue took, back to its publisher."""

    channel: ChannelState
    message: Message
    reply_code: int
    """312 (NO_ROUTE): RabbitMQ has no other."""
    reply_text: str


@dataclass(slots=True)
class Confirmed:
    """`basic.ack` or `basic.nack` to a publisher: the broker took a message over, or did not.

    In confirm mode a mandatory message that no queue took is returned before this comes.
    """

    channel: ChannelState
    tag: int
    """Publish sequence number: 1 for the channel's first message after `confirm_select`."""
    multiple: bool
    """Whether all up to and including `tag` that are outstanding are meant."""
    ok: bool
    """False for a nack: a queue that rejects publishes was full."""


@dataclass(slots=True)
class Cancelled:
    """`basic.cancel` to a client: the broker ended a consumer, as when its queue is deleted."""

    channel: ChannelState
    consumer_tag: str


@dataclass(slots=True)
class ChannelClosed:
    """`channel.close` to a client: the broker closed a channel by itself."""

    channel: ChannelState
    error: AMQPError
    """Why, such as PreconditionFailed for an ack that did not come in time."""


@dataclass(slots=True)
class Blocked:
    """`connection.blocked`: the broker is short of memory, publishing has to wait."""

    reason: str
    """RabbitMQ's words, such as "low on memory"."""


@dataclass(slots=True)
class Unblocked:
    """`connection.unblocked`: publishing goes on."""
