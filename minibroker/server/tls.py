"""TLS for servers: a context from files, and the same context with other files. Knows no socket."""

from __future__ import annotations

import ssl

__all__ = ["reload_context", "server_context"]


def server_context(
    certificate: str, key: str | None = None, authority: str | None = None, required: bool = True
) -> ssl.SSLContext:
    """A context for a server, TLS 1.2 or newer.

    Args:
        certificate: file with the server's certificate, and those between it and its authority.
        key: file with its private key; None: it is in the same file.
        authority: file with the certificates that those of clients are checked against; None:
            clients are not asked for one.
        required: whether a client without a certificate is refused, where there is an `authority`.

    Raises ValueError that names the file that cannot be read or is no such thing.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, certificate, key)
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"no certificates of an authority in {authority}: {error}") from None
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def reload_context(context: ssl.SSLContext, certificate: str, key: str | None = None) -> None:
    """Use what is in the files now for connections to come; those that are there stay.

    Raises ValueError as `server_context` does, and then the context is as it was.
    """
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key)
    _load(context, certificate, key)


def _load(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        where = certificate if key is None else f"{certificate} and {key}"
        raise ValueError(f"no certificate with its key in {where}: {error}") from None


def _no_password() -> str:
    raise ssl.SSLError("the key is encrypted: decrypt it, a server cannot ask for a password")
