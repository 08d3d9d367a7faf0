"""Which module speaks which URL scheme. Knows the names only: a module is imported when it is used.

Adding a transport to the project is one row here; an application adds its own with `register`. A
scheme never names a module directly: a URL, which may come from outside, must not decide what is
imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Transport

__all__ = ["get_transport", "known", "register"]

_MODULES = {
    "amqp": "minibroker_client.transport.amqp",
    "amqps": "minibroker_client.transport.amqp",
    "file": "minibroker_client.transport.file",
    "memory": "minibroker_client.transport.memory",
    "minibroker": "minibroker_client.transport.native",
    "minibrokers": "minibroker_client.transport.native",
}
_PLANNED = frozenset({
    "azureservicebus", "kafka", "mongodb", "mqtt",
    "nats", "redis", "rediss", "sqs",
})  # fmt: skip


def known() -> list[str]:
    """The URL schemes that can be used, in alphabetical order."""
    return sorted(_MODULES)


def register(scheme: str, module: str) -> None:
    """Let URLs `scheme://…` use the module of that dotted name, which offers a `transport`."""
    _MODULES[scheme] = module


def get_transport(scheme: str) -> Transport:
    """The transport of a URL scheme.

    `ValueError` names the known schemes when there is none of that name, and says so when it is one
    that this version does not have yet; `ImportError` comes from a missing optional package.
    """
    module = _MODULES.get(scheme)
    if module is None:
        names = ", ".join(f"{name}://" for name in known())
        if scheme in _PLANNED:
            raise ValueError(f"transport {scheme}:// is not available yet; there is: {names}")
        raise ValueError(f"no transport for URL scheme {scheme!r}; there is: {names}")
    transport: Transport = import_module(module).transport
    return transport
