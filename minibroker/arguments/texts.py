"""Words that RabbitMQ's errors are made of. Knows no rule.

RabbitMQ prints Erlang terms into its texts, so values are written the way Erlang writes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from ..errors import PreconditionFailed
from ..fields import type_name

__all__ = ["erlang_string", "erlang_term", "invalid_argument", "resource"]

EXACT = 1 << 53
"""Above it not every integer is a float, and Erlang writes floats with an exponent."""


def resource(kind: str, name: str, vhost: str) -> str:
    """How a queue or an exchange is called in errors: `queue 'jobs' in vhost '/'`."""
    return f"{kind} '{name}' in vhost '{vhost}'"


def invalid_argument(key: str, where: str, reason: str) -> PreconditionFailed:
    """The error for an argument whose value is refused; `reason` is an Erlang term."""
    return PreconditionFailed(f"invalid arg '{key}' for {where}: {reason}")


def erlang_string(text: str) -> str:
    """Text in double quotes, as Erlang prints a string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def erlang_term(value: object) -> str:
    """A field value as Erlang prints it within a term.

    Raises TypeError for what no field can hold.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return f"<<{erlang_string(value)}>>"
    if isinstance(value, bytes | bytearray):
        return f"<<{erlang_string(value.decode('utf-8', 'backslashreplace'))}>>"
    if value is None:
        return "undefined"
    return _number_or_container(value)


def _number_or_container(value: object) -> str:
    if isinstance(value, datetime):
        return str(int(value.timestamp()))
    if isinstance(value, Decimal):
        scale = max(-int(value.as_tuple().exponent), 0)
        return f"{{{scale},{int(value.scaleb(scale))}}}"
    if isinstance(value, Mapping):
        fields = (f"{{{erlang_term(key)},{_typed(field)}}}" for key, field in value.items())
        return f"[{','.join(fields)}]"
    if isinstance(value, list | tuple):
        return f"[{','.join(f'{{{_typed(element)}}}' for element in value)}]"
    if isinstance(value, int):
        return str(int(value))
    raise TypeError(f"{value!r} is no AMQP field value")


def _typed(value: object) -> str:
    return f"{type_name(value)},{erlang_term(value)}"


def _float(value: float) -> str:
    """The shorter of two notations, as Erlang has it: `100.0`, but `1.0e3`."""
    if not math.isfinite(value):
        return repr(value)
    plain = f"{Decimal(repr(value)):f}"
    plain = plain if "." in plain else f"{plain}.0"
    mantissa, exponent = f"{Decimal(repr(value)).normalize():e}".split("e")
    scientific = f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent)}"
    return scientific if len(scientific) < len(plain) or abs(value) >= EXACT else plain
