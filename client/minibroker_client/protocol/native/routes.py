"""Routes of deliveries that repeat, made once. Knows no frame."""

from __future__ import annotations

from typing import Any

from minibroker.errors import AMQPError as WireError
from minibroker.properties import Properties
from minibroker.wire.native import unpack_properties

from ... import exceptions
from ..deliveries import Route

__all__ = ["Routes", "decoded"]

REMEMBERED = 1000
SHORT = 256
"""Bytes of packed properties up to which they are worth remembering."""


def decoded(packed: bytes) -> Properties:
    """The properties of bytes. Raises SyntaxInvalid."""
    try:
        return unpack_properties(packed)
    except WireError as error:
        raise exceptions.SyntaxInvalid(error.reply_text) from error


class Routes:
    """For one connection."""

    __slots__ = ("_routes",)

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str, bytes], Route] = {}

    def of(self, item: list[Any]) -> Route:
        """The route of its first three fields."""
        key = item[0], item[1], item[2]
        route = self._routes.get(key)
        if route is None:
            route = Route(*key, decoded)
            if len(item[2]) <= SHORT:
                if len(self._routes) >= REMEMBERED:
                    self._routes.clear()
                self._routes[key] = route
        return route
