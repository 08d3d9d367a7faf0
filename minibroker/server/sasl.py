"""Logging in: what a client sends for a mechanism, and who it is then. Knows no method of AMQP.

Source: RabbitMQ documentation, "Authentication, Authorisation, Access Control"; RabbitMQ's
`rabbit_auth_mechanism_plain`, `rabbit_auth_mechanism_amqplain`, `rabbit_auth_mechanism_ssl` for
what is sent, RFC 4616 for PLAIN.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import AccessRefused, CommandInvalid, SyntaxInvalid
from ..wire.amqp import decode_table

if TYPE_CHECKING:
    from ..users import Users

__all__ = ["LoginRefused", "Peer", "authenticate", "mechanisms"]


class LoginRefused(AccessRefused):
    """403: nobody may log in like that. What the client is told does not say why; `reason` does."""

    def __init__(self, mechanism: str, user: str, reason: str) -> None:
        super().__init__(
            f"Login was refused using authentication mechanism {mechanism}. "
            "For details see the broker logfile."
        )
        self.user = user
        self.reason = reason
        """For the log of the server; never the password."""


@dataclass(slots=True)
class Peer:
    """Who is at the other end of a socket, as far as the socket knows."""

    loopback: bool
    """Whether it is on this machine."""
    certificate: Mapping[str, object] | None = None
    """Its certificate, if it has one that was checked, as `SSLSocket.getpeercert` gives it."""


def mechanisms(peer: Peer) -> str:
    """The mechanisms that are offered, as AMQP lists them."""
    return "PLAIN AMQPLAIN" + (" EXTERNAL" if peer.certificate else "")


def authenticate(mechanism: str, response: bytes, users: Users, peer: Peer) -> str:
    """Who logs in. Raises LoginRefused, and CommandInvalid for an unknown mechanism."""
    if mechanism == "EXTERNAL" and peer.certificate:
        name = _certified(peer.certificate)
        if name is None or not users.knows(name):
            raise LoginRefused(mechanism, name or "", "no user has the name in the certificate")
    elif (read := _READERS.get(mechanism)) is not None:
        said = read(response)
        if said is None:
            raise LoginRefused(mechanism, "", "the response cannot be read")
        name, password = said
        if not users.verify(name, password):
            reason = "wrong password" if users.knows(name) else "no such user"
            raise LoginRefused(mechanism, name, reason)
    else:
        raise CommandInvalid(f"unknown authentication mechanism '{mechanism}'")
    if name in users.loopback and not peer.loopback:
        raise LoginRefused(mechanism, name, "it can only connect from this machine")
    return name


def _plain(response: bytes) -> tuple[str, bytes] | None:
    parts = response.split(b"\x00")
    if len(parts) != 3 or parts[0]:
        return None
    try:
        return parts[1].decode(), parts[2]
    except UnicodeDecodeError:
        return None


def _amqplain(response: bytes) -> tuple[str, bytes] | None:
    """A field table without its length in front, with LOGIN and PASSWORD."""
    try:
        table, _ = decode_table(struct.pack(">I", len(response)) + response)
    except SyntaxInvalid:
        return None
    name, password = table.get("LOGIN"), table.get("PASSWORD")
    if isinstance(password, str):
        password = password.encode()
    if not isinstance(name, str) or not isinstance(password, bytes):
        return None
    return name, password


def _certified(certificate: Mapping[str, object]) -> str | None:
    """The common name of a certificate's subject; None without one, or with several."""
    subject = certificate.get("subject")
    if not isinstance(subject, tuple):
        return None
    names = [
        value
        for each in subject
        for key, value in each
        if key == "commonName" and isinstance(value, str)
    ]
    return names[0] if len(names) == 1 else None


_READERS: dict[str, Callable[[bytes], tuple[str, bytes] | None]] = {
    "PLAIN": _plain,
    "AMQPLAIN": _amqplain,
}
