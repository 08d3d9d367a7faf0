"""The arguments that every exchange has. Knows nothing of the arguments of single types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import PreconditionFailed
from ..fields import type_name
from .texts import resource

if TYPE_CHECKING:
    from ..fields import Table

__all__ = ["parse_exchange"]


def parse_exchange(name: str, arguments: Table, vhost: str = "/") -> str | None:
    """The alternate exchange that an exchange is declared with, None without one.

    Raises PreconditionFailed if it is not a string.
    """
    alternate = arguments.get("alternate-exchange")
    if alternate is None and "alternate-exchange" not in arguments:
        return None
    if not isinstance(alternate, str):
        raise PreconditionFailed(
            f"invalid type '{type_name(alternate)}' for arg 'alternate-exchange' "
            f"in {resource('exchange', name, vhost)}"
        )
    return alternate
