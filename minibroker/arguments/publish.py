"""The properties of a published message that mean something to the broker, parsed.

Source: RabbitMQ's `rabbit_basic` (`parse_expiration`, `header_routes`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import PreconditionFailed
from ..fields import type_name
from .checks import MAX_EXPIRY
from .texts import erlang_string

if TYPE_CHECKING:
    from ..fields import Table

__all__ = ["parse_expiration", "sender_selected"]

_NUMBER = re.compile(r"([+-]?)0*([0-9]+)(.*)", re.DOTALL)
_NO_KEYS: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


def parse_expiration(text: str) -> int:
    """Milliseconds from the property `expiration`, 0 up to ten years (58).

    Raises PreconditionFailed for anything but a decimal number in that range.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise PreconditionFailed(f"invalid expiration '{text}': no_integer")
    sign, digits, rest = match.groups()
    if rest:
        reason = f"{{leftover_string,{erlang_string(rest)}}}"
    elif sign == "-" and digits != "0":
        reason = f"{{value_negative,-{digits}}}"
    # Compared as text first: Python refuses to convert thousands of digits.
    elif len(digits) > len(str(MAX_EXPIRY)) or int(digits) > MAX_EXPIRY:
        reason = f"{{value_too_large,{digits}}}"
    else:
        return int(digits)
    raise PreconditionFailed(f"invalid expiration '{text}': {reason}")


def sender_selected(headers: Table | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The further routing keys in the headers CC and BCC (51); what is no string is skipped.

    Raises PreconditionFailed where one of them is not an array.
    """
    if not headers or ("CC" not in headers and "BCC" not in headers):
        return _NO_KEYS
    return _routing_keys(headers, "CC"), _routing_keys(headers, "BCC")


def _routing_keys(headers: Table, name: str) -> tuple[str, ...]:
    if name not in headers:
        return ()
    keys = headers[name]
    if not isinstance(keys, list | tuple):
        raise PreconditionFailed(
            f'invalid message: {{unacceptable_type_in_header,"{name}",{type_name(keys)}}}'
        )
    return tuple(key for key in keys if isinstance(key, str))
