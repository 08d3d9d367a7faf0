from __future__ import annotations

from datetime import UTC, datetime

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.errors import SyntaxInvalid
from minibroker.properties import PLAIN, Properties
from minibroker.wire.amqp import decode_properties, encode_properties
from minibroker.wire.native import pack_properties, unpack_properties

from ..amqp.strategies import MOMENTS, TABLES
from ..amqp.strategies import properties as drawn


@given(drawn(TABLES, MOMENTS, st.text(max_size=20)))
def test_properties_come_back_in_either_encoding(properties: Properties) -> None:
    again = unpack_properties(pack_properties(properties))
    assert encode_properties(again) == encode_properties(properties)
    over_amqp, _ = decode_properties(encode_properties(properties))
    assert encode_properties(unpack_properties(pack_properties(over_amqp))) == encode_properties(
        properties
    )


def test_properties_are_packed_once_and_remember_what_they_came_as() -> None:
    properties = Properties(message_id="1")
    data = pack_properties(properties)
    assert pack_properties(properties) is data
    assert unpack_properties(data).packed is data


def test_no_properties_are_no_bytes() -> None:
    assert pack_properties(Properties()) == b""
    assert unpack_properties(b"") is PLAIN


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "not a map"), ({"colour": 1}, "'colour' is not known"), ({"type": 1}, "'type'"),
        ({"type": "x" * 256}, "short text"), ({"priority": 256}, "octet"),
        ({"priority": True}, "octet"), ({"headers": []}, "no map"),
        ({"headers": {"k" * 256: 1}}, "headers"), ({"headers": {"a": 1 << 63}}, "64 bits"),
        ({"timestamp": 5}, "no timestamp"),
    ],
)  # fmt: skip
def test_wrong_properties_are_refused_and_named(values: object, text: str) -> None:
    with pytest.raises(SyntaxInvalid, match=text):
        unpack_properties(msgpack.packb(values))


@pytest.mark.parametrize(
    "properties",
    [
        Properties(type="x" * 256),
        Properties(timestamp=datetime(2020, 1, 1)),  # noqa: DTZ001 -- on purpose
        Properties(priority=-1),
    ],
)
def test_what_amqp_cannot_carry_is_refused_here_too(properties: Properties) -> None:
    with pytest.raises(ValueError, match="property"):
        pack_properties(properties)


def test_a_timestamp_stays_one() -> None:
    when = datetime(2020, 1, 1, tzinfo=UTC)
    assert unpack_properties(pack_properties(Properties(timestamp=when))).timestamp == when
