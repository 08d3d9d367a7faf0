"""Methods, content headers and bodies between this codec and pamqp's, in both directions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.frame import marshal, unmarshal
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from minibroker import Properties
from minibroker.wire.amqp import decode_method, encode_properties, spec
from minibroker.wire.amqp.constants import HEARTBEAT_FRAME
from minibroker.wire.amqp.frames import body_frames, header_frame, method_frame
from minibroker.wire.amqp.spec import LAYOUTS, method_name

from .records import SHORT_TEXTS, domains, numbers, records
from .strategies import NEAR_MOMENTS, SIMPLE, carried, properties, tables

if TYPE_CHECKING:
    from minibroker.wire.amqp.spec import MethodRecord

NAMES = st.text("abcXYZ019-_.:@#,/+ ", max_size=127)
"""The names that pamqp takes."""


def in_order(value: Any) -> Any:
    """The same with the names of all tables in order, as pamqp writes them."""
    if isinstance(value, dict):
        return {name: in_order(value[name]) for name in sorted(value)}
    return [in_order(each) for each in value] if isinstance(value, list) else value


EQUAL = tables(st.booleans(), st.text(max_size=8)).map(in_order)
"""Tables that both write with the same bytes: pamqp has its own widths for numbers."""
KNOWN = [record for record, ids in LAYOUTS.items() if ids[0] != 30]
"""The methods that pamqp knows: all but those of class access."""
NAMED = {"exchange", "queue", "destination", "source", "virtual_host", "routing_key"}
RENAMED = {("ExchangeDeclare", "type"): "exchange_type"}
FILLED = {spec.ChannelOpen, spec.ChannelOpenOk}
"""Where pamqp writes something into a reserved field."""
CHANNELS = numbers(16)


def drawn(record: type[MethodRecord], data: st.DataObject, the_tables: Any) -> MethodRecord:
    """A method with fields that pamqp takes: octets and tags are signed."""
    narrow = {
        "octet": st.integers(0, 127),
        "longlong": numbers(63),
        "longstr": st.text(max_size=20).map(str.encode),
    }
    method = data.draw(records(record, {**domains(the_tables), **narrow}))
    fields: tuple[str, ...] = record._fields  # type: ignore[attr-defined]  # a NamedTuple
    names = {name: data.draw(NAMES) for name in fields if name in NAMED}
    return method._replace(**names)  # type: ignore[attr-defined, no-any-return]  # a NamedTuple


def theirs(method: MethodRecord) -> Any:
    """The same method as pamqp has it."""
    class_id, method_id, _ = LAYOUTS[type(method)]
    kind = commands.INDEX_MAPPING[class_id << 16 | method_id]
    fields: dict[str, Any] = method._asdict()  # type: ignore[attr-defined]  # a NamedTuple
    name = type(method).__name__
    given = {RENAMED.get((name, field), field): _read(each) for field, each in fields.items()}
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return kind(**given)


def _read(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def values(method: MethodRecord, peer: Any) -> tuple[list[Any], list[Any]]:
    """Our values, as they come back, and pamqp's."""
    name = type(method).__name__
    fields: tuple[str, ...] = method._fields  # type: ignore[attr-defined]  # a NamedTuple
    return (
        [_read(carried(value)) for value in method],
        [getattr(peer, RENAMED.get((name, field), field)) for field in fields],
    )


@pytest.mark.parametrize("record", KNOWN, ids=lambda record: record.__name__)
def test_pamqp_has_the_same_name_for_a_method(record: type[MethodRecord]) -> None:
    class_id, method_id, _ = LAYOUTS[record]
    kind: Any = commands.INDEX_MAPPING[class_id << 16 | method_id]
    ours = method_name(class_id, method_id).replace("-", "").replace(".", "")
    assert ours == kind.name.replace(".", "").lower()


@pytest.mark.parametrize(
    "record",
    [record for record in KNOWN if record not in FILLED],
    ids=lambda record: record.__name__,
)
@settings(max_examples=20)
@given(st.data())
def test_a_method_is_written_with_the_bytes_of_pamqp(
    record: type[MethodRecord], data: st.DataObject
) -> None:
    method, channel = drawn(record, data, EQUAL), data.draw(CHANNELS)
    assert method_frame(channel, method) == marshal(theirs(method), channel)


@pytest.mark.parametrize("record", KNOWN, ids=lambda record: record.__name__)
@settings(max_examples=20)
@given(st.data())
def test_each_reads_the_methods_that_the_other_writes(
    record: type[MethodRecord], data: st.DataObject
) -> None:
    method, channel = drawn(record, data, tables(SIMPLE)), data.draw(CHANNELS)
    ours = method_frame(channel, method)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        size, number, peer = unmarshal(ours)
    assert (size, number) == (len(ours), channel)
    mine, other = values(method, peer)
    assert mine == other
    written = marshal(theirs(method), channel)
    assert [_read(value) for value in decode_method(written[7:-1])] == mine


@given(CHANNELS, numbers(64), properties(tables(SIMPLE), NEAR_MOMENTS, SHORT_TEXTS))
def test_pamqp_reads_content_headers(channel: int, size: int, written: Properties) -> None:
    ours = header_frame(channel, size, encode_properties(written))
    consumed, number, peer = unmarshal(ours)
    assert (consumed, number) == (len(ours), channel)
    assert isinstance(peer, ContentHeader)
    assert [peer.class_id, peer.weight, peer.body_size] == [60, 0, size]
    assert peer.properties.message_id == written.message_id
    assert (peer.properties.headers or None) == (carried(written.headers) or None)


@given(CHANNELS, numbers(64), st.text(min_size=1, max_size=50))
def test_content_headers_have_the_bytes_of_pamqp(channel: int, size: int, text: str) -> None:
    written = Properties(content_type=text, delivery_mode=2, priority=4)
    peer = Basic.Properties(content_type=text, delivery_mode=2, priority=4)
    assert header_frame(channel, size, encode_properties(written)) == marshal(
        ContentHeader(0, size, peer), channel
    )


@given(CHANNELS, st.binary(max_size=100), st.integers(9, 60))
def test_bodies_have_the_bytes_of_pamqp(channel: int, body: bytes, frame_max: int) -> None:
    most = frame_max - 8
    pieces = [body[at : at + most] for at in range(0, len(body), most)]
    assert b"".join(body_frames(channel, body, frame_max)) == b"".join(
        marshal(ContentBody(piece), channel) for piece in pieces
    )


def test_a_heartbeat_has_the_bytes_of_pamqp() -> None:
    assert marshal(Heartbeat(), 0) == HEARTBEAT_FRAME
