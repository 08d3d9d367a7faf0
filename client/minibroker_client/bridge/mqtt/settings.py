"""What an end on MQTT is told: by its URL, its options and its link. Connects to nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ..connecting import END
from .topics import filter_of, topic_of

if TYPE_CHECKING:
    from ...transport.base import Address
    from ..link import BridgeLink

__all__ = ["MQTT3", "MQTT5", "ONLY", "Settings", "settings_of"]

MQTT5, MQTT3 = "5", "3.1.1"
ONLY = "is an end of a bridge only, see docs/bridges.md"
FOREVER = 2**32 - 1
"""Seconds, as MQTT 5 says that something never ends."""
MOST = 65535
"""Messages that can be unacked, of either side."""
EXCHANGES = frozenset({"", "amq.topic"})
OTHERS = frozenset({
    "callback", "connect_retries_timeout", "errback", "interval_max", "interval_start",
    "interval_step", "jitter", "max_retries", END,
})  # fmt: skip
"""Options that are not this module's to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one end of a link connects and publishes."""

    side: str
    """`from` or `to`."""
    client_id: str
    """What the server knows the end by; empty: any."""
    topic_filter: str = ""
    """What is read, at a source."""
    prefix: str = ""
    """The levels that all topics begin with; they are no part of routing keys."""
    protocol: str = MQTT5
    retain: bool = False
    """Whether the server keeps the last message of each topic for later subscribers."""
    state_expiry: int = FOREVER
    """Seconds that the server keeps messages for a source that is away. MQTT 5 only."""
    window: int = MOST
    """Messages that may be unacked."""
    ssl: bool | Mapping[str, Any] = field(default=False, repr=False)


def settings_of(address: Address) -> Settings:
    """All of it. `ValueError` for what cannot be used, and for whoever is not a link."""
    if END not in address.options:
        raise ValueError(f"{address.transport}:// {ONLY}")
    link, side = address.options[END]
    if address.virtual_host != "/":
        raise ValueError(f"path {address.virtual_host!r}: MQTT has no virtual hosts (see `prefix`)")
    given = {**dict(parse_qsl(address.query, keep_blank_values=True)), **address.options}
    unknown = sorted(set(given) - set(_READERS) - OTHERS)
    if unknown:
        known = ", ".join(sorted(_READERS))
        raise ValueError(f"unknown option {unknown[0]!r} of mqtt:// (there is: {known})")
    read: dict[str, Any] = {
        name: _READERS[name](name, given[name]) for name in _READERS if name in given
    }
    read.setdefault("ssl", address.ssl)
    if address.transport == "mqtts":
        read["ssl"] = read["ssl"] or True
    _check_both_ways(link, read.get("protocol", MQTT5))
    if side == "from":
        return _source(link, read)
    return _target(link, read)


def _source(link: BridgeLink, read: dict[str, Any]) -> Settings:
    if link.queue_arguments is not None:
        raise ValueError("queue_arguments: MQTT has no queues to declare")
    for setting in ("unroutable", "unfit"):
        if getattr(link, setting) == "dead-letter":
            raise ValueError(f"{setting}: MQTT has no place for dead letters")
    topic_filter = filter_of(link.queue, read.get("prefix", ""))
    made = _client_id(link.name, topic_filter)
    window = min(2 * link.confirm_window, MOST)
    values = {"client_id": made, **read}
    return Settings(side="from", topic_filter=topic_filter, window=window, **values)


def _target(link: BridgeLink, read: dict[str, Any]) -> Settings:
    if link.exchange not in EXCHANGES:
        raise ValueError(
            f"exchange {link.exchange!r}: MQTT has none, it is '' or 'amq.topic' (see `prefix`)"
        )
    if link.confirm_window > MOST:
        raise ValueError(f"confirm_window is {link.confirm_window}, of MQTT at most {MOST}")
    return Settings(side="to", window=link.confirm_window, **{"client_id": "", **read})


def _check_both_ways(link: BridgeLink, protocol: str) -> None:
    if protocol == MQTT3 and link.opposite:
        raise ValueError(
            f"MQTT {MQTT3} carries no headers, so what passes a link and its opposite "
            f"{link.opposite[0]!r} would go round for ever: use protocol 5"
        )


def _client_id(name: str, topic_filter: str) -> str:
    """The same whenever the link starts. Some servers take letters, digits and dashes only."""
    digest = blake2b(f"{name}\0{topic_filter}".encode(), digest_size=6).hexdigest()
    return f"minibroker-{re.sub(r'[^A-Za-z0-9]+', '-', name)[:40].strip('-')}-{digest}"


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"option {name} is {value!r}, not a text")
    return value


def _prefix(name: str, value: object) -> str:
    prefix = _text(name, value).rstrip("/")
    if prefix:
        topic_of("", prefix)
    return prefix


def _protocol(name: str, value: object) -> str:
    if str(value) not in {MQTT5, MQTT3}:
        raise ValueError(f"option {name} is {value!r}, not one of {MQTT5!r}, {MQTT3!r}")
    return str(value)


def _flag(name: str, value: object) -> bool:
    known = {"1": True, "true": True, "0": False, "false": False}
    if str(value).lower() not in known:
        raise ValueError(f"option {name} is {value!r}, not true or false")
    return known[str(value).lower()]


def _seconds(name: str, value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdecimal() and int(text) <= FOREVER):
        raise ValueError(f"option {name} is {value!r}, not whole seconds up to {FOREVER}")
    return int(text)


def _tls(name: str, value: object) -> bool | Mapping[str, Any]:
    if not isinstance(value, (bool, Mapping)):
        raise ValueError(f"option {name} is {value!r}, not a table")
    return value


_READERS = {
    "client_id": _text, "prefix": _prefix, "protocol": _protocol, "retain": _flag,
    "ssl": _tls, "state_expiry": _seconds,
}  # fmt: skip
