"""What a link of a bridge is told: from where, to where, and how. Connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from math import inf
from typing import Any, Literal, get_args

from ..connection import Connection
from ..retry import RetryPolicy
from ..transport.base import EmbeddedBroker
from .connecting import end_connection

__all__ = ["BridgeLink", "LinkError", "Policy", "Where"]

Where = str | Sequence[str] | EmbeddedBroker
"""A URL, several to fail over between, or a broker of this process."""
Policy = Literal["retry", "drop", "dead-letter"]
"""What becomes of a message that cannot be delivered: it is tried until it can be, deleted, or
dead-lettered at the source (by the source queue's own `x-dead-letter-exchange`)."""

_TEXTS = {
    "name": "a text", "queue": "the name of a queue", "exchange": "the name of an exchange",
    "routing_key": "a text",
}  # fmt: skip
_NUMBERS = ("rate", "burst", "interval_start", "interval_step", "interval_max", "lag_interval")
_TABLES = (
    "routing_keys", "match_headers", "source_options", "target_options",
)  # fmt: skip
_LISTS = ("allow_headers", "deny_headers", "opposite")


class LinkError(ValueError):
    """A setting that cannot be used. The text names the link, the setting and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLink:
    """One link, checked when made: `LinkError` names what is wrong. Times are seconds."""

    source: Where
    queue: str
    """Read from; it is deleted from only when the target has confirmed."""
    target: Where
    exchange: str
    """Published to; "" is the default exchange, where the routing key is a queue's name."""
    name: str = ""
    """Names it in health, logs, and the header that prevents loops, so it should be unique among
    all bridges that messages may meet. By default made of queue, exchange and the two ends."""
    routing_key: str | None = None
    """For all messages; None: as `routing_keys` say, or else each keeps its own."""
    routing_keys: Mapping[str, str] = field(default_factory=dict)
    """From a routing key, or a pattern as topic exchanges know them, to the new key. The exact key
    wins, then the first pattern that matches."""
    match_headers: Mapping[str, Any] = field(default_factory=dict)
    """Only messages with these headers are forwarded; others are deleted at the source."""
    allow_headers: Sequence[str] | None = None
    """The headers that go along (None: all); names may have `*`, as in `x-app-*`."""
    deny_headers: Sequence[str] = ()
    """Headers that do not."""
    opposite: Sequence[str] = ()
    """Names of links that go the other way: what came by one of them does not go back."""
    queue_arguments: Mapping[str, Any] | None = None
    """Declare the source queue, durable, with these arguments. Its `x-max-length-bytes` and
    `x-overflow` are what bounds the disk, and says what gives way. None: others declare it."""
    confirm_window: int = 1000
    """How many messages may wait for their confirm. 1 keeps the order even when the target refuses
    one of them for a while."""
    rate: float = inf
    """Messages per second, at most."""
    burst: float | None = None
    """How many of them may go at once after a pause; by default what comes in a tenth second."""
    unroutable: Policy = "retry"
    """What becomes of a message that no queue takes at the target."""
    unfit: Policy = "retry"
    """What becomes of a message that the target never takes, such as one that is too large."""
    interval_start: float = 0.5
    """The first wait when a side is away or refuses."""
    interval_step: float = 1
    """How much each further wait is longer."""
    interval_max: float = 30
    """The longest wait."""
    jitter: float = 0.5
    """The part of each wait, 0 to 1, that is random."""
    lag_interval: float = 1
    """Between two looks at how many messages wait."""
    source_options: Mapping[str, Any] = field(default_factory=dict)
    """`transport_options` of the connection to the source."""
    target_options: Mapping[str, Any] = field(default_factory=dict)
    """The same for the target."""

    def __post_init__(self) -> None:
        made = not self.name
        if made:
            object.__setattr__(self, "name", f"{self.queue}->{self.exchange or 'default'}")
        self._check_texts()
        self._check_containers()
        self._check_numbers()
        for setting in ("unroutable", "unfit"):
            if getattr(self, setting) not in get_args(Policy):
                self._wrong(setting, f"one of {', '.join(get_args(Policy))}")
        digest = self._check_ends()
        if made:
            object.__setattr__(self, "name", f"{self.name}-{digest}")

    def _check_ends(self) -> str:
        """What cannot be connected to must not wait for the first attempt. Returns a digest."""
        digest = blake2b(digest_size=4)
        for setting, made in (("from", self.source_connection), ("to", self.target_connection)):
            try:
                connection = made()
            except (ValueError, ImportError) as error:
                raise LinkError(f"link {self.name!r}: {setting}: {error}") from None
            digest.update(connection.as_uri().encode())
            if setting == "to" and not connection.capabilities.confirms:
                text = f"{connection.as_uri()} does not confirm what it takes"
                raise LinkError(f"link {self.name!r}: {setting}: {text}")
        return digest.hexdigest()

    def _check_texts(self) -> None:
        for setting, wanted in _TEXTS.items():
            value: object = getattr(self, setting)
            if not isinstance(value, str) and (setting != "routing_key" or value is not None):
                self._wrong(setting, wanted)
        if not self.queue:
            self._wrong("queue", _TEXTS["queue"])
        for setting, where in (("from", self.source), ("to", self.target)):
            if isinstance(where, (bool, int, float, Mapping)) or not where:
                raise LinkError(f"link {self.name!r}: {setting} is {where!r}, not a URL")

    def _check_containers(self) -> None:
        for setting in _TABLES:
            if not isinstance(getattr(self, setting), Mapping):
                self._wrong(setting, "a table")
        if self.queue_arguments is not None and not isinstance(self.queue_arguments, Mapping):
            self._wrong("queue_arguments", "a table")
        for setting in _LISTS:
            value = getattr(self, setting)
            if value is None:
                continue
            if isinstance(value, str) or not all(isinstance(each, str) for each in value):
                self._wrong(setting, "a list of texts")
        if not all(isinstance(key, str) for key in self.routing_keys.values()):
            self._wrong("routing_keys", "a table of texts")

    def _check_numbers(self) -> None:
        for setting in (*_NUMBERS, "jitter", "confirm_window"):
            value = getattr(self, setting)
            if setting == "burst" and value is None:
                continue
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
                self._wrong(setting, "a number of 0 or more")
        window: object = self.confirm_window
        if not isinstance(window, int) or window < 1:
            self._wrong("confirm_window", "a whole number of 1 or more")
        for setting, least in (("rate", 0), ("lag_interval", 0)):
            if getattr(self, setting) <= least:
                self._wrong(setting, "a number above 0")
        if self.burst is not None and self.burst < 1:
            self._wrong("burst", "a number of 1 or more")
        if self.jitter > 1:
            self._wrong("jitter", "a number from 0 to 1")

    def _wrong(self, setting: str, wanted: str) -> None:
        value = getattr(self, setting)
        raise LinkError(f"link {self.name!r}: {setting} is {value!r}, not {wanted}")

    def source_connection(self) -> Connection:
        """A connection to the source, not connected."""
        return end_connection(self, "from", self.source, self.source_options)

    def target_connection(self) -> Connection:
        """A connection to the target, not connected."""
        return end_connection(self, "to", self.target, self.target_options)

    def retry_policy(self) -> RetryPolicy:
        """How long to wait between attempts."""
        return RetryPolicy(
            None, self.interval_start, self.interval_step, self.interval_max, jitter=self.jitter
        )

    def tokens(self) -> float:
        """How many messages may go at once."""
        return self.burst if self.burst is not None else max(1.0, self.rate / 10)

    def goes_back(self, other: BridgeLink) -> bool:
        """Whether another link leads from this one's target to its source."""
        return self._ends() == other._ends()[::-1]

    def _ends(self) -> tuple[tuple[object, ...], tuple[object, ...]]:
        return self.source_connection().identity()[:-1], self.target_connection().identity()[:-1]


SETTINGS = frozenset(each.name for each in fields(BridgeLink))
"""What a link can be told, by name."""
