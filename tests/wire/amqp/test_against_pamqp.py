"""Tables and properties between this codec and pamqp's, in both directions."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode as pamqp_decode
from pamqp import encode as pamqp_encode
from pamqp.commands import Basic

from minibroker import Properties
from minibroker.properties import FIELDS
from minibroker.wire.amqp import (
    decode_properties,
    decode_table,
    encode_properties,
    encode_table,
)

from .strategies import NEAR_MOMENTS, SIMPLE, carried, decimals, properties, tables


# pamqp reads decimals as unsigned, and timestamps after 2106 as milliseconds.
@given(
    tables(SIMPLE, st.floats(allow_nan=False), st.binary(max_size=8), decimals(0, 9), NEAR_MOMENTS)
)
def test_pamqp_reads_the_tables_that_are_written(values: dict[str, Any]) -> None:
    encoded = encode_table(values)
    assert pamqp_decode.field_table(encoded) == (len(encoded), carried(values))


# pamqp writes floats in 32 bits and cuts names of over 128 bytes; it does not write bytes.
@given(
    tables(
        SIMPLE,
        st.floats(allow_nan=False, width=32),
        st.binary(max_size=8).map(bytearray),
        decimals(-(2**31), 9),
        NEAR_MOMENTS,
    )
)
def test_the_tables_that_pamqp_writes_are_read(values: dict[str, Any]) -> None:
    encoded = pamqp_encode.field_table(values)
    assert decode_table(encoded) == (carried(values), len(encoded))


# A letter that pamqp reads otherwise is not here: it takes the octet 0 for a void as well.
@pytest.mark.parametrize("value", [
    b"t\x01", b"b\xf0", b"B\xf0", b"s\xf0\x01", b"u\xf0\x01", b"I\xf0\x00\x00\x01",
    b"i\xf0\x00\x00\x01", b"l\xf0\x00\x00\x00\x00\x00\x00\x01",
    b"L\x00\x00\x00\x00\x00\x00\x00\x01", b"f\x3f\xc0\x00\x00", b"S\x00\x00\x00\x01\xff", b"V",
])  # fmt: skip
def test_pamqp_gives_the_letters_the_same_meaning(value: bytes) -> None:
    body = b"\x01k" + value
    encoded = struct.pack(">I", len(body)) + body
    assert pamqp_decode.field_table(encoded)[1] == decode_table(encoded)[0]


# pamqp calls the type `message_type` and leaves out empty texts; it takes timestamps after 2106 for
# milliseconds and writes floats in 32 bits.
NAMES = {name: "message_type" if name == "type" else name for name in FIELDS}
PEERS = properties(tables(SIMPLE), NEAR_MOMENTS, st.text(min_size=1, max_size=12))


@given(PEERS)
def test_pamqp_reads_the_properties_that_are_written(original: Properties) -> None:
    encoded = encode_properties(original)
    peer = Basic.Properties()
    peer.unmarshal(int.from_bytes(encoded[:2]), encoded[2:])
    for name, theirs in NAMES.items():
        assert getattr(peer, theirs) == carried(getattr(original, name))


@given(PEERS)
def test_the_properties_that_pamqp_writes_are_read(original: Properties) -> None:
    written: dict[str, Any] = {NAMES[name]: value for name, value in original.as_dict().items()}
    encoded = Basic.Properties(**written).marshal()
    expected = {name: carried(value) for name, value in original.as_dict().items()}
    decoded, end = decode_properties(encoded)
    assert decoded.as_dict() == expected
    assert end == len(encoded)
