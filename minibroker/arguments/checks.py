"""One check per argument of a queue, each the reason for a refusal as an Erlang term, or None.

Knows neither the queue nor which kind takes which argument. The source of order and wording is
RabbitMQ's `rabbit_amqqueue` (`declare_args`, `consume_args`) and `rabbit_misc:check_expiry`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from ..fields import type_class, type_name
from .texts import erlang_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..fields import FieldValue, Table

    Check = Callable[[FieldValue, Table], str | None]

__all__ = [
    "DELAYED_RETRY_TYPES",
    "MAX_EXPIRY",
    "QUEUE_CHECKS",
    "check_expiry",
    "check_integer",
    "check_not_negative",
    "parse_age",
    "refuse_queue_mode",
    "refuse_queue_version_1",
]

MAX_EXPIRY = 315_360_000_000
"""The longest TTL, expiration and `x-expires`: ten years in milliseconds."""
MAX_PRIORITY = 255
MAX_AGE_DIGITS = 12
DELAYED_RETRY_TYPES = ("disabled", "all", "failed", "returned")

_AGE = re.compile(r"([0-9]+)([YMDhms])")
_AGE_UNITS = {
    "Y": 31_536_000_000,
    "M": 2_592_000_000,
    "D": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
}


def parse_age(text: str) -> int | None:
    """Milliseconds from an age such as "7D" (Y, M, D, h, m, s), None if it is not one."""
    match = _AGE.fullmatch(text)
    if match is None or len(match[1]) > MAX_AGE_DIGITS:
        return None
    return int(match[1]) * _AGE_UNITS[match[2]] or None


def check_integer(value: FieldValue, arguments: Table) -> str | None:  # noqa: ARG001 -- a Check
    """An integer of any width."""
    if type_class(value) == "int" and not isinstance(value, Decimal):
        return None
    return erlang_string(f"expected integer, got {type_name(value)}")


def check_not_negative(value: FieldValue, arguments: Table) -> str | None:
    """An integer from 0."""
    error = check_integer(value, arguments)
    if error is None and isinstance(value, int) and value < 0:
        return f"{{value_negative,{value}}}"
    return error


def check_expiry(value: FieldValue, arguments: Table) -> str | None:
    """Milliseconds from 0 up to ten years."""
    error = check_not_negative(value, arguments)
    if error is None and isinstance(value, int) and value > MAX_EXPIRY:
        return f"{{value_too_large,{value}}}"
    return error


def _check_expires(value: FieldValue, arguments: Table) -> str | None:
    if value == 0 and check_integer(value, arguments) is None:
        return "{value_zero,0}"
    return check_expiry(value, arguments)


def _check_positive(value: FieldValue, arguments: Table) -> str | None:
    if value == 0 and check_integer(value, arguments) is None:
        return "{value_zero,0}"
    return check_not_negative(value, arguments)


def _check_max_priority(value: FieldValue, arguments: Table) -> str | None:
    error = check_not_negative(value, arguments)
    if error is None and isinstance(value, int) and value > MAX_PRIORITY:
        return f"{{max_value_exceeded,{value}}}"
    return error


def _check_text(value: FieldValue, arguments: Table) -> str | None:  # noqa: ARG001 -- a Check
    return None if isinstance(value, str) else f"{{unacceptable_type,{type_name(value)}}}"


def _check_bool(value: FieldValue, arguments: Table) -> str | None:  # noqa: ARG001 -- a Check
    return None if isinstance(value, bool) else f"{{unacceptable_type,{type_name(value)}}}"


def _check_dead_letter_routing_key(value: FieldValue, arguments: Table) -> str | None:
    error = _check_text(value, arguments)
    if error is None and "x-dead-letter-exchange" not in arguments:
        return "routing_key_but_no_dlx_defined"
    return error


def _check_max_age(value: FieldValue, arguments: Table) -> str | None:
    error = _check_text(value, arguments)
    if error is None and parse_age(str(value)) is None:
        return "invalid_max_age"
    return error


def _check_queue_version(value: FieldValue, arguments: Table) -> str | None:
    error = check_not_negative(value, arguments)
    if error is None and value not in {1, 2}:
        return erlang_string(f"unsupported queue version '{value!r}'")
    return error


def refuse_queue_version_1(value: FieldValue, arguments: Table) -> str | None:
    """What `x-queue-version` may be where version 1 is gone."""
    if value == 1 and check_integer(value, arguments) is None:
        return erlang_string("unsupported queue version '1'")
    return _check_queue_version(value, arguments)


def refuse_queue_mode(value: FieldValue, arguments: Table) -> str | None:
    """`x-queue-mode` where no value is taken any more."""
    return _check_text(value, arguments) or erlang_string(f"unsupported queue mode '{value!s}'")


def _one_of(choices: tuple[str, ...], refusal: str) -> Check:
    """A check for text out of `choices`; `{}` in the refusal stands for the value."""

    def check(value: FieldValue, arguments: Table) -> str | None:
        error = _check_text(value, arguments)
        if error is None and value not in choices:
            return refusal.format(value)
        return error

    return check


QUEUE_CHECKS: dict[str, Check] = {
    "x-expires": _check_expires,
    "x-message-ttl": check_expiry,
    "x-dead-letter-exchange": _check_text,
    "x-dead-letter-routing-key": _check_dead_letter_routing_key,
    "x-dead-letter-strategy": _one_of(("at-most-once", "at-least-once"), "invalid_dlx_strategy"),
    "x-max-length": check_not_negative,
    "x-max-length-bytes": check_not_negative,
    "x-max-in-memory-length": check_not_negative,
    "x-max-in-memory-bytes": check_not_negative,
    "x-max-priority": _check_max_priority,
    "x-overflow": _one_of(
        ("drop-head", "reject-publish", "reject-publish-dlx"), "invalid_overflow"
    ),
    "x-queue-mode": _one_of(("default", "lazy"), "\"unsupported queue mode '{}'\""),
    "x-queue-version": _check_queue_version,
    "x-single-active-consumer": _check_bool,
    "x-queue-type": _one_of(("classic", "quorum", "stream"), "\"unsupported queue type '{}'\""),
    "x-quorum-initial-group-size": _check_positive,
    "x-max-age": _check_max_age,
    "x-stream-max-segment-size-bytes": check_not_negative,
    "x-stream-filter-size-bytes": check_not_negative,
    "x-initial-cluster-size": _check_positive,
    "x-queue-leader-locator": _one_of(
        ("client-local", "balanced", "random", "least-leaders"), "invalid_queue_locator_arg"
    ),
    "x-delivery-limit": check_integer,
    "x-consumer-timeout": check_not_negative,
    "x-delayed-retry-type": _one_of(DELAYED_RETRY_TYPES, "invalid_delayed_retry_type"),
    "x-delayed-retry-min": check_not_negative,
    "x-delayed-retry-max": check_not_negative,
}
"""In the order in which RabbitMQ checks them, which decides which of two errors is reported."""
