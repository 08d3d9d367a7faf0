"""What becomes of a message on its way: routing key, headers, message id, and whether it goes.

Knows no connection. It is told a delivery and makes of it what is to be published.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ..exceptions import MiniBrokerClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..transport.base import Carried, Delivery, PropertyValues
    from .link import BridgeLink

__all__ = [
    "CONFIRMED",
    "DEAD_LETTERED",
    "DROPPED",
    "FILTERED",
    "HOPS",
    "LOOPED",
    "Outgoing",
    "Transforms",
    "topic",
]

HOPS = "x-minibroker-bridge"
"""The header with the names of the links that a message has passed, a list."""
CONFIRMED, DEAD_LETTERED = "confirmed", "dead_lettered"
DROPPED, FILTERED, LOOPED = "dropped", "filtered", "looped"
"""How it can be over with a message; `Health` counts by these names."""
_ID = "mbb-"
"""How a message id begins that a link has made."""
_KEPT = (
    "content_type", "content_encoding", "delivery_mode", "priority", "correlation_id", "reply_to",
    "expiration", "message_id", "timestamp", "type", "app_id",
)  # fmt: skip
"""Not `user_id`: the target checks it against its own login, which is the bridge's."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """A delivery that is not settled yet, and what is published for it."""

    tag: int
    """Of the delivery."""
    routing_key: str
    body: bytes
    values: dict[str, Any]
    """The properties."""
    over: str | None = None
    """How it ended, if it is not to be published any more: `CONFIRMED`, `FILTERED` and so on."""
    published: bool = False
    """Whether it may have been published before."""
    number: int = 0
    """Of its publish on the target's channel; 0: it has none."""
    returned: str | None = None
    """What the target said when it came back."""
    unfit: str | None = None
    """Why it can never be published."""


class Transforms:
    """Those of one link."""

    def __init__(self, link: BridgeLink) -> None:
        self._name = link.name
        self._queue = link.queue
        self._seen = frozenset({link.name, *link.opposite})
        self._match = dict(link.match_headers)
        self._passes = _name_filter(link.allow_headers, link.deny_headers)
        self._key = _key_map(link.routing_key, link.routing_keys)

    def outgoing(self, delivery: Delivery) -> Outgoing:
        """What is published for a delivery."""
        message = delivery.message
        try:
            properties = message.properties
        except MiniBrokerClientError as error:
            text = f"the properties of a message cannot be read: {error}"
            return Outgoing(delivery.tag, "", b"", {}, unfit=text)
        headers = properties.headers or {}
        hops = headers.get(HOPS)
        passed = [str(hop) for hop in hops] if isinstance(hops, (list, tuple)) else []
        if not self._seen.isdisjoint(passed):
            return Outgoing(delivery.tag, "", b"", {}, LOOPED)
        if self._match and not self._matches(headers):
            return Outgoing(delivery.tag, "", b"", {}, FILTERED)
        values = {name: value for name in _KEPT if (value := getattr(properties, name)) is not None}
        passes = self._passes
        sent = dict(headers) if passes is None else {k: headers[k] for k in filter(passes, headers)}
        sent[HOPS] = [*passed, self._name]
        values["headers"] = sent
        body = bytes(message.body)
        if not properties.message_id:
            values["message_id"] = self._made_id(delivery, message, properties, body)
        key = self._key(message.routing_key)
        return Outgoing(delivery.tag, key, body, values, None, delivery.redelivered)

    def _matches(self, headers: Mapping[str, Any]) -> bool:
        return all(
            name in headers and headers[name] == value for name, value in self._match.items()
        )

    def _made_id(
        self, delivery: Delivery, message: Carried, properties: PropertyValues, body: bytes
    ) -> str:
        """An id that is the same when the message is read again.

        A queue in this process has a number for each entry, `seq`, which outlives a restart. Where
        there is none, equal messages get equal ids.
        """
        parts = (
            self._name, self._queue, getattr(delivery, "seq", None), message.exchange,
            message.routing_key, str(properties.timestamp), properties.correlation_id,
            properties.type, sorted((properties.headers or {}).items(), key=str),
        )  # fmt: skip
        digest = blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16)
        digest.update(body)
        return _ID + digest.hexdigest()


def _name_filter(allow: Iterable[str] | None, deny: Iterable[str]) -> Callable[[str], bool] | None:
    """Whether a header goes along; None when all do."""
    allowed = None if allow is None else re.compile("|".join(map(translate, allow)) or r"(?!)")
    denied = re.compile("|".join(map(translate, deny)) or r"(?!)")
    if allowed is None and not deny:
        return None

    def passes(name: str) -> bool:
        return (allowed is None or allowed.match(name) is not None) and not denied.match(name)

    return passes


def _key_map(fixed: str | None, keys: Mapping[str, str]) -> Callable[[str], str]:
    if fixed is not None:
        return lambda _: fixed
    if not keys:
        return lambda key: key
    patterns = [(topic(pattern), key) for pattern, key in keys.items()]

    def mapped(key: str) -> str:
        exact = keys.get(key)
        if exact is not None:
            return exact
        for pattern, new in patterns:
            if pattern.fullmatch(key):
                return new
        return key

    return mapped


def topic(pattern: str) -> re.Pattern[str]:
    """A pattern of a topic exchange: `*` is one word, `#` any number of them, also none."""
    text = ""
    for number, word in enumerate(pattern.split(".")):
        if word == "#":
            # With the dot that goes with the words, on whichever side there is one.
            text += r"(?:\.[^.]*)*" if number else r"(?:[^.]*(?:\.[^.]*)*)?"
        else:
            dot = r"\." if number else ""
            text += dot + (r"[^.]*" if word == "*" else re.escape(word))
    if pattern.startswith("#."):
        rest = topic(pattern[2:]).pattern
        text = rf"(?:[^.]*\.)*{rest}"
    return re.compile(text)
