"""Where `minibroker serve` listens: as the options say, and each table of the file. With their TLS.

Knows no signal, and nothing of the broker behind the server.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ..server.tls import ServerContext, reload_context, server_context
from .options import LISTEN, OPTIONS, OptionError

if TYPE_CHECKING:
    import ssl

__all__ = ["Listeners", "Listens"]

DEFAULTS = {option.name: option.default for option in OPTIONS if option.name in LISTEN}
logger = logging.getLogger("minibroker.serve")


class Listens(Protocol):
    """A server, as far as it is needed here."""

    async def listen(self, host: str, port: int, *, tls: ssl.SSLContext | None) -> None:
        """As `Server.listen`."""
        ...

    async def listen_unix(self, path: str) -> None:
        """As `Server.listen_unix`."""
        ...


class Listeners:
    """The places that collected options name. Raises OptionError for one that is none."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.places = _places(values)
        self._contexts: list[tuple[ServerContext, Mapping[str, Any]]] = []

    async def open(self, server: Listens) -> None:
        """Listen everywhere. Raises OptionError that names a place where it cannot, and why."""
        for place in self.places:
            context = self._context(place)
            if place["unix"] is not None:
                await _open_unix(server, place["unix"])
            else:
                await _open_port(server, place, context)

    def _context(self, place: Mapping[str, Any]) -> ssl.SSLContext | None:
        if place["tls-cert"] is None:
            for name in ("tls-key", "tls-ca"):
                if place[name] is not None:
                    raise OptionError(f"--{name} is of no use without --tls-cert")
            return None
        try:
            context = server_context(*_files(place))
        except ValueError as error:
            raise OptionError(str(error)) from None
        self._contexts.append((context, place))
        return context

    def reload(self) -> None:
        """Read the certificates again; what is wrong is logged, and stays as it was."""
        for context, place in self._contexts:
            try:
                reload_context(context, *_files(place))
                logger.info("certificate of %s loaded again", place["tls-cert"])
            except ValueError as error:
                logger.error("%s; the certificate from before is used", error)  # noqa: TRY400 -- it says all


def _files(place: Mapping[str, Any]) -> tuple[str, str | None, str | None, bool]:
    required = place["tls-verify"] == "required"
    return place["tls-cert"], place["tls-key"], place["tls-ca"], required


def _places(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = {name: values[name] for name in LISTEN}
    places = [{**own, "unix": None}]
    if own["unix"] is not None:
        places.append({**DEFAULTS, "unix": own["unix"]})
    for table in values["listen"]:
        if "port" not in table and "unix" not in table:
            raise OptionError("[[listen]]: a port or unix is wanted")
        if "unix" in table and len(table) > 1:
            raise OptionError("[[listen]]: with unix no other key is of use")
        places.append({**DEFAULTS, **table})
    return places


async def _open_unix(server: Listens, path: str) -> None:
    try:
        await server.listen_unix(path)
    except OSError as error:
        hint = " (another program listens there: take another path)"
        raise OptionError(_cannot(path, error, hint)) from None


async def _open_port(
    server: Listens, place: Mapping[str, Any], context: ssl.SSLContext | None
) -> None:
    where = f"{place['host']}:{place['port']}"
    try:
        await server.listen(place["host"], place["port"], tls=context)
    except OSError as error:
        hint = " (another program listens there: take another --port, or 0 for a free one)"
        raise OptionError(_cannot(where, error, hint)) from None
    except UnicodeError:
        raise OptionError(f"cannot listen on {where}: that is no name of a host") from None


def _cannot(where: str, error: OSError, hint: str) -> str:
    taken = error.errno == errno.EADDRINUSE
    return f"cannot listen on {where}: {error.strerror or error}{hint if taken else ''}"
