"""Values to bodies and back: the registry of serializers, and the built-in ones.

Names, signatures and wire formats are Kombu's, so that either end may be Kombu. Knows nothing of
messages, channels or compression, and does no I/O.

Trust: decoding pickle runs code that the sender chose, so pickle (and yaml, by old habit) is
refused unless `accept` lists it or `enable_insecure_serializers` was called. A body without a
content type is treated as plain data; its first bytes are never looked at to guess a serializer.

Registering changes a table of the process; do it at start-up. Encoding and decoding are
thread-safe.
"""

from __future__ import annotations

import pickle
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..exceptions import SerializerNotInstalled
from . import typed_json
from .serializers import SerializerRegistry, type_for
from .typed_json import register_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "SerializerRegistry",
    "disable_insecure_serializers",
    "dumps",
    "enable_insecure_serializers",
    "loads",
    "prepare_accept_content",
    "register",
    "register_type",
    "registry",
    "unregister",
]


@cache
def _package(name: str, requirement: str) -> Any:
    try:
        return import_module(name)
    except ImportError as exc:
        hint = f'pip install "{requirement}"'
        raise SerializerNotInstalled(f"the package {name} is missing: {hint}") from exc


def _msgpack_encode(data: Any) -> bytes:
    packed: bytes = _package("msgpack", "minibroker").packb(data, use_bin_type=True)
    return packed


def _msgpack_decode(data: Any) -> Any:
    return _package("msgpack", "minibroker").unpackb(data, raw=False)


def _yaml_encode(data: Any) -> str:
    text: str = _package("yaml", "minibroker[yaml]").safe_dump(data)
    return text


def _yaml_decode(data: Any) -> Any:
    # PyYAML reads everything but str and bytes as an open file.
    text = data if isinstance(data, (str, bytes)) else bytes(data)
    return _package("yaml", "minibroker[yaml]").safe_load(text)


registry = SerializerRegistry()
"""The serializers of this process."""

dumps = registry.dumps
loads = registry.loads
register = registry.register
unregister = registry.unregister

register("json", typed_json.encode, typed_json.decode, "application/json")
register("msgpack", _msgpack_encode, _msgpack_decode, "application/x-msgpack", "binary")
register("yaml", _yaml_encode, _yaml_decode, "application/x-yaml")
register("pickle", pickle.dumps, pickle.loads, "application/x-python-serialize", "binary")
registry.disable("pickle")
registry.disable("yaml")


def enable_insecure_serializers(choices: Iterable[str] | None = ("pickle", "yaml")) -> None:
    """Let `loads` decode these names or content types when no `accept` is given (None: no change).

    Only for queues that nobody else can write to. Raises `SerializerNotInstalled` for unknown
    names.
    """
    for choice in choices or ():
        registry.enable(choice)


def disable_insecure_serializers(allowed: Iterable[str] | None = ("json",)) -> None:
    """Let `loads` decode only these names or content types when no `accept` is given.

    Plain bytes and text are always decoded. None allows nothing else. Senders are not affected.
    """
    registry.disable_all_but(allowed or ())


def prepare_accept_content(
    content_types: Iterable[str] | None, name_to_type: Mapping[str, str] | None = None
) -> set[str] | None:
    """Names and content types as a set of content types; None stays None (no restriction).

    Raises `SerializerNotInstalled` for a name that is not in `name_to_type` (default: the
    registry).
    """
    if content_types is None:
        return None
    names = (content_types,) if isinstance(content_types, str) else content_types
    table = registry.name_to_type if name_to_type is None else name_to_type
    return {type_for(name, table) for name in names}
