"""What differs from run to run without being a difference: the names of one run, and its symbols.

In a program `~jobs` is a queue or an exchange: `~` stands for a prefix that nobody else uses.
`<queue-1>`, `<tag-1>` and `<reply-1>` stand for the first name, consumer tag and reply address that
the server made, `<user>` for who is connected. Knows nothing of methods.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .typed import Json

__all__ = ["Names"]

_MADE = re.compile(r"amq\.gen-[\w-]+|amq\.ctag-[\w-]+|amq\.rabbitmq\.reply-to\.[^\s'\"]+", re.ASCII)
_KINDS = {"amq.gen": "queue", "amq.ctag": "tag", "amq.rabbitmq.reply": "reply"}


class Names:
    """The symbols of one run of a program on one broker."""

    def __init__(self, prefix: str, user: str = "guest", vhost: str = "/") -> None:
        self.prefix = prefix
        self.user = user
        self.vhost = vhost
        self.made: dict[str, str] = {}
        """What the server made, by symbol."""
        self._symbols: dict[str, str] = {}
        self._counts = dict.fromkeys(_KINDS.values(), 0)

    def actual(self, value: Json) -> Json:
        """A value of a program, at any depth, with the names of this run.

        A symbol of something that the server has not made stays as it is.
        """
        return _map(value, self._actual_text)

    def symbolic(self, value: Json) -> Json:
        """A value that the server sent, at any depth, with symbols instead of names."""
        return _map(value, self._symbolic_text)

    def _actual_text(self, text: str) -> str:
        text = text.replace("~", self.prefix)
        if "<" not in text:
            return text
        for symbol, made in self.made.items():
            text = text.replace(symbol, made)
        return text.replace("<user>", self.user)

    def _symbolic_text(self, text: str) -> str:
        if text == self.user:
            return "<user>"
        text = text.replace(self.prefix, "~")
        text = text.replace(f"vhost '{self.vhost}'", "vhost '<vhost>'")
        text = text.replace(f"user '{self.user}'", "user '<user>'")
        text = text.replace(f"user was '{self.user}'", "user was '<user>'")
        return _MADE.sub(self._symbol, text) if "amq." in text else text

    def _symbol(self, match: re.Match[str]) -> str:
        made = match[0]
        symbol = self._symbols.get(made)
        if symbol is None:
            kind = next(kind for start, kind in _KINDS.items() if made.startswith(start))
            self._counts[kind] += 1
            symbol = self._symbols[made] = f"<{kind}-{self._counts[kind]}>"
            self.made[symbol] = made
        return symbol


def _map(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [_map(each, change) for each in value]
    if isinstance(value, dict):
        return {key: _map(each, change) for key, each in value.items()}
    return value
