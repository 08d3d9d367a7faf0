"""Values as Erlang prints them, since RabbitMQ's errors show them so."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from minibroker.arguments.texts import erlang_string, erlang_term, invalid_argument, resource
from minibroker.errors import PreconditionFailed


@pytest.mark.parametrize(
    ("value", "term"),
    [
        (True, "true"),
        (False, "false"),
        (None, "undefined"),
        (-3, "-3"),
        (1.5, "1.5"),
        (2.0, "2.0"),
        (1e20, "1.0e20"),
        (1.5e-7, "1.5e-7"),
        (100.0, "100.0"),
        (1000.0, "1.0e3"),
        (-0.0012, "-0.0012"),
        (0.00012, "1.2e-4"),
        (float(1 << 53), "9.007199254740992e15"),
        (float("inf"), "inf"),
        ("a", '<<"a">>'),
        ('say "a\\b"', '<<"say \\"a\\\\b\\"">>'),
        (b"a\xff", '<<"a\\\\xff">>'),
        (bytearray(b"a"), '<<"a">>'),
        (Decimal("1.50"), "{2,150}"),
        (Decimal("3E2"), "{0,300}"),
        (datetime(2026, 1, 1, tzinfo=UTC), "1767225600"),
        ([1, "a"], '[{signedint,1},{longstr,<<"a">>}]'),
        ((), "[]"),
        ({"k": True}, '[{<<"k">>,bool,true}]'),
    ],
)
def test_a_value_is_printed_as_an_erlang_term(value: object, term: str) -> None:
    assert erlang_term(value) == term


def test_what_is_no_field_value_is_not_printed() -> None:
    with pytest.raises(TypeError, match="no AMQP field value"):
        erlang_term({1, 2})


def test_a_string_is_printed_in_double_quotes() -> None:
    assert erlang_string("ok") == '"ok"'


def test_errors_name_the_argument_and_the_queue_with_its_virtual_host() -> None:
    error = invalid_argument("x-expires", resource("queue", "q", "/"), "{value_zero,0}")
    assert isinstance(error, PreconditionFailed)
    assert str(error) == "invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}"
