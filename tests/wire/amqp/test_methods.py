"""Methods as bytes: what was written is read, and what is no method is refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibroker.errors import CommandInvalid, FrameInvalid, SyntaxInvalid
from minibroker.wire.amqp import decode_method, encode_method, spec
from minibroker.wire.amqp.spec import BY_ID, LAYOUTS

from .records import domains, records
from .strategies import TABLES, carried, damaged

if TYPE_CHECKING:
    from minibroker.wire.amqp.spec import MethodRecord

ANY = st.sampled_from(list(LAYOUTS)).flatmap(lambda record: records(record, domains(TABLES)))


@pytest.mark.parametrize("record", LAYOUTS, ids=lambda record: record.__name__)
@settings(max_examples=15)
@given(st.data())
def test_what_was_written_is_read(record: type[MethodRecord], data: st.DataObject) -> None:
    method = data.draw(records(record, domains(TABLES)))
    encoded = encode_method(method)
    assert struct.unpack_from(">HH", encoded) == LAYOUTS[record][:2]
    read = decode_method(encoded)
    assert type(read) is record
    assert list(read) == [carried(value) for value in method]


@pytest.mark.parametrize("record", LAYOUTS, ids=lambda record: record.__name__)
def test_a_method_cut_at_any_byte_is_refused(record: type[MethodRecord]) -> None:
    encoded = encode_method(record())
    for cut in range(4, len(encoded)):
        with pytest.raises((FrameInvalid, SyntaxInvalid)):
            decode_method(encoded[:cut])


@pytest.mark.parametrize("record", LAYOUTS, ids=lambda record: record.__name__)
def test_a_method_with_bytes_behind_it_is_refused(record: type[MethodRecord]) -> None:
    with pytest.raises(FrameInvalid, match="cannot decode"):
        decode_method(encode_method(record()) + b"\x00\x00")


@pytest.mark.parametrize("ids", [(10, 12), (0, 0), (60, 121), (65535, 65535), (70, 10)])
def test_a_method_that_there_is_not_is_refused_by_its_ids(ids: tuple[int, int]) -> None:
    assert ids not in BY_ID
    with pytest.raises(CommandInvalid, match=rf"unknown method {ids[0]}\.{ids[1]}$"):
        decode_method(struct.pack(">HH", *ids) + b"anything")


@pytest.mark.parametrize(
    "method",
    [
        spec.QueuePurge("q" * 256),
        spec.BasicAck(2**64),
        spec.BasicAck(-1),
        spec.BasicQos(0, 65536),
        spec.QueueDeclare("q", arguments={"x": 2**63}),
    ],
)
def test_what_a_field_cannot_hold_is_not_written(method: MethodRecord) -> None:
    with pytest.raises((ValueError, struct.error)):
        encode_method(method)


@settings(max_examples=300)
@given(damaged(ANY.map(encode_method)))
def test_any_bytes_are_a_method_or_refused(data: bytes) -> None:
    if len(data) < 4:
        return
    try:
        method = decode_method(data)
    except (FrameInvalid, SyntaxInvalid, CommandInvalid):
        return
    assert list(decode_method(encode_method(method))) == list(method)
