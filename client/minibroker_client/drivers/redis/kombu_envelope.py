"""Kombu's names in Redis, and its tables of bindings (option `envelope="kombu"`).

Source: kombu 5.7, `kombu.transport.redis`, by running it.
"""

from __future__ import annotations

from bisect import bisect
from typing import TYPE_CHECKING, Any, NamedTuple

from ...remote.kombu import is_asked_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...remote.kombu_facts import Row

__all__ = ["BindingSets", "KombuNames"]

STEPS = (0, 3, 6, 9)
"""Kombu's usual steps of priorities."""
HIGHEST = 9
SEPARATOR = "\x06\x16"


class KombuNames(NamedTuple):
    """What Kombu's own options say of the names of its keys."""

    prefix: str = ""
    """`global_keyprefix`."""
    separator: str = SEPARATOR
    """`sep`."""
    steps: tuple[int, ...] = STEPS
    """`priority_steps`."""

    @classmethod
    def asked_for(cls, options: Mapping[str, Any]) -> KombuNames | None:
        """Those of the transport options; None without `envelope="kombu"`."""
        if not is_asked_for(options):
            return None
        steps = tuple(sorted(int(step) for step in options.get("priority_steps", STEPS)))
        if not steps or steps[0] != 0:
            raise ValueError(f"priority_steps begin with 0, not {steps}")
        prefix = str(options.get("global_keyprefix", ""))
        return cls(prefix, str(options.get("sep", SEPARATOR)), steps)

    def lists(self, queue: str) -> list[str]:
        """The keys of a queue's lists, that which is taken from first in front."""
        return [f"{self.prefix}{queue}{self.separator}{step}" if step else self.prefix + queue
                for step in self.steps]  # fmt: skip

    def place(self, priority: int | None) -> int:
        """Which of the lists a priority belongs to; Kombu takes those above 9 for 9."""
        return bisect(self.steps, min(priority or 0, HIGHEST)) - 1

    def own(self, prefix: str) -> str:
        """The prefix of this client's own keys: not that of its other layouts, whose queues are
        other ones.
        """
        return f"{self.prefix}{prefix}-kombu"


class BindingSets:
    """Kombu's tables in Redis: a set for each exchange, and one of what is not to expire."""

    def __init__(self, ask: Callable[..., Any], client: Any, names: KombuNames) -> None:
        """`ask` is the driver's way to call the client."""
        self._ask = ask
        self._client = client
        self._names = names

    def bind(self, row: Row) -> None:
        """SADD."""
        self._change(self._client.sadd, row)

    def unbind(self, row: Row) -> None:
        """SREM."""
        self._change(self._client.srem, row)

    def _change(self, command: Callable[..., Any], row: Row) -> None:
        for key in self._keys(row.exchange):
            self._ask(command, key, self._names.separator.join(row[1:]))

    def _keys(self, exchange: str) -> Sequence[str]:
        prefix = f"{self._names.prefix}_kombu.binding"
        return [f"{prefix}.{exchange}", f"{prefix}_permanent.{exchange}"]
