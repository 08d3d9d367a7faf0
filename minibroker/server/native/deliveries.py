"""What lies in a connection's outbox, as frames of the native protocol: runs become one frame.

And the credit: bytes of deliveries that the client takes before it grants more. What it does not
take waits here, at most one window of it, for the model pauses consumers meanwhile.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ...wire.amqp.spec import BasicGetOk, BasicReturn
from ...wire.native import BULK, DELIVER, GOT, RETURN, frame, pack_properties, part_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...message import Message
    from ...queues.consumers import Consumer
    from ...queues.entry import Entry
    from ...wire.amqp.frames import Piece
    from ...wire.amqp.spec import MethodRecord

__all__ = ["NativeDeliveries"]

BOUNDLESS = 1 << 62
NAMES = 1024
"""Bytes of a frame that are kept for what is neither body nor properties."""
PER_BODY = 5
"""Bytes of a body's head, at most."""


class NativeDeliveries:
    """Encodes for one connection. Not thread-safe."""

    def __init__(self, frame_max: int, credit: int | None = None) -> None:
        self.frame_max = frame_max
        self.most = frame_max - NAMES
        """Bytes of one frame's bodies and properties."""
        self.bulk = min(self.most + 1, BULK)
        """Bytes of a body that comes in parts."""
        self.bulky = False
        """Whether there is a large piece in the output since somebody last asked."""
        self.credit = BOUNDLESS if credit is None else credit
        self.held: deque[Entry] = deque()
        """Deliveries that wait for credit, in order."""
        self._consumer: Consumer | None = None
        self._first = self._next = 0
        self._items: list[Any] = []
        self._size = 0
        self._last: tuple[Any, ...] = ()
        """Exchange, routing key, properties and redelivered of the last route."""

    def forget(self) -> None:
        """Consumers have ended: nothing is remembered of them."""

    # -- deliveries

    def deliver(self, entry: Entry, out: list[Piece]) -> None:
        """Put a delivery into the frame that is made. Raises what `pack_properties` raises."""
        if self.credit <= 0 or self.held:
            self.held.append(entry)
            return
        message = entry.message
        body = message.body
        size = len(body)
        consumer, tag = entry.consumer, entry.tag
        if consumer is not self._consumer or tag != self._next or self._size + size > self.most:
            self.finish(out)
            self._consumer = consumer
            self._first = tag
        last = self._last
        if not (
            last
            and message.properties is last[2]
            and message.routing_key == last[1]
            and message.exchange == last[0]
            and entry.redelivered == last[3]
        ):
            self._route(entry, out)
        self.credit -= size
        if size >= self.bulk:
            self._large(body, out)
            return
        self._items.append(body)
        self._size += size + PER_BODY
        self._next = tag + 1

    def _route(self, entry: Entry, out: list[Piece]) -> None:
        message = entry.message
        packed = message.properties.packed
        if packed is None:
            try:
                packed = pack_properties(message.properties)
            except (TypeError, ValueError):
                if not self._items:
                    self._consumer = None  # nothing of this frame is there
                raise
        if self._items and self._size + len(packed) + len(message.body) > self.most:
            consumer = self._consumer
            self.finish(out)
            self._consumer, self._first = consumer, entry.tag
        self._last = (
            message.exchange, message.routing_key, message.properties, entry.redelivered
        )  # fmt: skip
        self._items.append([message.exchange, message.routing_key, packed, entry.redelivered])
        self._size += len(packed) + len(message.exchange) + len(message.routing_key)

    def _large(self, body: bytes, out: list[Piece]) -> None:
        """A body that needs frames of its own; its route is the last item."""
        number = self._number()
        self._items.append(len(body))
        self.finish(out)
        self._parts(number, body, out)

    def _number(self) -> int:
        assert self._consumer is not None
        return self._consumer.channel.number

    def _parts(self, number: int, body: bytes, out: list[Piece]) -> None:
        out += part_frames(number, body, self.most)
        self.bulky = True

    def finish(self, out: list[Piece]) -> None:
        """End the frame that is made, if there is one."""
        consumer = self._consumer
        if consumer is not None and self._items:
            out.append(
                frame([DELIVER, consumer.channel.number, consumer.tag, self._first, self._items])
            )
        self._consumer = None
        self._items = []
        self._size = 0
        self._last = ()

    # -- credit

    def grant(self, size: int) -> None:
        """The client takes so many more bytes."""
        self.credit = min(self.credit + size, BOUNDLESS)

    def release(self, out: list[Piece], drop: Callable[[Entry, Exception], None]) -> None:
        """Deliver what waited, as far as the credit goes; what went back meanwhile is left out.

        `drop` is told of one that cannot be carried.
        """
        waiting, self.held = self.held, deque()
        while waiting and self.credit > 0:
            entry = waiting.popleft()
            if _is_wanted(entry):
                try:
                    self.deliver(entry, out)
                except (TypeError, ValueError) as error:
                    drop(entry, error)
        self.held = waiting

    # -- other content

    def content(
        self, number: int, method: MethodRecord, message: Message, out: list[Piece]
    ) -> None:
        """Append the frames of `basic.return` or `get-ok`."""
        self.finish(out)
        packed = pack_properties(message.properties)
        body = message.body
        redelivered = isinstance(method, BasicGetOk) and method.redelivered
        route = [message.exchange, message.routing_key, packed, redelivered]
        if isinstance(method, BasicGetOk):
            head = [GOT, number, method.delivery_tag, method.message_count, route]
        else:
            assert isinstance(method, BasicReturn)
            head = [RETURN, number, method.reply_code, method.reply_text, route]
        fits = len(body) < self.bulk and len(body) + len(packed) <= self.most
        out.append(frame([*head, body if fits else len(body)]))
        if not fits:
            self._parts(number, body, out)


def _is_wanted(entry: Entry) -> bool:
    """Whether a delivery that waited is still one: its channel may have ended, or recovered it."""
    consumer = entry.consumer
    if consumer is None or consumer.channel.closed:
        return False
    return consumer.no_ack or consumer.channel.unacked.get(entry.tag) is entry
