"""Where a broker is and who asks: an `amqp://` address. Knows nothing of sockets."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["Address"]


class Address(NamedTuple):
    """The parts of `amqp://user:password@host:port/vhost`."""

    host: str
    port: int
    user: str
    password: str
    vhost: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address, with RabbitMQ's defaults where a part is missing.

        Raises ValueError for anything but an amqp address.
        """
        parts = urlsplit(url)
        if parts.scheme != "amqp" or not parts.hostname:
            raise ValueError(f"{url!r} is not amqp://host")
        vhost = unquote(parts.path[1:]) or "/"
        user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
        return cls(parts.hostname, parts.port or 5672, user, password, vhost)
