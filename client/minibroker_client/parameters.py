"""Where a connection goes: URLs and what they say. Opens nothing and imports no transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from .transport.base import Address, EmbeddedBroker

__all__ = ["Parameters", "Password", "parse_url"]

Password = str | Callable[[], str] | None
"""A password, or a function that gives the current one each time a connection is made."""

MASK = "**"
_QUERY: dict[str, Callable[[str], Any]] = {"connect_timeout": float, "heartbeat": float}
"""What may follow the `?` of a URL, and how to read it."""
_OWN_QUERY = ("mongodb", "azureservicebus", "mqtt", "nats", "sqs")
"""Schemes (and those that begin like them) whose driver reads what else follows the `?`."""


@dataclass(slots=True)
class Parameters:
    """What it takes to connect, with Kombu's names."""

    hostname: str | None = "localhost"
    userid: str | None = None
    password: Password = None
    virtual_host: str = "/"
    port: int | None = None
    ssl: bool | Mapping[str, Any] = False
    transport: str = "amqp"
    connect_timeout: float | None = 5
    heartbeat: float | None = None
    broker: EmbeddedBroker | None = None
    query: str = ""
    """What follows the `?` of the URL for the transport alone, encoded as it is there."""

    def with_url(self, url: str) -> Parameters:
        """These with all that a URL says, or with another host name when it is only that."""
        found = parse_url(url) if "://" in url else {"hostname": url}
        said: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
        return replace(self, **said)

    def address(self, options: Mapping[str, Any]) -> Address:
        """What a transport gets; asks for the password if it is a function."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if callable(self.password):
            values["password"] = self.password()
        return Address(**values, options=options)

    def as_uri(self, include_password: bool = False, mask: str = MASK) -> str:
        """The URL. The password is masked unless asked for."""
        if self.broker is not None:
            return f"{self.transport}://<{type(self.broker).__name__}>/{quote(self.virtual_host)}"
        user = ""
        if self.userid or self.password:
            user = quote(self.userid or "", safe="")
            if self.password:
                user += f":{self._secret() if include_password else mask}"
            user += "@"
        port = f":{self.port}" if self.port else ""
        if self.transport == "file":
            return f"file://{quote(self.hostname or '')}"
        if (self.hostname or "").startswith("/"):
            return f"{self.transport}+unix://{user}{quote(self.hostname or '')}"
        vhost = quote(self.virtual_host, safe="/")
        query = f"?{self.query}" if self.query else ""
        return f"{self.transport}://{user}{self.hostname or ''}{port}/{vhost}{query}"

    def _secret(self) -> str:
        secret = self.password() if callable(self.password) else self.password
        return quote(secret or "", safe="")

    def identity(self) -> tuple[object, ...]:
        """Equal for those that go to the same place as the same user."""
        return (
            self.transport, self.hostname, self.userid, self.password, self.virtual_host,
            self.port, self.query, id(self.broker) if self.broker is not None else None,
        )  # fmt: skip


def parse_url(url: str) -> dict[str, Any]:
    """The parts of a broker URL by Kombu's names; None for what it does not say.

    The path without its first slash is the virtual host, percent-decoded: `//` and nothing both
    mean "/". Of `amqp+unix:///path/to/socket` the path is the socket, as a host name that begins
    with a slash, and of `file:///directory` the directory, as the host name: the virtual host is
    not said there. `mongodb://` may name several hosts, with their ports. `ValueError` names a
    query parameter that is not known or cannot be read.
    """
    parts = urlsplit(url)
    is_file = parts.scheme == "file"
    if is_file and parts.netloc not in {"", "localhost"}:
        raise ValueError(
            f"{url!r} names a host: a directory is written with three slashes, as in file:///dir"
        )
    is_unix = parts.scheme.endswith("+unix")
    path = "" if is_file or is_unix else unquote(parts.path.removeprefix("/"))
    found: dict[str, Any] = {
        "transport": parts.scheme.removesuffix("+unix"),
        "hostname": unquote(parts.path) if is_file or is_unix else _host(parts.netloc),
        "port": None if "," in parts.netloc else parts.port,
        "userid": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "virtual_host": path or None,
    }
    own = parts.scheme.startswith(_OWN_QUERY)
    rest = []
    for name, value in parse_qsl(parts.query):
        if name not in _QUERY and own:
            rest.append((name, value))
            continue
        if name not in _QUERY:
            known = ", ".join(sorted(_QUERY))
            raise ValueError(f"unknown parameter {name!r} in broker URL; there is: {known}")
        try:
            found[name] = _QUERY[name](value)
        except ValueError:
            raise ValueError(f"parameter {name} of broker URL is not a number: {value!r}") from None
    if rest:
        found["query"] = urlencode(rest)
    return found


def _host(netloc: str) -> str:
    # Not `urlsplit().hostname`, which is in lower case: the names of memory:// are not.
    host = netloc.rpartition("@")[2]
    if "," in host:
        return host
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return unquote(host.partition(":")[0])
