"""The hot half of a channel as AMQP frames: publishes and acks. Knows no handshake."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from minibroker.wire.amqp import encode_properties
from minibroker.wire.amqp.constants import BODY, HEADER
from minibroker.wire.amqp.frames import BASIC, body_frames, method_frame
from minibroker.wire.amqp.spec import BasicAck, BasicPublish

from ..channel import ProtocolChannel

if TYPE_CHECKING:
    from minibroker.properties import Properties
    from minibroker.wire.amqp.spec import MethodRecord

    from ...transport.base import Listener
    from ..deliveries import Subscription
    from .connection import AMQPConnection

__all__ = ["AMQPChannel", "Content"]

REMEMBERED = 1000
"""Beginnings of publishes that are remembered at one time."""
OVERHEAD = 30
"""Bytes of a publish that are not counted otherwise, about."""
_pack_header = struct.Struct(">IHHQ").pack
_pack_kind = struct.Struct(">BH").pack
_pack_body = struct.Struct(">BBHI").pack
_END = b"\xce"


class Content:
    """A method whose header and body are still coming."""

    __slots__ = ("header", "method", "parts", "waiting")

    def __init__(self, method: MethodRecord) -> None:
        self.method = method
        self.header: bytes | None = None
        """The encoded properties; None while they have not come."""
        self.waiting = 0
        """Bytes of the body that have not come."""
        self.parts: list[bytes] = []


class AMQPChannel(ProtocolChannel):
    """A channel of an `AMQPConnection`."""

    connection: AMQPConnection

    def __init__(self, connection: AMQPConnection, number: int, listener: Listener) -> None:
        super().__init__(connection, number, listener)
        self.content: Content | None = None
        self.by_key: dict[bytes, Subscription] = {}
        """The consumers by their tags as bytes."""
        self._begun: dict[tuple[str, str, bool], bytes] = {}
        self._acked = 0
        """All deliveries up to here are acked, but for those of the run."""
        self._run = 0
        """How many behind those are acked, and not sent."""
        self._early: set[int] = set()
        """Acked ones behind one that is not."""

    def encode(self, properties: Properties) -> bytes:
        """See the base."""
        data = properties.encoded
        if data is None:
            data = properties.encoded = encode_properties(properties)
        return data

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> int:
        """basic.publish. `ValueError` for a name over 255 bytes."""
        connection = self.connection
        if self.closed or connection.blocked is not None:
            self.before_publish(timeout)
        begun = self._begun.get((exchange, routing_key, mandatory))
        if begun is None:
            begun = self._begin(exchange, routing_key, mandatory)
        encoded = properties.encoded or self.encode(properties)
        size = len(body)
        number = 0
        with connection.guard:
            if self._run:
                self.put_acks()
            if self.confirming:
                number = self.confirms.last + 1
                self.confirms.published(number)
            out = connection.out
            out += (begun, _pack_header(12 + len(encoded), BASIC, 0, size), encoded)
            if 0 < size <= connection.most:
                out += (_pack_body(0xCE, BODY, self.number, size), body, _END)
            else:
                out.append(_END)
                out += body_frames(self.number, body, connection.frame_max)
            connection.size += len(begun) + len(encoded) + size + OVERHEAD
        connection.shell.written()
        return number

    def _begin(self, exchange: str, routing_key: str, mandatory: bool) -> bytes:
        """The method's frame, and the beginning of the header's, which is always the same."""
        method = BasicPublish(exchange, routing_key, mandatory)
        if len(self._begun) >= REMEMBERED:
            self._begun.clear()
        begun = method_frame(self.number, method) + _pack_kind(HEADER, self.number)
        self._begun[exchange, routing_key, mandatory] = begun
        return begun

    # -- acks: those that follow each other become one with `multiple`

    def ack(self, tag: int, multiple: bool = False) -> None:
        """basic.ack. An error comes later: `drain` raises it, or what is called next."""
        if self.closed or self.base:
            self.ensure_open()
            tag = self.own(tag)
        connection = self.connection
        with connection.guard:
            if multiple:
                self._ack_up_to(tag)
            elif tag == self._acked + self._run + 1:
                if not self._run:
                    connection.dirty.append(self)
                self._run += 1
                connection.size += 1
                if self._early:
                    self._skip_early()
            else:
                self.put_acks()
                self._put(BasicAck(tag))
                self._note_early(tag)
        connection.shell.written()

    def _ack_up_to(self, tag: int) -> None:
        self.put_acks()
        self._put(BasicAck(tag, multiple=True))
        self._acked = max(self._acked, tag or self.last_tag)
        self._early = {early for early in self._early if early > self._acked}

    def _note_early(self, tag: int) -> None:
        if len(self._early) >= REMEMBERED * 10:
            self._early.clear()  # then each is acked by itself: as right, and slower
        if tag > self._acked:
            self._early.add(tag)

    def _skip_early(self) -> None:
        while self._acked + self._run + 1 in self._early:
            self.put_acks()
            self._acked += 1
            self._early.discard(self._acked)

    def put_acks(self) -> None:
        """Put the run of acks into what is to be sent. Under the guard."""
        run = self._run
        if run:
            self._acked += run
            self._run = 0
            self._put(BasicAck(self._acked, multiple=run > 1))

    def _put(self, method: MethodRecord) -> None:
        frame = method_frame(self.number, method)
        self.connection.out.append(frame)
        self.connection.size += len(frame)

    def nack(self, tag: int, multiple: bool = False, requeue: bool = True) -> None:
        """basic.nack. Errors as `ack`."""
        super().nack(tag, multiple, requeue)
        self._passed(self.own(tag), multiple)

    def reject(self, tag: int, requeue: bool = True) -> None:
        """basic.reject. Errors as `ack`."""
        super().reject(tag, requeue)
        self._passed(self.own(tag), False)

    def _passed(self, tag: int, multiple: bool) -> None:
        """A delivery is settled otherwise: acks of later ones may cover it."""
        with self.connection.guard:
            if multiple:
                self._acked = max(self._acked, tag or self.last_tag)
                self._early = {early for early in self._early if early > self._acked}
            else:
                self._note_early(tag)
            while self._acked + 1 in self._early:
                self._acked += 1
                self._early.discard(self._acked)

    # -- consumers

    def subscribed(self, consumer: Subscription) -> None:
        """See the base."""
        super().subscribed(consumer)
        self.by_key[consumer.tag.encode()] = consumer

    def unsubscribed(self, tag: str) -> None:
        """See the base."""
        super().unsubscribed(tag)
        self.by_key.pop(tag.encode(), None)
