"""The headers exchange. Knows nothing of the other types.

Source: AMQP 0-9-1 section 3.1.3.4; RabbitMQ's `rabbit_exchange_type_headers`; SEMANTICS 49.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..arguments.texts import erlang_term
from ..errors import PreconditionFailed
from ..fields import same_value, type_name
from .exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..fields import FieldValue, Table
    from ..message import Message
    from .exchange import Binding, Destination, ExchangeDeclaration, ExchangeSurroundings, Identity

__all__ = ["HeadersExchange"]

X_MATCH = "x-match"
SCALARS = frozenset({str, int, bool, bytes})
MODES = ("all", "any", "all-with-x", "any-with-x")


@dataclass(slots=True, eq=False)
class Pattern:
    """What a binding asks of the headers of a message: all of it, or any of it."""

    destination: Destination
    wants_all: bool
    wanted: tuple[tuple[str, FieldValue], ...]

    def matches(self, headers: Table) -> bool:
        """Whether these headers satisfy the binding."""
        wants_all = self.wants_all
        for name, value in self.wanted:
            is_there = name in headers and (value is None or _equal(value, headers[name]))
            if is_there is not wants_all:
                return is_there
        return wants_all


class HeadersExchange(Exchange):
    """A message goes where its headers satisfy the arguments of the binding; keys do not count.

    A binding value of None (void) asks for the header alone. Binding arguments that start with
    `x-` count only for `all-with-x` and `any-with-x`. Matching is O(binding arguments).
    """

    __slots__ = ("_patterns",)

    type: ClassVar[str] = "headers"

    def __init__(self, declaration: ExchangeDeclaration, world: ExchangeSurroundings) -> None:
        super().__init__(declaration, world)
        self.routes_by_key = False
        self._patterns: dict[Identity, Pattern] = {}

    def match(self, message: Message, keys: tuple[str, ...]) -> Sequence[Destination]:
        """The destinations whose binding arguments the headers satisfy."""
        headers = message.headers
        return [p.destination for p in self._patterns.values() if p.matches(headers)]

    def validate(self, binding: Binding) -> None:
        """Raise `PreconditionFailed` for a binding that this type cannot match."""
        if X_MATCH not in binding.arguments:
            return
        mode = binding.arguments[X_MATCH]
        if not isinstance(mode, str):
            raise PreconditionFailed(
                f"Invalid x-match field type {type_name(mode)} (value {erlang_term(mode)}); "
                "expected longstr"
            )
        if mode not in MODES:
            raise PreconditionFailed(
                f"Invalid x-match field value {erlang_term(mode)}; "
                "expected all, any, all-with-x, or any-with-x"
            )

    def _add(self, binding: Binding) -> None:
        mode = str(binding.arguments.get(X_MATCH, "all"))
        with_x = mode.endswith("-with-x")
        wanted = tuple(
            (name, value)
            for name, value in binding.arguments.items()
            if name != X_MATCH and (with_x or not name.startswith("x-"))
        )
        self._patterns[binding.identity] = Pattern(
            binding.destination, mode.startswith("all"), wanted
        )

    def _remove(self, binding: Binding) -> None:
        del self._patterns[binding.identity]

    def _check(self) -> None:
        super()._check()
        assert list(self._patterns) == [binding.identity for binding in self.bindings]


def _equal(wanted: FieldValue, there: FieldValue) -> bool:
    # Nearly all headers are of these types, and `same_value` takes four times as long to see it.
    kind = type(wanted)
    if kind is type(there) and kind in SCALARS:
        return wanted == there
    if isinstance(wanted, int | float) and isinstance(there, int | float):
        # Erlang compares numbers by value, whatever their types; its booleans are none.
        return isinstance(wanted, bool) == isinstance(there, bool) and wanted == there
    return same_value(wanted, there)
