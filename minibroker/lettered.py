"""Numbers and texts of field tables whose type on the wire is not the one that Python's would get.

An AMQP field says its width: whoever sent a 16-bit number gets one back, also from a broker that
wrote the table again. In calculations and comparisons they are what they derive from. Knows no
encoding. Source: the names are those of RabbitMQ's `rabbit_binary_parser`, its errors use them.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "LETTERED",
    "Byte",
    "Float",
    "Long",
    "OddText",
    "Short",
    "UnsignedByte",
    "UnsignedInt",
    "UnsignedShort",
]


class Byte(int):
    """A signed number of 8 bits."""

    __slots__ = ()
    type_name: ClassVar[str] = "byte"


class UnsignedByte(int):
    """An unsigned number of 8 bits."""

    __slots__ = ()
    type_name: ClassVar[str] = "unsignedbyte"


class Short(int):
    """A signed number of 16 bits."""

    __slots__ = ()
    type_name: ClassVar[str] = "short"


class UnsignedShort(int):
    """An unsigned number of 16 bits."""

    __slots__ = ()
    type_name: ClassVar[str] = "unsignedshort"


class UnsignedInt(int):
    """An unsigned number of 32 bits."""

    __slots__ = ()
    type_name: ClassVar[str] = "unsignedint"


class Long(int):
    """A signed number of 64 bits, however small it is."""

    __slots__ = ()
    type_name: ClassVar[str] = "long"


class Float(float):
    """A number with a point of 32 bits."""

    __slots__ = ()
    type_name: ClassVar[str] = "float"


class OddText(bytes):
    """A long string that is not UTF-8."""

    type_name: ClassVar[str] = "longstr"


LETTERED: dict[
    str, type[Byte | UnsignedByte | Short | UnsignedShort | UnsignedInt | Long | Float | OddText]
] = {
    "b": Byte,
    "B": UnsignedByte,
    "s": Short,
    "u": UnsignedShort,
    "i": UnsignedInt,
    "l": Long,
    "f": Float,
    "S": OddText,
}
"""By their letters on the wire."""
