"""What an administrator does to a broker: virtual hosts, users, permissions, limits, policies.

Knows nothing of connections, time or where it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .access import Permissions, TopicPermissions
from .errors import ConnectionForced
from .journal import facts
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

    def _ensure_open(self) -> None:
        if self.closed:
            raise ConnectionForced("the broker is closed")

    # -- virtual hosts

    def add_vhost(self, name: str) -> None:
        """Make a virtual host; one that is there stays as it is."""
        with self._lock:
            self._ensure_open()
            if name not in self.vhosts:
                self.vhosts[name] = VHost(name, self._host)
                self._keep(facts.vhost_added(name))

    def delete_vhost(self, name: str) -> None:
        """Delete a virtual host with all that is in it; its connections are closed.

        Raises KeyError that names it if there is none.
        """
        with self._lock:
            host = self._vhost(name)
            for connection in list(host.connections):
                connection.close()
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

    def add_user(self, name: str, tags: Iterable[str] = (), connections: int | None = None) -> None:
        """Add a user; from the first one on only users with permissions may connect.

        `connections` is how many it may have at one time, None for any number.
        """
        with self._lock:
            self.users.add(name, tags, connections)
            self._keep(facts.user_added(self.users.get(name)))

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
