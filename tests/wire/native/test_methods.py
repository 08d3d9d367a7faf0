from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.errors import CommandInvalid, SyntaxInvalid
from minibroker.wire.amqp import encode_method, spec
from minibroker.wire.amqp.spec import LAYOUTS, MethodRecord
from minibroker.wire.native import METHOD, Reader, method_frame, method_of

from ..amqp.records import domains, records
from ..amqp.strategies import TABLES

ANY = st.sampled_from(list(LAYOUTS)).flatmap(lambda record: records(record, domains(TABLES)))


@given(ANY)
def test_every_method_comes_back_as_it_was(method: MethodRecord) -> None:
    [payload] = Reader(1 << 24).feed(method_frame(7, method))
    class_id, method_id, _ = LAYOUTS[type(method)]
    assert payload[:3] == [METHOD, 7, class_id << 16 | method_id]
    again = method_of(payload[2], payload[3:])
    assert type(again) is type(method)
    assert encode_method(again) == encode_method(method)


@pytest.mark.parametrize(
    ("number", "fields", "text"),
    [
        (50 << 16 | 10, [], "QueueDeclare has 7 fields, not 0"),
        (50 << 16 | 30, [1, False], "field 0 of QueuePurge: 1 is no shortstr"),
        (50 << 16 | 30, ["é" * 128, False], "no shortstr"),
        (50 << 16 | 30, ["q", 1], "field 1 of QueuePurge: 1 is no bit"),
        (60 << 16 | 10, [0, 1 << 16, False], "no short"),
        (60 << 16 | 10, [-1, 0, False], "no long"),
        (60 << 16 | 80, [1 << 64, False], "no longlong"),
        (60 << 16 | 80, [True, False], "no longlong"),
        (10 << 16 | 70, ["x", "y"], "no longstr"),
        (50 << 16 | 10, ["q", *[False] * 5, []], "no table"),
        (50 << 16 | 10, ["q", *[False] * 5, {"k" * 256: 1}], "longer than 255"),
        ("x", [], "no number of a method"),
        (-1, [], "no number of a method"),
    ],
)
def test_wrong_fields_are_refused_and_named(
    number: object, fields: list[object], text: str
) -> None:
    with pytest.raises(SyntaxInvalid, match=text):
        method_of(number, fields)


def test_a_method_that_there_is_not_is_refused() -> None:
    with pytest.raises(CommandInvalid, match=r"unknown method 99\.1"):
        method_of(99 << 16 | 1, [])


def test_a_name_that_is_too_long_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="longer than 255 bytes"):
        method_frame(1, spec.QueueDeclare("q" * 256))
    with pytest.raises(TypeError, match="set"):
        method_frame(1, spec.QueueDeclare("q", arguments={"a": {1}}))  # type: ignore[dict-item]  # on purpose
