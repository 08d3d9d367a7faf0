"""TLS for servers: a context from files, and the same context with other files. Knows no socket."""

from __future__ import annotations

import logging
import ssl

__all__ = ["ServerContext", "reload_context", "server_context"]

logger = logging.getLogger("minibroker.server")


class ServerContext(ssl.SSLContext):
    """A context that can be reloaded: connections begin with the newest one.

    Another context, and not this one with other files: what was loaded cannot be taken out, and
    with a session that it remembers a client gets in without the check of its certificate.
    """

    newest: ssl.SSLContext | None = None
    """What `reload_context` made."""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """The TLS of one connection; event loops call it."""
        wrap = super().wrap_bio if self.newest is None else self.newest.wrap_bio
        return wrap(incoming, outgoing, server_side, server_hostname, session)


def server_context(
    certificate: str, key: str | None = None, authority: str | None = None, required: bool = True
) -> ServerContext:
    """A context for a server, TLS 1.2 or newer. Handshakes that fail are logged.

    Args:
        certificate: file with the server's certificate, and those between it and its authority.
        key: file with its private key; None: it is in the same file.
        authority: file with the certificates that those of clients are checked against; None:
            clients are not asked for one.
        required: whether a client without a certificate is refused, where there is an `authority`.

    Raises ValueError that names the file that cannot be read or is no such thing.
    """
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Handshake
    _load(context, certificate, key)
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"no certificates of an authority in {authority}: {error}") from None
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def reload_context(
    context: ServerContext,
    certificate: str,
    key: str | None = None,
    authority: str | None = None,
    required: bool = True,
) -> None:
    """Use what is in the files now for connections to come; those that are there stay.

    The arguments are those of `server_context`. Raises ValueError as it does, and then the context
    is as it was.
    """
    context.newest = server_context(certificate, key, authority, required)


class _Handshake(ssl.SSLObject):
    """The TLS of one connection: says why a handshake failed, which asyncio keeps to itself."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            reason = _reason(error)
            extra = {"fields": {"event": "handshake failed", "reason": reason}}
            logger.warning("TLS handshake failed reason=%r", reason, extra=extra)
            raise


def _reason(error: ssl.SSLError) -> str:
    said = (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{said}: {error.verify_message}"
    return said


def _load(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        where = certificate if key is None else f"{certificate} and {key}"
        raise ValueError(f"no certificate with its key in {where}: {error}") from None


def _no_password() -> str:
    raise ssl.SSLError("the key is encrypted: decrypt it, a server cannot ask for a password")
