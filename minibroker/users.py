"""Who may connect to a broker, as whom, and with which permissions.

Knows no way to log in: those are `server.sasl`. Source: RabbitMQ documentation, "Access Control".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .access import UNRESTRICTED, Access
from .errors import NotAllowed
from .passwords import SALT_SIZE, hash_password, matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .access import Permissions, TopicPermissions
    from .profile import Profile

__all__ = ["GUEST", "User", "Users"]

IMPERSONATOR = "impersonator"
"""The tag that lets a user publish with somebody else's `user_id`."""
GUEST = "guest"
"""The user, and its password, of a broker that nobody added users to."""
NOBODY = hash_password(GUEST, bytes(SALT_SIZE))
"""What the password of a user is compared with who is not there, for as long as one who is."""


@dataclass(slots=True)
class User:
    """A user: tags, and permissions by virtual host."""

    name: str
    tags: frozenset[str] = frozenset()
    permissions: dict[str, Permissions] = field(default_factory=dict)
    topics: dict[str, list[TopicPermissions]] = field(default_factory=dict)
    connections: int | None = None
    """How many it may have at one time; None for any number."""
    password: str | None = None
    """Hashed; None: it cannot log in with one."""


class Users:
    """The users of one broker. While there is none, everybody may do everything in process, and
    `guest` on a socket.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, User] = {}
        self.loopback = frozenset({GUEST})
        """Who may log in from this machine only (RabbitMQ's `loopback_users`)."""

    def add(self, name: str, tags: Iterable[str] = (), connections: int | None = None) -> None:
        """Add a user, or change its tags and how many connections it may have."""
        user = self.by_name.setdefault(name, User(name))
        user.tags = frozenset(tags)
        user.connections = connections

    def get(self, name: str) -> User:
        """The user of that name. Raises KeyError that names it."""
        try:
            return self.by_name[name]
        except KeyError:
            raise KeyError(f"no user {name!r}") from None

    def remove(self, name: str) -> None:
        """Remove a user. Raises KeyError that names it."""
        self.get(name)
        del self.by_name[name]

    def knows(self, name: str) -> bool:
        """Whether there is a user of that name who can log in."""
        return name in self.by_name or (not self.by_name and name == GUEST)

    def verify(self, name: str, password: bytes) -> bool:
        """Whether a user has this password. Takes as long for one who is not there."""
        if not self.by_name:
            return name == GUEST and password == GUEST.encode()
        user = self.by_name.get(name)
        kept = None if user is None else user.password
        return matches(password, kept or NOBODY) and kept is not None

    def impersonates(self, name: str) -> bool:
        """Whether a user may publish in other users' names."""
        user = self.by_name.get(name)
        return user is not None and IMPERSONATOR in user.tags

    def connections(self, name: str) -> int | None:
        """How many connections a user may have at one time; None for any number."""
        user = self.by_name.get(name)
        return None if user is None else user.connections

    def access(self, name: str, vhost: str, profile: Profile) -> Access:
        """What a user may do in a virtual host.

        Raises NotAllowed for an unknown user, and for one without permissions there.
        """
        if not self.by_name:
            return UNRESTRICTED
        user = self.by_name.get(name)
        if user is None or vhost not in user.permissions:
            raise NotAllowed(f"access to vhost '{vhost}' refused for user '{name}'")
        return Access(name, vhost, profile, user.permissions[vhost], user.topics.get(vhost, ()))
