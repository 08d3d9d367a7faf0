"""One check per argument: what it refuses, in RabbitMQ's words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.arguments.checks import (
    MAX_EXPIRY,
    QUEUE_CHECKS,
    parse_age,
    refuse_queue_mode,
    refuse_queue_version_1,
)

if TYPE_CHECKING:
    from minibroker.fields import FieldValue

INTEGERS = [
    "x-expires", "x-message-ttl", "x-max-length", "x-max-length-bytes", "x-max-in-memory-length",
    "x-max-in-memory-bytes", "x-max-priority", "x-queue-version", "x-quorum-initial-group-size",
    "x-stream-max-segment-size-bytes", "x-stream-filter-size-bytes", "x-initial-cluster-size",
    "x-delivery-limit", "x-consumer-timeout", "x-delayed-retry-min", "x-delayed-retry-max",
]  # fmt: skip
TEXTS = [
    "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy", "x-overflow",
    "x-queue-mode", "x-queue-type", "x-max-age", "x-queue-leader-locator", "x-delayed-retry-type",
]  # fmt: skip


@pytest.mark.semantics(32)
@pytest.mark.parametrize("key", INTEGERS)
@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("1", "longstr"), (1.0, "double"), (True, "bool"), (None, "void"), ([1], "array"),
        ({}, "table"), (Decimal(1), "decimal"),
    ],
)  # fmt: skip
def test_an_integer_argument_refuses_every_other_type(
    key: str, value: FieldValue, name: str
) -> None:
    assert QUEUE_CHECKS[key](value, {}) == f'"expected integer, got {name}"'


@pytest.mark.semantics(32)
@pytest.mark.parametrize("key", TEXTS)
def test_a_text_argument_refuses_every_other_type(key: str) -> None:
    assert QUEUE_CHECKS[key](5, {}) == "{unacceptable_type,signedint}"


def test_every_argument_has_been_looked_at_here() -> None:
    assert set(QUEUE_CHECKS) == {*INTEGERS, *TEXTS, "x-single-active-consumer"}


@pytest.mark.semantics(32, 58)
@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("x-message-ttl", 0, None),
        ("x-message-ttl", MAX_EXPIRY, None),
        ("x-message-ttl", -1, "{value_negative,-1}"),
        ("x-message-ttl", MAX_EXPIRY + 1, "{value_too_large,315360000001}"),
        ("x-expires", 1, None),
        ("x-expires", 0, "{value_zero,0}"),
        ("x-expires", False, '"expected integer, got bool"'),
        ("x-expires", -1, "{value_negative,-1}"),
        ("x-expires", MAX_EXPIRY + 1, "{value_too_large,315360000001}"),
        ("x-max-length", 0, None),
        ("x-max-length", -5, "{value_negative,-5}"),
        ("x-max-priority", 255, None),
        ("x-max-priority", 256, "{max_value_exceeded,256}"),
        ("x-max-priority", -1, "{value_negative,-1}"),
        ("x-delivery-limit", -1, None),
        ("x-queue-version", 2, None),
        ("x-queue-version", 3, "\"unsupported queue version '3'\""),
        ("x-queue-version", -1, "{value_negative,-1}"),
        ("x-initial-cluster-size", 0, "{value_zero,0}"),
        ("x-initial-cluster-size", 3, None),
        ("x-quorum-initial-group-size", -1, "{value_negative,-1}"),
        ("x-overflow", "reject-publish-dlx", None),
        ("x-overflow", "drop-tail", "invalid_overflow"),
        ("x-queue-type", "stream", None),
        ("x-queue-type", "fast", "\"unsupported queue type 'fast'\""),
        ("x-queue-mode", "lazy", None),
        ("x-queue-mode", "busy", "\"unsupported queue mode 'busy'\""),
        ("x-dead-letter-exchange", "", None),
        ("x-dead-letter-routing-key", "k", "routing_key_but_no_dlx_defined"),
        ("x-dead-letter-strategy", "at-least-once", None),
        ("x-dead-letter-strategy", "maybe", "invalid_dlx_strategy"),
        ("x-queue-leader-locator", "balanced", None),
        ("x-queue-leader-locator", "here", "invalid_queue_locator_arg"),
        ("x-max-age", "7D", None),
        ("x-max-age", "7", "invalid_max_age"),
        ("x-single-active-consumer", True, None),
        ("x-single-active-consumer", "true", "{unacceptable_type,longstr}"),
        ("x-delayed-retry-type", "all", None),
        ("x-delayed-retry-type", "some", "invalid_delayed_retry_type"),
    ],
)
def test_a_value_is_taken_or_refused_with_a_reason(
    key: str, value: FieldValue, reason: str | None
) -> None:
    assert QUEUE_CHECKS[key](value, {key: value}) == reason


@pytest.mark.semantics(32)
def test_a_dead_letter_routing_key_needs_a_dead_letter_exchange() -> None:
    check = QUEUE_CHECKS["x-dead-letter-routing-key"]
    assert check("k", {"x-dead-letter-exchange": "dlx"}) is None


@pytest.mark.semantics(44)
def test_where_lazy_queues_are_gone_the_mode_is_refused_and_so_is_version_1() -> None:
    assert refuse_queue_mode("lazy", {}) == "\"unsupported queue mode 'lazy'\""
    assert refuse_queue_mode(1, {}) == "{unacceptable_type,signedint}"
    assert refuse_queue_version_1(1, {}) == "\"unsupported queue version '1'\""
    assert refuse_queue_version_1(2, {}) is None
    assert refuse_queue_version_1(True, {}) == '"expected integer, got bool"'


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1Y", 365 * 86_400_000),
        ("1M", 30 * 86_400_000),
        ("7D", 7 * 86_400_000),
        ("1h", 3_600_000),
        ("5m", 300_000),
        ("30s", 30_000),
        ("0s", None),
        ("s", None),
        ("5", None),
        ("5d", None),
        ("1h30m", None),
        ("-1h", None),
        ("9" * 30 + "s", None),
        ("", None),
    ],
)
def test_an_age_is_a_number_and_one_unit(text: str, milliseconds: int | None) -> None:
    assert parse_age(text) == milliseconds


@given(st.text(max_size=6))
def test_any_text_is_an_age_or_not_but_never_an_error(text: str) -> None:
    age = parse_age(text)
    assert age is None or age > 0
