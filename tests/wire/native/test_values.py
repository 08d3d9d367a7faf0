from __future__ import annotations

import struct
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.errors import SyntaxInvalid
from minibroker.fields import FarTimestamp
from minibroker.lettered import Byte, Float, Long, OddText, Short, UnsignedInt
from minibroker.wire.amqp import decode_table, encode_table
from minibroker.wire.native import pack, unpack

from ..amqp.strategies import TABLES


@given(TABLES)
def test_a_table_of_amqp_comes_back_with_every_type_it_had(table: dict[str, object]) -> None:
    carried, _ = decode_table(encode_table(table))  # type: ignore[arg-type]  # drawn to fit
    assert encode_table(unpack(pack(carried))) == encode_table(carried)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), Decimal("-12.5"), FarTimestamp(1 << 60),
        Byte(-5), Short(7), UnsignedInt(9), Long(11), Float(0.5), None, True, -1, 1.5, "é", b"\0",
        [1, [2, {"a": None}]], {"k": {"l": [Short(1)]}},
    ],
)  # fmt: skip
def test_a_value_comes_back_as_it_was(value: object) -> None:
    again = unpack(pack(value))
    assert again == value
    assert type(again) is type(value)


def test_text_that_is_not_unicode_comes_back_byte_by_byte() -> None:
    [text] = unpack(pack([OddText(b"\xff\xfe")]))
    assert encode_table({"v": text}) == encode_table({"v": OddText(b"\xff\xfe")})


def test_subclasses_and_other_mappings_are_packed_as_what_they_are() -> None:
    class Number(int):
        pass

    class Text(str):
        __slots__ = ()

    class Real(float):
        pass

    class Raw(bytes):
        pass

    given_ = [(1, 2), MappingProxyType({"a": 1}), Number(3), Text("t"), Real(0.5), Raw(b"r")]
    assert unpack(pack(given_)) == [[1, 2], {"a": 1}, 3, "t", 0.5, b"r"]


@pytest.mark.parametrize(("value", "text"), [(object(), "no AMQP field"), ({1, 2}, "set")])
def test_what_no_field_holds_cannot_be_packed(value: object, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        pack(value)


def test_a_number_over_64_bits_cannot_be_packed() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        pack([1 << 64])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not msgpack"), (b"\xc1", "not msgpack"), (b"\x91", "not msgpack"),
        (b"\x01\x02", "not msgpack"), (b"\xdd\xff\xff\xff\xff", "not msgpack"),
        (b"\xdb\xff\xff\xff\xff", "not msgpack"), (b"\xa1\xff", "not UTF-8"),
        (b"\x91" * 3000 + b"\xc0", "not msgpack"), (b"\x81\x01\x02", "not msgpack"),
        (msgpack.packb(msgpack.ExtType(2, b"")), "extension type 2"),
        (msgpack.packb(msgpack.ExtType(1, b"")), "byte"),
        (msgpack.packb(msgpack.ExtType(1, b"V\x01wV")), "not one field"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(SyntaxInvalid, match=text):
        unpack(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        unpack(data)
    except SyntaxInvalid as error:
        assert error.reply_text


def test_an_extension_is_the_field_as_amqp_writes_it() -> None:
    data = pack(Decimal("1.5"))
    assert data == b"\xc7\x06\x01D" + struct.pack(">BI", 1, 15)
