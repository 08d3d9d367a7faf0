"""The users that options and the file name, brought into a broker, and again after a change.

Knows nothing of where they are written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..access import Permissions
from .options import OptionError, parse_name

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
    """The users of collected options, each once: one of `--user` wins over the file's.

    Raises OptionError for a table that is no user, or a second one of the same name.
    """
    found: dict[str, Account] = {}
    for table in values.get("users", ()):
        account = _account(table)
        if account.name in found:
            raise OptionError(f"[[users]] {account.name}: there are two of this name")
        found[account.name] = account
    for name, password in values.get("user", ()):
        found[name] = Account(name, password, ["administrator"])
    return list(found.values())


def _account(table: Mapping[str, Any]) -> Account:
    name, password = table.get("name"), table.get("password")
    if not isinstance(name, str):
        raise OptionError(f"[[users]]: a name is wanted, not {name!r}")
    try:
        parse_name(name)
    except ValueError as error:
        raise OptionError(f"[[users]]: a name is wanted, not {name!r}: {error}") from None
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

    Raises OptionError for an unknown virtual host or a pattern that is none, and then all users are
    as they were.
    """
    wanted = [(account, _permissions(broker, account)) for account in accounts]
    for account, permissions in wanted:
        _apply(broker, account, permissions)
    for name in set(before) - {account.name for account, _ in wanted}:
        if name in broker.users.by_name:
            broker.delete_user(name)


def _permissions(broker: Broker, account: Account) -> dict[str, Permissions]:
    if account.permissions is None:
        return {vhost: Permissions(**ALL) for vhost in broker.vhosts}
    for vhost in account.permissions:
        if vhost not in broker.vhosts:
            raise OptionError(f"[[users]] {account.name}: no vhost {vhost!r}")
    try:
        return {
            vhost: Permissions(
                verbs.get("configure", ""), verbs.get("write", ""), verbs.get("read", "")
            )
            for vhost, verbs in account.permissions.items()
        }
    except ValueError as error:
        raise OptionError(f"[[users]] {account.name}: {error}") from None


def _apply(broker: Broker, account: Account, permissions: Mapping[str, Permissions]) -> None:
    broker.add_user(account.name, account.tags, password=account.password)
    if account.password is None:
        broker.change_password(account.name, None)  # add_user leaves the one that it had
    for vhost, each in permissions.items():
        broker.set_permissions(
            account.name, vhost, configure=each.configure, write=each.write, read=each.read
        )
    for vhost in set(broker.users.get(account.name).permissions) - set(permissions):
        broker.clear_permissions(account.name, vhost)
