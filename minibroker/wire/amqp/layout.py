"""How the fields of a method are laid out as bytes. Knows no method.

Source: AMQP 0-9-1 section 4.2.5: bits that follow each other share octets, the lowest first.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ...errors import FrameInvalid
from .table import decode_table, encode_table, short

__all__ = ["Layout"]

SHOWN = 60
"""Octets that an error shows; RabbitMQ cuts its texts at 255 bytes."""
MAX_SHORT = 255
"""Bytes of a short string (AMQP 0-9-1 section 4.2.5.3)."""

_Reader: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
_Writer: TypeAlias = Callable[[Any], bytes]


def _number(layout: str) -> tuple[_Reader, _Writer]:
    form = struct.Struct(layout)
    unpack, size = form.unpack_from, form.size

    def read(data: bytes, at: int) -> tuple[int, int]:
        return unpack(data, at)[0], at + size

    return read, form.pack


def _read_short_text(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    if end > len(data):
        raise IndexError
    return data[at + 1 : end].decode(), end


def _write_short_text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > MAX_SHORT:
        raise ValueError(f"{short.repr(text)} is longer than {MAX_SHORT} bytes")
    return bytes((len(raw),)) + raw


def _read_long_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 4 + int.from_bytes(data[at : at + 4], "big")
    if at + 4 > len(data) or end > len(data):
        raise IndexError
    return data[at + 4 : end], end


def _write_long_bytes(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


_DOMAINS: dict[str, tuple[_Reader, _Writer]] = {
    "octet": _number(">B"),
    "short": _number(">H"),
    "long": _number(">I"),
    "longlong": _number(">Q"),
    "shortstr": (_read_short_text, _write_short_text),
    "longstr": (_read_long_bytes, _write_long_bytes),
    "table": (decode_table, encode_table),
}
_BLANK: dict[str, object] = {"short": 0, "shortstr": "", "longstr": b"", "bit": False}
"""What a reserved field carries."""


class Layout:
    """The fields of one method, from words such as "-short shortstr bit bit table".

    A word with a dash in front is a reserved field, which is skipped when it is read, and blank
    when it is written.
    """

    __slots__ = ("_fields",)

    def __init__(self, words: str) -> None:
        self._fields = [(word.lstrip("-"), word.startswith("-")) for word in words.split()]

    @property
    def domains(self) -> list[str]:
        """The domains of the fields that are not reserved."""
        return [domain for domain, reserved in self._fields if not reserved]

    def encode(self, values: Iterable[Any]) -> bytes:
        """The fields as bytes. Raises TypeError, ValueError or struct.error for what is none."""
        given = iter(values)
        parts: list[bytes] = []
        bits = count = 0
        for domain, reserved in self._fields:
            value = _BLANK[domain] if reserved else next(given)
            if domain == "bit":
                if count == 8:
                    parts.append(bytes((bits,)))
                    bits = count = 0
                bits |= bool(value) << count
                count += 1
                continue
            if count:
                parts.append(bytes((bits,)))
                bits = count = 0
            parts.append(_DOMAINS[domain][1](value))
        if count:
            parts.append(bytes((bits,)))
        return b"".join(parts)

    def decode(self, data: bytes, at: int = 0) -> list[Any]:
        """The values of the fields that are not reserved; `data` ends where they end.

        Raises FrameInvalid for what are not these fields, SyntaxInvalid for a table that is none.
        """
        values: list[Any] = []
        bits = count = 0
        start = at
        try:
            for domain, reserved in self._fields:
                if domain == "bit":
                    if not count:
                        bits, count, at = data[at], 8, at + 1
                    value: Any = bool(bits & 1)
                    bits, count = bits >> 1, count - 1
                else:
                    count = 0
                    value, at = _DOMAINS[domain][0](data, at)
                if not reserved:
                    values.append(value)
        except (IndexError, struct.error):
            raise _undecodable(data, start) from None
        except UnicodeDecodeError:
            raise FrameInvalid("Malformed UTF-8 in shortstr") from None
        if at != len(data):
            raise _undecodable(data, start)
        return values


def _undecodable(data: bytes, begin: int) -> FrameInvalid:
    octets = ",".join(str(octet) for octet in data[begin : begin + SHOWN])
    return FrameInvalid(f"cannot decode <<{octets}>>")
