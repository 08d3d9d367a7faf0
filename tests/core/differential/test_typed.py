"""Field tables and properties with the type of each value."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.differential import typed
from minibroker.properties import FIELDS, Properties
from minibroker.wire import amqp

EVERY = [
    ["t", True], ["b", -1], ["B", 255], ["s", -2], ["u", 65535], ["I", -3], ["i", 4_000_000_000],
    ["l", 1 << 40], ["L", -5], ["f", 0.5], ["d", 0.1], ["D", [2, 314]], ["S", "caf\u00e9"],
    ["S", "\udcff"], ["x", "00ff"], ["T", 1_700_000_000], ["V", None],
    ["A", [["I", 1], ["V", None]]],
    ["F", [["in", ["t", False]]]],
]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(EVERY)), max_size=8))
def test_a_table_comes_back_with_its_types_and_its_order(fields: list[tuple[str, object]]) -> None:
    table = [list(field) for field in fields]
    encoded = typed.encode_table(table)
    assert typed.decode_table(b"xy" + encoded, 2) == (table, 2 + len(encoded))


def test_a_table_is_what_the_codec_reads() -> None:
    table = [["a", ["I", 1]], ["b", ["S", "x"]], ["c", ["A", [["t", True]]]], ["d", ["F", []]]]
    fields, _ = amqp.decode_table(typed.encode_table(table))
    assert fields == {"a": 1, "b": "x", "c": [True], "d": {}}


def test_the_properties_come_back() -> None:
    properties: dict[str, typed.Json] = dict.fromkeys(FIELDS, "text")
    properties |= {"headers": [["h", ["b", 1]]], "delivery_mode": 2, "priority": 9}
    properties["timestamp"] = 1_700_000_000
    encoded = typed.encode_properties(properties)
    assert typed.decode_properties(encoded) == properties
    assert amqp.decode_properties(encoded)[0].headers == {"h": 1}
    assert typed.encode_properties({}) == amqp.encode_properties(Properties())


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(ValueError, match="no field type 'q'"):
        typed.encode_table([["a", ["q", 1]]])
    with pytest.raises(ValueError, match="no field type 'q'"):
        typed.decode_table(b"\x00\x00\x00\x03\x01aq")
    with pytest.raises(struct.error):
        typed.encode_table([["a", ["b", 128]]])
    with pytest.raises(ValueError, match="2 bytes after the properties"):
        typed.decode_properties(b"\x00\x00ab")
