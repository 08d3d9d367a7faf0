"""What one connection may do. Knows no user database: it is given the permissions.

Source: RabbitMQ documentation, "Access Control"; `rabbit_access_control` and
`rabbit_auth_backend_internal` for the texts and how patterns match (118 to 120).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from .errors import AccessRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .profile import Profile

__all__ = ["UNRESTRICTED", "Access", "Permissions", "TopicPermissions"]

Verb: TypeAlias = Literal["configure", "write", "read"]
Kind: TypeAlias = Literal["queue", "exchange"]

MEMO_SIZE = 4096
"""Names that an `Access` remembers as allowed before it starts again."""


def _compiled(what: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern or "^$")  # an empty pattern matches nothing that has a name
    except re.error as error:
        raise ValueError(f"{what} permission {pattern!r} is no pattern: {error}") from None


@dataclass(slots=True, eq=False)
class Permissions:
    """What a user may do in a virtual host: one regular expression per verb. Unchanging.

    A pattern matches anywhere in a name, the empty one matches nothing. Raises ValueError that
    names a pattern that is no regular expression.
    """

    configure: str
    """Names that may be declared and deleted."""
    write: str
    """Names that may be published to, and bound as a destination."""
    read: str
    """Names that may be consumed from, and bound as a source."""
    _patterns: dict[Verb, re.Pattern[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._patterns = {
            "configure": _compiled("configure", self.configure),
            "write": _compiled("write", self.write),
            "read": _compiled("read", self.read),
        }

    def allows(self, verb: Verb, name: str) -> bool:
        """Whether the pattern for `verb` matches `name`."""
        return self._patterns[verb].search(name) is not None


@dataclass(slots=True, eq=False)
class TopicPermissions:
    """Which routing keys a user may use with one topic exchange. Unchanging.

    In a pattern `{username}`, `{vhost}` and `{client_id}` stand for the connection's own; they
    are taken literally, whatever characters are in them. Raises ValueError that names a pattern
    that is no regular expression.
    """

    exchange: str
    write: str
    """Routing keys of messages that may be published."""
    read: str
    """Binding keys that may be bound."""

    def __post_init__(self) -> None:
        for verb, pattern in (("write", self.write), ("read", self.read)):
            _compiled(f"topic {verb}", _expanded(pattern, {}))

    def allows(self, verb: Verb, routing_key: str, variables: dict[str, str]) -> bool:
        """Whether the pattern for `verb` matches `routing_key`, after expansion."""
        pattern = self.write if verb == "write" else self.read
        expanded = _expanded(pattern, variables)
        return _compiled(f"topic {verb}", expanded).search(routing_key) is not None


_VARIABLES = ("username", "vhost", "client_id")


def _expanded(pattern: str, variables: dict[str, str]) -> str:
    for name in _VARIABLES:
        pattern = pattern.replace(f"{{{name}}}", re.escape(variables.get(name, f"{{{name}}}")))
    return pattern


class Access:
    """What a user may do in a virtual host, as one connection sees it. Not thread-safe.

    Whoever changes permissions makes a new one. What was allowed is remembered, so that a check
    costs a lookup; `restricted` is all that publishing reads where there are no permissions.
    """

    restricted: ClassVar[bool] = True
    """False only for `UNRESTRICTED`: nothing has to be asked."""

    def __init__(
        self,
        user: str,
        vhost: str,
        profile: Profile,
        permissions: Permissions | None,
        topics: Iterable[TopicPermissions] = (),
        client_id: str | None = None,
    ) -> None:
        self.user = user
        self.vhost = vhost
        self.permissions = permissions
        """None: no permission in this virtual host at all."""
        self.topics = {topic.exchange: topic for topic in topics}
        self._profile = profile
        self._variables = {"username": user, "vhost": vhost}
        if client_id is not None:
            self._variables["client_id"] = client_id
        self._allowed: set[tuple[str, ...]] = set()

    def check_configure(self, kind: Kind, name: str) -> None:
        """Declaring and deleting. Raises AccessRefused."""
        self._check("configure", kind, name)

    def check_write(self, kind: Kind, name: str) -> None:
        """Publishing, and being bound as a destination. Raises AccessRefused."""
        self._check("write", kind, name)

    def check_read(self, kind: Kind, name: str) -> None:
        """Consuming, getting, purging, and being bound as a source. Raises AccessRefused."""
        self._check("read", kind, name)

    def may_read(self, queue: str) -> bool:
        """Whether a queue may be consumed from."""
        return self._allows("read", queue)

    def check_passive(self, kind: Kind, name: str) -> None:
        """Declaring passively, which in newer profiles needs any of the three permissions (120).

        Raises AccessRefused.
        """
        if not self._profile.passive_declare_needs_permission:
            return
        if not any(self._allows(verb, name) for verb in ("configure", "write", "read")):
            raise self._refused("configure", f"{kind} '{name or 'amq.default'}'")

    def check_topic(self, verb: Verb, exchange: str, routing_key: str) -> None:
        """Publishing to ("write") or binding from ("read") a topic exchange (119).

        An exchange without topic permissions takes every routing key. Raises AccessRefused.
        """
        topic = self.topics.get(exchange)
        if topic is None or ("topic", verb, exchange, routing_key) in self._allowed:
            return
        if not topic.allows(verb, routing_key, self._variables):
            raise self._refused(verb, f"topic '{routing_key}' in exchange '{exchange}'")
        self._remember("topic", verb, exchange, routing_key)

    def _check(self, verb: Verb, kind: Kind, name: str) -> None:
        if not self._allows(verb, name):
            raise self._refused(verb, f"{kind} '{name or 'amq.default'}'")

    def _allows(self, verb: Verb, name: str) -> bool:
        if (verb, name) in self._allowed:
            return True
        # The default exchange, and only it, has no name (118).
        if self.permissions is None or not self.permissions.allows(verb, name or "amq.default"):
            return False
        self._remember(verb, name)
        return True

    def _remember(self, *what: str) -> None:
        if len(self._allowed) >= MEMO_SIZE:
            self._allowed.clear()
        self._allowed.add(what)

    def _refused(self, verb: Verb, what: str) -> AccessRefused:
        begin = f"{verb} access" if self._profile.access_texts_with_verb else "access"
        return AccessRefused(
            f"{begin} to {what} in vhost '{self.vhost}' refused for user '{self.user}'"
        )


class _Unrestricted(Access):
    """Everything is allowed: there are no users to tell apart."""

    restricted: ClassVar[bool] = False

    def __init__(self) -> None:
        """It has neither user nor permissions."""

    def may_read(self, queue: str) -> bool:
        """It may."""
        return True

    def check_configure(self, kind: Kind, name: str) -> None:
        """Allowed."""

    def check_write(self, kind: Kind, name: str) -> None:
        """Allowed."""

    def check_read(self, kind: Kind, name: str) -> None:
        """Allowed."""

    def check_passive(self, kind: Kind, name: str) -> None:
        """Allowed."""

    def check_topic(self, verb: Verb, exchange: str, routing_key: str) -> None:
        """Allowed."""


UNRESTRICTED: Access = _Unrestricted()
"""The access of a connection whose broker has no users."""
