"""Sockets that listen, and what a URL says of them. Knows no protocol.

`localhost` is 127.0.0.1 and ::1 with one port, because many clients try ::1 first.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from contextlib import suppress
from pathlib import Path

__all__ = ["is_loopback", "listening", "listening_unix", "url_of"]

BACKLOG = 4096
"""Connections that wait to be accepted."""
ATTEMPTS = 20
"""Free ports that are tried until one is free for both addresses of localhost."""
MISSING = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}


def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on all addresses of a host, all on one port. Raises OSError.

    Port 0 takes a free one. An address family that the machine does not have is left out.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _listen_everywhere(host, port)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")  # pragma: no cover -- the last attempt raises


def _listen_everywhere(host: str, port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host):
            try:
                made = _listen(family, address, port)
            except OSError as error:
                if sockets and error.errno in MISSING:
                    continue
                raise
            sockets.append(made)
            port = made.getsockname()[1]
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


def _addresses(host: str) -> list[tuple[int, str]]:
    if host == "localhost":
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    if host in {"", "*"}:
        return [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
    found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((each[0], str(each[4][0])) for each in found))


def _listen(family: int, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def listening_unix(path: str) -> socket.socket:
    """A Unix socket that listens at a path; one that nobody listens at any more is replaced.

    Raises OSError: EADDRINUSE when somebody does.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        made.bind(path)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _remove_stale(path: str) -> None:
    if not Path(path).is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                Path(path).unlink()


def url_of(made: socket.socket, tls: bool, protocol: str = "amqp") -> str:
    """The URL by which a client of a protocol reaches a listening socket."""
    scheme = f"{protocol}s" if tls else protocol
    if made.family == socket.AF_UNIX:
        return f"{scheme}+unix://{made.getsockname()}"
    host, port = made.getsockname()[:2]
    if made.family == socket.AF_INET6:
        host = f"[{'::1' if host == '::' else host}]"
    elif host == "0.0.0.0":
        host = "127.0.0.1"
    return f"{scheme}://{host}:{port}/"


def is_loopback(peer: object) -> bool:
    """Whether an address, as `getpeername` gives it, is of this machine; Unix sockets are."""
    if not isinstance(peer, tuple):
        return True
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
