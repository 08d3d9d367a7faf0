"""Users of options and of the file, in a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker, ManualClock
from minibroker.cli.accounts import Account, accounts_of, apply_accounts
from minibroker.cli.options import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(clock=ManualClock()) as made:
        made.add_vhost("mine")
        yield made


def patterns(broker: Broker, name: str) -> dict[str, tuple[str, str, str]]:
    permissions = broker.users.get(name).permissions
    return {vhost: (each.configure, each.write, each.read) for vhost, each in permissions.items()}


def test_a_user_of_the_command_line_may_do_everything_everywhere(broker: Broker) -> None:
    apply_accounts(broker, accounts_of({"user": [("ann", "secret")]}))
    assert broker.users.verify("ann", b"secret")
    assert broker.users.get("ann").tags == {"administrator"}
    assert patterns(broker, "ann") == {"/": (".*",) * 3, "mine": (".*",) * 3}


def test_a_user_of_the_file_has_the_tags_and_permissions_it_is_given(broker: Broker) -> None:
    table = {
        "name": "bob",
        "password": "x",
        "tags": ["impersonator"],
        "permissions": {"mine": {"read": "^jobs"}},
    }
    apply_accounts(broker, accounts_of({"users": [table]}))
    assert broker.users.impersonates("bob")
    assert patterns(broker, "bob") == {"mine": ("", "", "^jobs")}


def test_applying_again_changes_adds_and_removes(broker: Broker) -> None:
    before = [Account("ann", "a"), Account("bob", "b")]
    apply_accounts(broker, before)
    broker.add_user("other")
    after = [Account("bob", "new", permissions={"/": {"write": "x"}}), Account("cid", None)]
    apply_accounts(broker, after, ["ann", "bob"])
    assert set(broker.users.by_name) == {"bob", "cid", "other"}
    assert broker.users.verify("bob", b"new")
    assert patterns(broker, "bob") == {"/": ("", "x", "")}
    apply_accounts(broker, after, ["gone already"])


def test_a_password_that_is_not_written_down_any_more_counts_no_more(broker: Broker) -> None:
    apply_accounts(broker, [Account("ann", "secret")])
    apply_accounts(broker, [Account("ann", None)], ["ann"])
    assert not broker.users.verify("ann", b"secret")


def test_a_user_of_the_command_line_wins_over_one_of_the_file() -> None:
    table = {"name": "ann", "password": "file", "tags": []}
    (account,) = accounts_of({"user": [("ann", "line")], "users": [table]})
    assert (account.password, account.tags) == ("line", ["administrator"])


def test_two_tables_of_one_name_are_refused() -> None:
    with pytest.raises(OptionError, match=r"\[\[users\]\] ann: there are two of this name"):
        accounts_of({"users": [{"name": "ann"}, {"name": "ann"}]})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "a name is wanted, not None"),
        ({"name": ""}, "a name is wanted"),
        ({"name": "n" * 256}, "1 to 255 bytes are wanted"),
        ({"name": "ann", "password": 5}, "ann: the password has to be a text"),
        ({"name": "ann", "password": ""}, "ann: the password has to be a text"),
        ({"name": "ann", "tags": "administrator"}, "ann: tags are a list of texts"),
        ({"name": "ann", "permissions": "all"}, "ann: permissions are a table"),
        ({"name": "ann", "permissions": {"/": "all"}}, "permissions in '/' are patterns"),
        ({"name": "ann", "permissions": {"/": {"reed": "x"}}}, "permissions in '/' are patterns"),
        ({"name": "ann", "permissions": {"/": {"read": 5}}}, "permissions in '/' are patterns"),
    ],
)
def test_a_table_that_is_no_user_is_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=r"\[\[users\]\]") as caught:
        accounts_of({"users": [table]})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("permissions", "said"),
    [({"nowhere": {"read": "x"}}, "no vhost 'nowhere'"), ({"/": {"read": "("}}, "is no pattern")],
)
def test_what_the_broker_refuses_is_named_with_the_user(
    broker: Broker, permissions: dict[str, dict[str, str]], said: str
) -> None:
    wrong = Account("ann", "x", permissions=permissions)
    with pytest.raises(OptionError, match="ann: ") as caught:
        apply_accounts(broker, [Account("bob", "x"), wrong])
    assert said in str(caught.value)
    assert broker.users.by_name == {}
