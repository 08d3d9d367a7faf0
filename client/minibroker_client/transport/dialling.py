"""From an address to a connected socket, with TLS if it is wanted. Knows no protocol."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import Address

__all__ = ["dial", "explained", "server_name", "shown", "tls_context"]

MASK = "**"
TLS_OPTIONS = frozenset({
    "ca_certs", "cert_reqs", "certfile", "check_hostname", "context", "keyfile", "password",
    "server_hostname",
})  # fmt: skip


def shown(address: Address) -> str:
    """The URL of an address, without its password."""
    user = ""
    if address.userid or address.password:
        user = quote(address.userid or "", safe="") + (f":{MASK}" if address.password else "") + "@"
    host = address.hostname or "localhost"
    host = f"[{host}]" if ":" in host else quote(host, safe="")
    port = f":{address.port}" if address.port else ""
    return f"{address.transport}://{user}{host}{port}/{quote(address.virtual_host, safe='/')}"


def dial(address: Address, default_port: int, tls: bool) -> socket.socket:
    """Connect. A host name that begins with a slash is the path of a Unix socket.

    `OSError` of the kind that the system gave, with the URL in its text; `ssl.SSLError` is one.
    `ValueError` for an unknown TLS option.
    """
    context = tls_context(address.ssl) if tls or address.ssl else None
    where = shown(address)
    try:
        made = _connected(address, default_port)
    except OSError as error:
        raise explained(error, f"cannot connect to {where}") from error
    if context is None:
        return made
    try:
        return context.wrap_socket(made, server_hostname=server_name(address))
    except OSError as error:
        made.close()
        raise explained(error, f"no TLS connection to {where}") from error


def _connected(address: Address, default_port: int) -> socket.socket:
    host = address.hostname or "localhost"
    if host.startswith("/"):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(address.connect_timeout)
        try:
            made.connect(host)
        except OSError:
            made.close()
            raise
        return made
    made = socket.create_connection((host, address.port or default_port), address.connect_timeout)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return made


def explained(error: OSError, text: str) -> OSError:
    """The same error with more in its text."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ssl.SSLCertVerificationError(error.errno, f"{text}: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return ssl.SSLError(error.errno, f"{text}: {error.strerror or error}")
    if isinstance(error, TimeoutError):
        return TimeoutError(f"{text}: timed out")
    if error.errno is None:
        return OSError(f"{text}: {error}")
    return type(error)(error.errno, f"{text}: {error.strerror}")


def tls_context(options: bool | Mapping[str, Any]) -> ssl.SSLContext:
    """The context for the client's side.

    The options are `ca_certs` (a file; without one those of the system), `certfile`, `keyfile` and
    `password` of a client certificate, `cert_reqs` (`ssl.CERT_NONE` takes any server),
    `check_hostname`, `server_hostname`, or a `context` that is used as it is. `ValueError` names
    an unknown one; `OSError` comes from files that cannot be read.
    """
    given = dict(options) if not isinstance(options, bool) else {}
    unknown = sorted(set(given) - TLS_OPTIONS)
    if unknown:
        raise ValueError(f"unknown TLS option {unknown[0]!r} (there is: {sorted(TLS_OPTIONS)})")
    if given.get("context") is not None:
        context: ssl.SSLContext = given["context"]
        return context
    context = ssl.create_default_context(cafile=given.get("ca_certs"))
    required = given.get("cert_reqs", ssl.CERT_REQUIRED)
    context.check_hostname = given.get("check_hostname", required == ssl.CERT_REQUIRED)
    context.verify_mode = required
    if given.get("certfile"):
        context.load_cert_chain(given["certfile"], given.get("keyfile"), given.get("password"))
    return context


def server_name(address: Address) -> str:
    """The name that the server's certificate has to have."""
    options = address.ssl if not isinstance(address.ssl, bool) else {}
    name: str = options.get("server_hostname") or address.hostname or "localhost"
    return "localhost" if name.startswith("/") else name
