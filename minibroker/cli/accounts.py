"""The users that options and the file name, brought into a broker, and again after a change.

Knows nothing of where they are written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .options import OptionError

if TYPE_CHECKING:
    from ..broker import Broker

__all__ = ["Account", "accounts_of", "apply_accounts"]

ALL = {"configure": ".*", "write": ".*", "read": ".*"}


@dataclass(slots=True)
class Account:
    """A user as it is written down."""

    name: str
    password: str | None
    tags: list[str] = field(default_factory=list)
    permissions: dict[str, dict[str, str]] | None = None
    """By virtual host; None: everything in all of them."""


def accounts_of(values: Mapping[str, Any]) -> list[Account]:
    """The users of collected options. Raises OptionError for a table that is none."""
    found = [
        Account(name, password, ["administrator"]) for name, password in values.get("user", ())
    ]
    return found + [_account(table) for table in values.get("users", ())]


def _account(table: Mapping[str, Any]) -> Account:
    name, password = table.get("name"), table.get("password")
    if not isinstance(name, str) or not name:
        raise OptionError(f"[[users]]: a name is wanted, not {name!r}")
    if password is not None and (not isinstance(password, str) or not password):
        raise OptionError(f"[[users]] {name}: the password has to be a text")
    tags, permissions = table.get("tags", []), table.get("permissions")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise OptionError(f"[[users]] {name}: tags are a list of texts, not {tags!r}")
    if permissions is not None:
        _check_permissions(name, permissions)
    return Account(name, password, tags, permissions)


def _check_permissions(name: str, permissions: object) -> None:
    if not isinstance(permissions, dict):
        raise OptionError(f"[[users]] {name}: permissions are a table, not {permissions!r}")
    for vhost, verbs in permissions.items():
        for verb in verbs if isinstance(verbs, dict) else ["?"]:
            if verb not in ALL or not isinstance(verbs[verb], str):
                raise OptionError(
                    f"[[users]] {name}: permissions in {vhost!r} are patterns for configure, "
                    f"write and read, not {verbs!r}"
                )


def apply_accounts(broker: Broker, accounts: Iterable[Account], before: Iterable[str] = ()) -> None:
    """Make the users of a broker those; of `before` the ones that are not among them go.

    Raises OptionError for an unknown virtual host or a pattern that is none.
    """
    wanted = {account.name: account for account in accounts}
    for account in wanted.values():
        broker.add_user(account.name, account.tags, password=account.password)
        permissions = account.permissions
        if permissions is None:
            permissions = dict.fromkeys(broker.vhosts, ALL)
        for vhost, verbs in permissions.items():
            try:
                broker.set_permissions(
                    account.name,
                    vhost,
                    configure=verbs.get("configure", ""),
                    write=verbs.get("write", ""),
                    read=verbs.get("read", ""),
                )
            except (KeyError, ValueError) as error:
                raise OptionError(f"[[users]] {account.name}: {error.args[0]}") from None
        for vhost in set(broker.users.get(account.name).permissions) - set(permissions):
            broker.clear_permissions(account.name, vhost)
    for name in set(before) - set(wanted):
        if name in broker.users.by_name:
            broker.delete_user(name)
