"""From a consumer's arguments to its settings. Knows neither queue nor channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..errors import PreconditionFailed
from ..fields import type_name
from .checks import check_integer, check_not_negative, parse_age
from .texts import erlang_term, invalid_argument, resource

if TYPE_CHECKING:
    from ..fields import FieldValue, Table
    from .settings import QueueKind

    StreamOffset = str | int | datetime | timedelta

__all__ = ["CONSUMER_ARGUMENTS", "ConsumerSettings", "parse_consumer"]

CONSUMER_ARGUMENTS: dict[QueueKind, frozenset[str]] = {
    "classic": frozenset({"x-priority", "x-cancel-on-ha-failover", "x-credit"}),
    "quorum": frozenset({"x-priority"}),
    "stream": frozenset({"x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"}),
}
"""The arguments of `basic.consume` that each kind of queue has."""
_ANY_KIND = frozenset().union(*CONSUMER_ARGUMENTS.values())


@dataclass(slots=True)
class ConsumerSettings:
    """The arguments of a consumer, parsed. Unchanging, so consumers may share one."""

    priority: int = 0
    """Higher ones are served first."""
    timeout: int | None = None
    """Milliseconds that a delivery may stay unacked; None: as the queue has it."""
    stream_offset: StreamOffset | None = None
    """Where a stream is read from: "first", "last" or "next", an offset, a point in time, or how
    long ago (a timedelta); None means "next"."""


_NO_ARGUMENTS = ConsumerSettings()


def parse_consumer(
    arguments: Table | None,
    queue: str,
    vhost: str = "/",
    kind: QueueKind | None = None,
    timeouts: bool = True,
) -> ConsumerSettings:
    """The settings of a consumer of `queue`; `timeouts` says whether consumers may have their own.

    Raises PreconditionFailed with RabbitMQ's words for a value that is refused and, if `kind` is
    given, for an argument that consumers of that kind of queue do not have.
    """
    if not arguments:
        return _NO_ARGUMENTS
    where = resource("queue", queue, vhost)
    taken = _ANY_KIND if kind is None else CONSUMER_ARGUMENTS[kind]
    settings = ConsumerSettings()
    if "x-priority" in arguments and "x-priority" in taken:
        priority = arguments["x-priority"]
        settings.priority = _checked(
            check_integer(priority, arguments), "x-priority", where, priority
        )
    if timeouts and "x-consumer-timeout" in arguments:
        timeout = arguments["x-consumer-timeout"]
        error = check_not_negative(timeout, arguments)
        settings.timeout = _checked(error, "x-consumer-timeout", where, timeout)
    if "x-stream-offset" in arguments and "x-stream-offset" in taken:
        settings.stream_offset = _stream_offset(arguments["x-stream-offset"], where)
    for key in arguments:
        if key in _ANY_KIND and key not in taken:
            raise PreconditionFailed(
                f"invalid arg '{key}' for {where} of queue type rabbit_{kind}_queue"
            )
    return settings


def _checked(error: str | None, key: str, where: str, value: FieldValue) -> int:
    if error is not None or not isinstance(value, int):
        raise invalid_argument(key, where, str(error))
    return value


def _stream_offset(value: FieldValue, where: str) -> StreamOffset:
    if isinstance(value, datetime) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str):
        if value in {"first", "last", "next"}:
            return value
        age = parse_age(value)
        if age is not None:
            return timedelta(milliseconds=age)
    reason = f"{{invalid_stream_offset_arg,{{{type_name(value)},{erlang_term(value)}}}}}"
    raise invalid_argument("x-stream-offset", where, reason)
