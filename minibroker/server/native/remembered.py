"""Properties that repeat, by their bytes: decoded once. Knows no frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...properties import PLAIN
from ...wire.native import unpack_properties

if TYPE_CHECKING:
    from ...properties import Properties

__all__ = ["Remembered"]

MOST = 1000
"""Properties that are remembered at one time."""
SHORT = 256
"""Bytes up to which they are worth remembering."""


class Remembered:
    """For one connection. Not thread-safe."""

    __slots__ = ("_properties",)

    def __init__(self) -> None:
        self._properties: dict[bytes, Properties] = {}

    def properties(self, data: bytes) -> Properties:
        """The properties of bytes. Raises SyntaxInvalid."""
        if not data:
            return PLAIN
        found = self._properties.get(data)
        if found is not None:
            return found
        properties = unpack_properties(data)
        if len(data) <= SHORT:
            if len(self._properties) >= MOST:
                self._properties.clear()
            self._properties[data] = properties
        return properties
