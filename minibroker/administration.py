"""What an administrator does to a broker: virtual hosts, users, permissions, limits, policies.

Knows nothing of connections, time or where it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .access import Permissions, TopicPermissions
from .declare import check_name
from .errors import ConnectionForced
from .journal import facts
from .passwords import hash_password
from .policy import Policy
from .vhost import VHost

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from .fields import FieldValue
    from .host import Host
    from .journal.facts import Fact
    from .policy import ApplyTo
    from .users import Users

__all__ = ["Administration"]


class Administration:
    """The part of a broker that is administered. Thread-safe."""

    users: Users
    vhosts: dict[str, VHost]
    closed: bool
    _host: Host
    _lock: threading.RLock

    def _salt(self) -> bytes:
        """Random bytes for a password."""
        raise NotImplementedError

    def _ensure_open(self) -> None:
        if self.closed:
            raise ConnectionForced("the broker is closed")

    # -- virtual hosts

    def add_vhost(self, name: str) -> None:
        """Make a virtual host; one that is there stays as it is.

        Raises PreconditionFailed for a name above 255 bytes of UTF-8.
        """
        with self._lock:
            self._ensure_open()
            check_name("virtual host name", name)
            if name not in self.vhosts:
                self.vhosts[name] = VHost(name, self._host)
                self._keep(facts.vhost_added(name))

    def delete_vhost(self, name: str) -> None:
        """Delete a virtual host with all that is in it; its connections are closed.

        Raises KeyError that names it if there is none.
        """
        with self._lock:
            host = self._vhost(name)
            gone = ConnectionForced(f"vhost '{name}' is deleted")
            for connection in list(host.connections):
                connection.close(gone)
            for queue in list(host.queues.values()):
                host.remove_queue(queue)
            for exchange in list(host.exchanges.values()):
                exchange.delete()
            del self.vhosts[name]
            self._keep(facts.vhost_removed(name))

    def set_limits(
        self,
        vhost: str | None = "/",
        *,
        queues: int | None = None,
        exchanges: int | None = None,
        connections: int | None = None,
    ) -> None:
        """Limit how many there may be in a virtual host, or with None in the whole broker.

        None for any number; what is there already stays. Raises KeyError for an unknown virtual
        host.
        """
        with self._lock:
            limits = self._host.limits if vhost is None else self._vhost(vhost).limits
            limits.queues, limits.exchanges, limits.connections = queues, exchanges, connections
            self._keep(facts.limits_set(vhost, limits))

    def _keep(self, fact: Fact) -> None:
        """Report what has to outlive the process."""
        if self._host.journal is not None:
            self._host.journal.append(fact)

    def _vhost(self, name: str) -> VHost:
        try:
            return self.vhosts[name]
        except KeyError:
            raise KeyError(f"no vhost {name!r}") from None

    # -- users

    def add_user(
        self,
        name: str,
        tags: Iterable[str] = (),
        connections: int | None = None,
        *,
        password: str | None = None,
    ) -> None:
        """Add a user, or change one; from the first one on only users with permissions may connect.

        Args:
            name: at most 255 bytes of UTF-8, not empty.
            tags: "impersonator" lets it publish in other users' names.
            connections: how many it may have at one time, None for any number.
            password: what it logs in with on a socket; hashed at once. None: the one that it has,
                or none, and then only a certificate lets it in.

        Raises ValueError for an empty name or password.
        """
        check_name("user name", name)
        if not name:
            raise ValueError("a user's name must not be empty")
        hashed = None if password is None else hash_password(password, self._salt())
        with self._lock:
            self._ensure_open()
            self.users.add(name, tags, connections)
            self._keep(facts.user_added(self.users.get(name)))
            if hashed is not None:
                self._set_password(name, hashed)

    def change_password(self, name: str, password: str | None) -> None:
        """Give a user another password, or with None none at all; who is connected stays so.

        Raises KeyError for an unknown user, ValueError for an empty password.
        """
        hashed = None if password is None else hash_password(password, self._salt())
        with self._lock:
            self._ensure_open()
            self._set_password(name, hashed)

    def _set_password(self, name: str, hashed: str | None) -> None:
        self.users.get(name).password = hashed
        self._keep(facts.password_set(name, hashed))

    def delete_user(self, name: str) -> None:
        """Delete a user; its connections are closed. Raises KeyError that names it.

        When the last one is gone the broker is as it was before the first one: everything is
        allowed in process, and for `guest` on a socket.
        """
        with self._lock:
            self._ensure_open()
            self.users.remove(name)
            self._keep(facts.user_removed(name))
            gone = ConnectionForced(f"user '{name}' is deleted")
            for host in self.vhosts.values():
                for connection in [each for each in host.connections if each.user == name]:
                    connection.close(gone)

    def set_permissions(
        self,
        user: str,
        vhost: str = "/",
        *,
        configure: str = ".*",
        write: str = ".*",
        read: str = ".*",
        topics: Iterable[TopicPermissions] = (),
    ) -> None:
        """Set what a user may do in a virtual host, for connections from now on.

        The three are regular expressions for names, see `Permissions`. Raises KeyError for an
        unknown user or virtual host, ValueError for an invalid expression.
        """
        with self._lock:
            self._vhost(vhost)
            account = self.users.get(user)
            account.permissions[vhost] = Permissions(configure, write, read)
            account.topics[vhost] = list(topics)
            self._keep(facts.permissions_set(account, vhost))

    def clear_permissions(self, user: str, vhost: str = "/") -> None:
        """Take all permissions in a virtual host away from a user, for connections from now on.

        Raises KeyError for an unknown user or virtual host.
        """
        with self._lock:
            self._ensure_open()
            self._vhost(vhost)
            account = self.users.get(user)
            account.permissions.pop(vhost, None)
            account.topics.pop(vhost, None)
            self._keep(facts.permissions_cleared(user, vhost))

    # -- policies

    def set_policy(  # noqa: PLR0913 -- the fields of a policy
        self,
        name: str,
        pattern: str,
        definition: Mapping[str, FieldValue],
        *,
        vhost: str = "/",
        priority: int = 0,
        apply_to: ApplyTo = "all",
        operator: bool = False,
    ) -> None:
        """Set a policy, or an operator policy; it applies at once, see `Policy`.

        Raises ValueError that names what is invalid, KeyError for an unknown virtual host.
        """
        with self._lock:
            host = self._vhost(vhost)
            policy = Policy(name, pattern, definition, priority, apply_to)
            if operator:
                host.policies.set_operator(policy)
            else:
                host.policies.set(policy)
            host.apply_policies()
            self._keep(facts.policy_set(vhost, policy, operator))

    def delete_policy(self, name: str, *, vhost: str = "/", operator: bool = False) -> bool:
        """Remove a policy; False if there is none of that name."""
        with self._lock:
            host = self._vhost(vhost)
            policies = host.policies
            found = policies.delete_operator(name) if operator else policies.delete(name)
            if found:
                host.apply_policies()
                self._keep(facts.policy_removed(vhost, name, operator))
            return found
