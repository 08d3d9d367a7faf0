"""One exception per AMQP reply code. Knows nothing of sockets, channels or how an error is sent.

The core raises these where a rule is broken; only a protocol turns them into a `channel.close` or
`connection.close`. `str(error)` is the explanation alone, in the words RabbitMQ uses for it.
Source: AMQP 0-9-1 section 1.2 (constants) and RabbitMQ's extensions.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AMQPError",
    "AccessRefused",
    "ChannelException",
    "ChannelInvalid",
    "CommandInvalid",
    "ConnectionException",
    "ConnectionForced",
    "ContentTooLarge",
    "FrameInvalid",
    "InternalError",
    "InvalidPath",
    "LogDamaged",
    "LogError",
    "LogLocked",
    "LogVersionUnknown",
    "MiniBrokerError",
    "NoConsumers",
    "NoRoute",
    "NotAllowed",
    "NotFound",
    "NotImplementedByBroker",
    "PreconditionFailed",
    "PublisherBlocked",
    "ResourceError",
    "ResourceLocked",
    "SyntaxInvalid",
    "UnexpectedFrame",
]


class MiniBrokerError(Exception):
    """Everything that MiniBroker raises on purpose."""


class PublisherBlocked(MiniBrokerError):
    """The broker is over its memory limit and stayed there for the publisher's whole timeout.

    Nothing was published. RabbitMQ says the same thing with `connection.blocked`.
    """


class LogError(MiniBrokerError):
    """The log of a broker cannot be opened, or not be written."""


class LogDamaged(LogError):
    """Something in the log is not what was written: nothing is guessed at.

    `file` is its name in the directory, `offset` where in it (bytes).
    """

    def __init__(self, what: str, file: str, offset: int) -> None:
        super().__init__(f"{file}, offset {offset}: {what}")
        self.what = what
        self.file = file
        self.offset = offset


class LogVersionUnknown(LogError):
    """The log was written by a newer version, in a format that this one does not know."""


class LogLocked(LogError):
    """Another process, or this one, has the log open already; the text names its process id."""


class AMQPError(MiniBrokerError):
    """An error with an AMQP reply code. Catch the subclasses, or this for any of them."""

    reply_code: ClassVar[int] = 0
    reply_name: ClassVar[str] = ""

    @property
    def reply_text(self) -> str:
        """What goes on the wire: `NAME - explanation`, cut to 255 bytes of UTF-8."""
        text = f"{self.reply_name} - {self}"
        return text.encode()[:255].decode(errors="ignore")


class ChannelException(AMQPError):
    """A soft error: the channel that caused it is closed, its connection lives on."""


class ConnectionException(AMQPError):
    """A hard error: the connection that caused it is closed."""


class ContentTooLarge(ChannelException):
    """311: the content is larger than the other side takes."""

    reply_code = 311
    reply_name = "CONTENT_TOO_LARGE"


class NoRoute(ChannelException):
    """312: a mandatory message that no queue takes."""

    reply_code = 312
    reply_name = "NO_ROUTE"


class NoConsumers(ChannelException):
    """313: an immediate message that no consumer takes (RabbitMQ never sends it)."""

    reply_code = 313
    reply_name = "NO_CONSUMERS"


class AccessRefused(ChannelException):
    """403: reserved names, exclusive consumers, internal exchanges, missing permissions."""

    reply_code = 403
    reply_name = "ACCESS_REFUSED"


class NotFound(ChannelException):
    """404: no such queue, exchange or virtual host."""

    reply_code = 404
    reply_name = "NOT_FOUND"


class ResourceLocked(ChannelException):
    """405: the queue is exclusive to another connection."""

    reply_code = 405
    reply_name = "RESOURCE_LOCKED"


class PreconditionFailed(ChannelException):
    """406: inequivalent or invalid arguments, unknown delivery tags, limits that are reached."""

    reply_code = 406
    reply_name = "PRECONDITION_FAILED"


class ConnectionForced(ConnectionException):
    """320: an operator or the broker's end closed the connection."""

    reply_code = 320
    reply_name = "CONNECTION_FORCED"


class InvalidPath(ConnectionException):
    """402: an unknown virtual host (RabbitMQ says 530 instead)."""

    reply_code = 402
    reply_name = "INVALID_PATH"


class FrameInvalid(ConnectionException):
    """501: a frame that cannot be read."""

    reply_code = 501
    reply_name = "FRAME_ERROR"


class SyntaxInvalid(ConnectionException):
    """502: a method whose fields cannot be read."""

    reply_code = 502
    reply_name = "SYNTAX_ERROR"


class CommandInvalid(ConnectionException):
    """503: a command that does not exist or may not come now."""

    reply_code = 503
    reply_name = "COMMAND_INVALID"


class ChannelInvalid(ConnectionException):
    """504: a method on a channel that is not open, or opening one that is."""

    reply_code = 504
    reply_name = "CHANNEL_ERROR"


class UnexpectedFrame(ConnectionException):
    """505: a frame that may not come here."""

    reply_code = 505
    reply_name = "UNEXPECTED_FRAME"


class ResourceError(ConnectionException):
    """506: the broker has run out of something."""

    reply_code = 506
    reply_name = "RESOURCE_ERROR"


class NotAllowed(ConnectionException):
    """530: forbidden by a rule that no permission changes."""

    reply_code = 530
    reply_name = "NOT_ALLOWED"


class NotImplementedByBroker(ConnectionException):
    """540: a part of AMQP that RabbitMQ does not have, such as `immediate`."""

    reply_code = 540
    reply_name = "NOT_IMPLEMENTED"


class InternalError(ConnectionException):
    """541: the broker itself failed, or a feature is denied by its profile."""

    reply_code = 541
    reply_name = "INTERNAL_ERROR"
