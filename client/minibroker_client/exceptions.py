"""Every error that the client raises on purpose. Knows no transport and not the broker.

Names follow Kombu where Kombu has one, and the AMQP reply codes otherwise. The class of a reply
code carries the same name as the broker's own, so that code moved from one to the other reads the
same; they are different classes, because a client talks to brokers of other makes, too. Source of
the codes: AMQP 0-9-1 section 1.2 (constants) and RabbitMQ's extensions.
"""

from __future__ import annotations

__all__ = [
    "AMQPError",
    "AccessRefused",
    "BufferFull",
    "ChannelError",
    "ChannelException",
    "ChannelInvalid",
    "ChannelLimitExceeded",
    "CommandInvalid",
    "CompressionNotInstalled",
    "ConnectionException",
    "ConnectionForced",
    "ConnectionLimitExceeded",
    "ConnectionLost",
    "ContentDisallowed",
    "ContentTooLarge",
    "DecodeError",
    "DecompressedTooLarge",
    "EncodeError",
    "FrameInvalid",
    "InternalError",
    "InvalidPath",
    "LeaseLost",
    "LimitExceeded",
    "MessageNacked",
    "MessageReturned",
    "MessageStateError",
    "MiniBrokerClientError",
    "NoConsumers",
    "NoRoute",
    "NotAllowed",
    "NotBoundError",
    "NotFound",
    "NotImplementedByBroker",
    "NotSupported",
    "OperationalError",
    "PreconditionFailed",
    "PublisherBlocked",
    "RecoverableChannelError",
    "RecoverableConnectionError",
    "ResourceError",
    "ResourceLocked",
    "SerializationError",
    "SerializerNotInstalled",
    "SyntaxInvalid",
    "UnexpectedFrame",
    "error_for_code",
]


class MiniBrokerClientError(Exception):
    """Everything that the client raises on purpose."""


class OperationalError(MiniBrokerClientError):
    """The broker could not be reached, or was lost, and retrying did not help.

    `__cause__` is the transport's own error.
    """


class NotBoundError(MiniBrokerClientError):
    """An exchange, queue or consumer was asked to do what needs a channel, and has none."""


class MessageStateError(MiniBrokerClientError):
    """The message is settled already: it was acked, rejected or requeued before."""


class LeaseLost(MessageStateError):
    """The delivery is not this consumer's any more: it is handed out again.

    It came on a connection that was lost since, or its lease ended before it was settled. It cannot
    be settled any more, and does not have to be.
    """

    @classmethod
    def of(cls, tag: int) -> LeaseLost:
        """Of a delivery that came on a connection that was lost."""
        return cls(f"delivery {tag} came on a connection that was lost since: it comes again")

    @classmethod
    def expired(cls, tag: int) -> LeaseLost:
        """Of a delivery whose lease has ended."""
        return cls(f"the lease of delivery {tag} has ended: it comes again, or is another's by now")


class LimitExceeded(MiniBrokerClientError):
    """A pool has handed out all it may."""


class ConnectionLimitExceeded(LimitExceeded):
    """All connections of a pool are in use."""


class ChannelLimitExceeded(LimitExceeded):
    """All channels of a pool are in use, or the connection has no channel number left."""


# --- values and codecs ---------------------------------------------------------------------------


class SerializationError(MiniBrokerClientError):
    """A body could not be turned into bytes, or back."""


class EncodeError(SerializationError):
    """The value cannot be encoded or compressed. `__cause__` is the codec's own error, if any."""


class DecodeError(SerializationError):
    """The bytes cannot be decoded or decompressed. `__cause__` is the codec's own error, if any."""


class DecompressedTooLarge(DecodeError):
    """A compressed body would grow over the size limit; it was not decompressed any further."""


class SerializerNotInstalled(SerializationError):
    """No serializer of that name or content type is registered, or its package is missing."""


class CompressionNotInstalled(SerializationError):
    """No compression of that name or content type is registered, or its package is missing."""


class ContentDisallowed(SerializerNotInstalled):
    """The consumer does not accept this content type. The body was not looked at."""


# --- publishing ----------------------------------------------------------------------------------


class MessageNacked(MiniBrokerClientError):
    """The broker answered a published message with a negative confirm: it did not take it.

    `delivery_tag` is the publish sequence number on its channel (0: not known).
    """

    def __init__(self, text: str = "the broker refused the message", delivery_tag: int = 0) -> None:
        super().__init__(text)
        self.delivery_tag = delivery_tag


class MessageReturned(MiniBrokerClientError):
    """A mandatory message came back because no queue took it.

    `message` is what came back, as the transport hands it out. `reply_code` is 312 from RabbitMQ
    when no queue is bound for the routing key.
    """

    def __init__(
        self,
        message: object,
        reply_code: int = 312,
        reply_text: str = "NO_ROUTE",
        exchange: str = "",
        routing_key: str = "",
    ) -> None:
        super().__init__(message, reply_code, reply_text, exchange, routing_key)
        self.message = message
        self.reply_code = reply_code
        self.reply_text = reply_text
        self.exchange = exchange
        self.routing_key = routing_key

    def __str__(self) -> str:
        where = f"exchange {self.exchange!r} with routing key {self.routing_key!r}"
        return f"({self.reply_code}) {self.reply_text}: message returned by {where}"


class BufferFull(MiniBrokerClientError):
    """The buffer for publishes has no room: the broker is away, or slow. Nothing was kept."""


class PublisherBlocked(MiniBrokerClientError):
    """The broker takes no messages at present (`connection.blocked`); nothing was published."""


# --- AMQP reply codes ----------------------------------------------------------------------------


class AMQPError(MiniBrokerClientError):
    """An error of a channel or connection, most often with an AMQP reply code.

    `reply_code` is the class's own code, or the one that the broker sent when no class is known for
    it, or 0 when no broker sent anything. `reply_text` is the broker's text as it came. `method` is
    the AMQP method that failed, such as `queue.declare`, or "" when it is not known.
    """

    reply_code: int = 0

    def __init__(self, reply_text: str = "", method: str = "") -> None:
        super().__init__(reply_text, method)
        self.reply_text = reply_text
        self.method = method

    def __str__(self) -> str:
        text = f"({self.reply_code}) {self.reply_text}" if self.reply_code else self.reply_text
        return f"{self.method}: {text}" if self.method else text


class ChannelException(AMQPError):
    """A soft error: the channel that caused it is closed, its connection lives on."""


ChannelError = ChannelException
"""Kombu's name for `ChannelException`. Not reply code 504, which is `ChannelInvalid`."""


class RecoverableChannelError(ChannelException):
    """A channel error that may go away by itself: `ensure` tries again on a new channel."""


class ConnectionException(AMQPError):
    """A hard error: the connection is closed. Kombu calls it `ConnectionError`."""


class RecoverableConnectionError(ConnectionException):
    """The connection is gone, and a new one may do better: `ensure` reconnects."""


class ConnectionLost(RecoverableConnectionError):
    """The connection broke, or was closed at this end, without a reply code."""


class ContentTooLarge(ChannelException):
    """311: the content is larger than the broker takes."""

    reply_code = 311


class NoRoute(ChannelException):
    """312: a mandatory message that no queue takes."""

    reply_code = 312


class NoConsumers(RecoverableChannelError):
    """313: an immediate message that no consumer takes (RabbitMQ never sends it)."""

    reply_code = 313


class AccessRefused(ChannelException):
    """403: reserved names, exclusive consumers, internal exchanges, missing permissions.

    The broker also closes a connection with this code when it does not know user and password.
    """

    reply_code = 403


class NotFound(ChannelException):
    """404: no such queue, exchange or virtual host."""

    reply_code = 404


class ResourceLocked(RecoverableChannelError):
    """405: the queue is exclusive to another connection."""

    reply_code = 405


class PreconditionFailed(ChannelException):
    """406: inequivalent or invalid arguments, unknown delivery tags, limits that are reached."""

    reply_code = 406


class ConnectionForced(RecoverableConnectionError):
    """320: an operator, or the broker's end, closed the connection."""

    reply_code = 320


class InvalidPath(ConnectionException):
    """402: an unknown virtual host (RabbitMQ says 530 instead)."""

    reply_code = 402


class FrameInvalid(ConnectionException):
    """501: a frame that cannot be read."""

    reply_code = 501


class SyntaxInvalid(ConnectionException):
    """502: a method whose fields cannot be read."""

    reply_code = 502


class CommandInvalid(ConnectionException):
    """503: a command that does not exist or may not come now."""

    reply_code = 503


class ChannelInvalid(ConnectionException):
    """504: a method on a channel that is not open, or opening one that is."""

    reply_code = 504


class UnexpectedFrame(ConnectionException):
    """505: a frame that may not come here."""

    reply_code = 505


class ResourceError(RecoverableConnectionError):
    """506: the broker has run out of something."""

    reply_code = 506


class NotAllowed(ConnectionException):
    """530: forbidden by a rule that no permission changes, or no such virtual host."""

    reply_code = 530


class NotImplementedByBroker(ConnectionException):
    """540: a part of AMQP that the broker does not have, such as `immediate`."""

    reply_code = 540


class NotSupported(ChannelException):
    """540: something that a system other than a broker cannot do honestly. Closes the channel.

    Where a broker speaks AMQP the same code closes the connection, see `NotImplementedByBroker`.
    """

    reply_code = 540


class InternalError(ConnectionException):
    """541: the broker itself failed."""

    reply_code = 541


_BY_CODE: dict[int, type[AMQPError]] = {
    cls.reply_code: cls
    for cls in (
        ContentTooLarge,
        NoRoute,
        NoConsumers,
        AccessRefused,
        NotFound,
        ResourceLocked,
        PreconditionFailed,
        ConnectionForced,
        InvalidPath,
        FrameInvalid,
        SyntaxInvalid,
        CommandInvalid,
        ChannelInvalid,
        UnexpectedFrame,
        ResourceError,
        NotAllowed,
        NotImplementedByBroker,
        InternalError,
    )
}


def error_for_code(
    code: int,
    text: str,
    method: str = "",
    default: type[AMQPError] = ConnectionException,
) -> AMQPError:
    """The exception for a reply code, ready to be raised.

    `text` is the reply text of the close method; `method` the AMQP method that failed. A code that
    has no class gives a `default` whose `reply_code` is that code: pass `ChannelException` there
    for a `channel.close`. The class says what the code means, not what was closed: RabbitMQ sends
    the channel error 403 in `connection.close` when a login fails.
    """
    error = _BY_CODE.get(code, default)(text, method)
    error.reply_code = code
    return error
