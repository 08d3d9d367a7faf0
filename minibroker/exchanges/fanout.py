"""The fanout exchange. Knows nothing of the other types.

Source: AMQP 0-9-1 section 3.1.3.2; SEMANTICS 47.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..message import Message
    from .exchange import Destination

__all__ = ["FanoutExchange"]


class FanoutExchange(Exchange):
    """A message goes to every destination; keys do not count."""

    __slots__ = ()

    type: ClassVar[str] = "fanout"

    def match(self, message: Message, keys: tuple[str, ...]) -> Sequence[Destination]:
        """Every destination that is bound."""
        return [binding.destination for binding in self.bindings]
