"""One channel of a client's connection: methods, content that comes in frames, and its end.

Knows nothing of bytes on a socket; what methods do is in `handlers`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ...errors import (
    ChannelInvalid,
    CommandInvalid,
    FrameInvalid,
    PreconditionFailed,
    UnexpectedFrame,
)
from ...wire.amqp import decode_properties
from ...wire.amqp.frames import BASIC
from ...wire.amqp.spec import BasicPublish, ChannelClose, ChannelCloseOk, ChannelOpen
from .confirms import Confirms
from .handlers import HANDLERS

if TYPE_CHECKING:
    from ...channel import Channel
    from ...errors import AMQPError
    from ...properties import Properties
    from ...wire.amqp.spec import MethodRecord
    from .connection import AMQPConnection
    from .shared import SharedConnection

__all__ = ["Content", "FramedChannel", "ServerChannel"]

ABSOLUTE_MAX = 512 << 20
"""Bytes of a body above which nothing of it is read (RabbitMQ documentation, "Limits")."""
QUIET = {60: {80, 90, 120}}
"""Class basic: ack, reject and nack have no answer that deliveries must come before."""
_read_header = struct.Struct(">HHQ").unpack_from
HEADER_SIZE = 12


class Content:
    """A publish whose header and body are still coming."""

    __slots__ = ("method", "parts", "properties", "size", "waiting")

    def __init__(self, method: BasicPublish) -> None:
        self.method = method
        self.properties: Properties | None = None
        """None while the header has not come."""
        self.size = 0
        """Bytes of the body."""
        self.waiting = 0
        """Bytes of it that have not come."""
        self.parts: list[bytes] = []

    def unexpected_method(self) -> UnexpectedFrame:
        """What is said to a method that comes before the content is whole."""
        if self.properties is None:
            return UnexpectedFrame(
                f"expected content header for class {BASIC}, got non content header frame instead"
            )
        return UnexpectedFrame("expected content body, got non content body frame instead")


class ServerChannel:
    """One open channel, or one that the server has closed and the client not yet."""

    __slots__ = ("closing", "confirms", "connection", "content", "model", "number")

    def __init__(self, connection: SharedConnection, number: int, model: Channel) -> None:
        self.connection = connection
        self.number = number
        self.model = model
        self.content: Content | None = None
        self.closing = False
        """Whether the server sent `channel.close`: everything is ignored until it is answered."""
        self.confirms = Confirms()

    # -- methods

    def method(self, method: MethodRecord, class_id: int, method_id: int) -> None:
        """Do what a method asks for, and answer. Raises AMQPError."""
        if type(method) is BasicPublish:
            self.content = Content(method)
            return
        connection = self.connection
        if type(method) is ChannelOpen:
            raise ChannelInvalid("second 'channel.open' seen")
        if type(method) is ChannelClose:
            connection.drain()
            connection.drop_channel(self)
            connection.send(self.number, ChannelCloseOk())
            return
        handler = HANDLERS.get(type(method))
        if handler is None:
            raise CommandInvalid("unimplemented method")
        if method_id not in QUIET.get(class_id, ()):
            connection.drain()  # what was delivered before comes before the answer
        answer = handler(self, method)
        if answer is not None:
            connection.send(self.number, answer)

    # -- the end

    def close(self, error: AMQPError, class_id: int, method_id: int) -> None:
        """Close the channel because of an error, and tell the client."""
        connection = self.connection
        connection.drain()
        self.model.close()
        self.ended(error, class_id, method_id)

    def ended(self, error: AMQPError, class_id: int, method_id: int) -> None:
        """The model's channel is closed: tell the client why."""
        self.closing = True
        self.content = None
        self.connection.deliveries.forget()
        self.connection.send(
            self.number, ChannelClose(error.reply_code, error.reply_text, class_id, method_id)
        )


class FramedChannel(ServerChannel):
    """A channel whose content comes in frames of AMQP."""

    __slots__ = ()

    connection: AMQPConnection

    # -- content

    def header(self, payload: bytes) -> None:
        """A content header. Raises AMQPError."""
        content = self.content
        if content is None:
            raise UnexpectedFrame("expected method frame, got non method frame instead")
        if content.properties is not None:
            raise UnexpectedFrame("expected content body, got non content body frame instead")
        class_id, _, size = _read_header(payload)
        if class_id != BASIC:
            raise UnexpectedFrame(
                f"expected content header for class {BASIC}, got one for class {class_id} instead"
            )
        if size > ABSOLUTE_MAX:
            raise FrameInvalid(f"content of {size} bytes is over {ABSOLUTE_MAX}")
        content.properties = self.connection.properties(payload[HEADER_SIZE:])
        content.size = content.waiting = size
        if not size:
            self._complete(content)

    def body(self, payload: bytes) -> None:
        """A piece of a body. Raises AMQPError."""
        content = self.content
        if content is None:
            raise UnexpectedFrame("expected method frame, got non method frame instead")
        if content.properties is None:
            raise UnexpectedFrame(
                f"expected content header for class {BASIC}, got non content header frame instead"
            )
        content.waiting -= len(payload)
        if content.waiting < 0:
            raise FrameInvalid(f"content has {-content.waiting} bytes more than announced")
        if payload and content.size <= self.model.max_message_size:  # else it is only counted
            content.parts.append(payload)
        if not content.waiting:
            self._complete(content)

    def _complete(self, content: Content) -> None:
        self.content = None
        if content.size > self.model.max_message_size:
            raise PreconditionFailed(
                f"message size {content.size} is larger than configured max size "
                f"{self.model.max_message_size}"
            )
        method, properties = content.method, content.properties
        assert properties is not None
        self.model.publish(
            method.exchange,
            method.routing_key,
            b"".join(content.parts),
            properties,
            method.mandatory,
            immediate=method.immediate,
        )


def decoded(payload: bytes) -> Properties:
    """The properties of a content header, which know how they are encoded."""
    properties, end = decode_properties(payload)
    if end != len(payload):
        raise FrameInvalid(f"{len(payload) - end} bytes behind the properties")
    if properties.encoded is None:
        properties.encoded = payload
    return properties
