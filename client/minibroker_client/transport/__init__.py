"""Which module speaks which URL scheme. Knows the names only: a module is imported when it is used.

Adding a transport to the project is one row here; an application adds its own with `register`, a
package that is installed by an entry point. A scheme never names a module directly: a URL, which
may come from outside, must not decide what is imported.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from .base import Transport

__all__ = ["get_end", "get_transport", "is_end", "known", "register"]

_MODULES = {
    "amqp": "minibroker_client.transport.amqp",
    "amqps": "minibroker_client.transport.amqp",
    "azureservicebus": "minibroker_client.drivers.servicebus",
    "file": "minibroker_client.transport.file",
    "memory": "minibroker_client.transport.memory",
    "minibroker": "minibroker_client.transport.native",
    "minibrokers": "minibroker_client.transport.native",
    "mongodb": "minibroker_client.drivers.mongodb",
    "mongodb+srv": "minibroker_client.drivers.mongodb",
    "nats": "minibroker_client.drivers.nats",
    "redis": "minibroker_client.drivers.redis",
    "rediss": "minibroker_client.drivers.redis",
    "sqs": "minibroker_client.drivers.sqs",
    "valkey": "minibroker_client.drivers.redis",
    "valkeys": "minibroker_client.drivers.redis",
}
_ENDS = {
    "mqtt": "minibroker_client.bridge.mqtt",
    "mqtts": "minibroker_client.bridge.mqtt",
}
"""Schemes that are for the ends of bridges only."""
GROUP = "minibroker.transports"
"""The group of entry points by which installed packages add schemes: a name and its module."""


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def known() -> list[str]:
    """The URL schemes that can be used, in alphabetical order."""
    return sorted({*_MODULES, *_installed()})


def register(scheme: str, module: str) -> None:
    """Let URLs `scheme://…` use the module of that dotted name, which offers a `transport`."""
    _MODULES[scheme] = module


def get_transport(scheme: str) -> Transport:
    """The transport of a URL scheme.

    `ValueError` names the known schemes when there is none of that name; `ImportError` comes from a
    missing optional package.
    """
    if is_end(scheme):
        raise ValueError(f"{scheme}:// is an end of a bridge only, see docs/bridges.md")
    module = _MODULES.get(scheme)
    if module is None and scheme in _installed():
        module = _installed()[scheme].value
    if module is None:
        names = ", ".join(f"{name}://" for name in known())
        raise ValueError(f"no transport for URL scheme {scheme!r}; there is: {names}")
    transport: Transport = import_module(module).transport
    return transport


def is_end(scheme: str) -> bool:
    """Whether a URL scheme is for the ends of bridges only."""
    return scheme in _ENDS and scheme not in _MODULES


def get_end(scheme: str) -> Transport:
    """`get_transport` for the end of a bridge."""
    if not is_end(scheme):
        return get_transport(scheme)
    transport: Transport = import_module(_ENDS[scheme]).transport
    return transport
