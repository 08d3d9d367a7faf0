"""A channel of a native connection: batches of publishes, bodies in parts, acks of ranges."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from ...errors import FrameInvalid, PreconditionFailed, SyntaxInvalid, UnexpectedFrame
from ..amqp.channel import ABSOLUTE_MAX, ServerChannel
from .shown import shown

if TYPE_CHECKING:
    from ...channel import Channel
    from ...properties import Properties
    from .connection import NativeConnection

__all__ = ["Large", "NativeChannel"]

FEW = 4
"""Acks that are as quick one by one."""
Route = tuple[str, str, "Properties", bool]


class Large:
    """A publish whose body comes in parts."""

    __slots__ = ("parts", "route", "size", "waiting")

    def __init__(self, route: Route, size: int) -> None:
        self.route = route
        self.size = size
        self.waiting = size
        """Bytes that have not come."""
        self.parts: list[bytes] = []

    def unexpected_method(self) -> UnexpectedFrame:
        """What is said to a method that comes before the body is whole."""
        return UnexpectedFrame("expected a part of a body, got a method instead")


class NativeChannel(ServerChannel):
    """One open channel, or one that the server has closed and the client not yet."""

    __slots__ = ("_native", "large")

    def __init__(self, connection: NativeConnection, number: int, model: Channel) -> None:
        super().__init__(connection, number, model)
        self._native = connection

    # -- publishing

    def publish(self, payload: list[Any]) -> None:
        """A batch of messages. Raises AMQPError for the first that is refused."""
        if self.content is not None:
            raise UnexpectedFrame("expected a part of a body, got a publish instead")
        items = payload[2] if len(payload) == 3 else None
        if type(items) is not list:
            raise SyntaxInvalid("PUBLISH has one array")
        gate, publish = self.connection.gate, self.model.publish
        route: Route | None = None
        exchange = routing_key = properties = mandatory = None
        for index, item in enumerate(items):
            if item.__class__ is bytes and route is not None:
                if gate.on:
                    self._wait(payload, route, index)
                    return
                try:
                    publish(exchange, routing_key, item, properties, mandatory)  # type: ignore[arg-type]  # a route has set them
                except (TypeError, ValueError) as error:
                    raise SyntaxInvalid(str(error)) from error
            elif item.__class__ is list:
                route = exchange, routing_key, properties, mandatory = self._route(item)
            else:
                self._begin(items, index, route)

    def _route(self, item: list[Any]) -> Route:
        if len(item) != 4:
            raise SyntaxInvalid(f"a route has 4 fields, not {len(item)}")
        exchange, routing_key, properties, mandatory = item
        if (
            type(exchange) is not str
            or type(routing_key) is not str
            or type(properties) is not bytes
            or type(mandatory) is not bool
        ):
            raise SyntaxInvalid(f"not exchange, routing key, properties, mandatory: {shown(item)}")
        for name in (exchange, routing_key):
            if len(name) > 63 and len(name.encode()) > 255:
                raise SyntaxInvalid(f"{shown(name)} is longer than 255 bytes")
        return exchange, routing_key, self._native.remembered.properties(properties), mandatory

    def _wait(self, payload: list[Any], route: Route, index: int) -> None:
        """The broker takes no messages just now: the rest of the batch has to wait."""
        exchange, routing_key, properties, mandatory = route
        packed = properties.packed or b""
        rest = [[exchange, routing_key, packed, mandatory], *payload[2][index:]]
        self._native.publish_later([*payload[:2], rest])

    # -- bodies in parts

    def _begin(self, items: list[Any], index: int, route: Route | None) -> None:
        size = items[index]
        if route is None or type(size) is not int or size < 0 or index != len(items) - 1:
            raise SyntaxInvalid(f"item {index} of PUBLISH is out of place: {shown(size)}")
        if size > ABSOLUTE_MAX:
            raise FrameInvalid(f"content of {size} bytes is over {ABSOLUTE_MAX}")
        if size > self.model.max_message_size:
            raise PreconditionFailed(
                f"message size {size} is larger than configured max size "
                f"{self.model.max_message_size}"
            )
        self.content = Large(route, size)  # type: ignore[assignment]  # its own kind of content
        if not size:
            self._complete(self.content)

    def part(self, payload: list[Any]) -> None:
        """A part of a body. Raises AMQPError."""
        large: Any = self.content
        if large is None:
            raise UnexpectedFrame("a part of a body that was not announced")
        data = payload[2] if len(payload) == 3 else None
        if type(data) is not bytes:
            raise SyntaxInvalid("PART has one bin")
        large.waiting -= len(data)
        if large.waiting < 0:
            raise FrameInvalid(f"content has {-large.waiting} bytes more than announced")
        large.parts.append(data)
        if not large.waiting:
            self._complete(large)

    def _complete(self, large: Any) -> None:
        self.content = None
        exchange, routing_key, properties, mandatory = large.route
        body = b"".join(large.parts)
        try:
            self.model.publish(exchange, routing_key, body, properties, mandatory)
        except (TypeError, ValueError) as error:
            raise SyntaxInvalid(str(error)) from error

    # -- acks

    def ack(self, payload: list[Any]) -> None:
        """Acks of ranges of delivery tags. Raises AMQPError for the first that is unknown."""
        ranges = payload[2] if len(payload) == 3 else None
        if type(ranges) is not list or len(ranges) % 2:
            raise SyntaxInvalid("ACK has one array, of pairs of first and last")
        for index in range(0, len(ranges), 2):
            first, last = ranges[index], ranges[index + 1]
            if type(first) is not int or type(last) is not int or not 0 < first <= last:
                raise SyntaxInvalid(f"{shown(first)} to {shown(last)} is no range of delivery tags")
            self._ack_range(first, last)

    def _ack_range(self, first: int, last: int) -> None:
        model = self.model
        if last - first >= FEW and last in model.unacked:
            # All unacked tags from the lowest on, in order: if so many of them end there, they
            # are those of the range, and settling them at once costs a third.
            number = last - first + 1
            if number <= len(model.unacked):
                run = list(islice(model.unacked, number))
                if run[0] == first and run[-1] == last:
                    model.ack(last, multiple=True)
                    return
        ack = model.ack
        for tag in range(first, last + 1):
            ack(tag)
