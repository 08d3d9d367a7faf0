"""Who may connect, and as what."""

from __future__ import annotations

import pytest

from minibroker.access import UNRESTRICTED, Permissions, TopicPermissions
from minibroker.errors import AccessRefused, NotAllowed
from minibroker.passwords import hash_password
from minibroker.profile import get_profile
from minibroker.users import Users

PROFILE = get_profile()


def test_while_there_are_no_users_everybody_may_do_everything() -> None:
    assert Users().access("anybody", "/", PROFILE) is UNRESTRICTED


def test_once_there_are_users_others_are_refused() -> None:
    users = Users()
    users.add("ann")
    with pytest.raises(NotAllowed, match="access to vhost '/' refused for user 'bob'"):
        users.access("bob", "/", PROFILE)


def test_a_user_without_permissions_in_a_vhost_is_refused_there() -> None:
    users = Users()
    users.add("ann")
    users.get("ann").permissions["mine"] = Permissions(".*", ".*", ".*")
    with pytest.raises(NotAllowed, match="access to vhost '/' refused for user 'ann'"):
        users.access("ann", "/", PROFILE)
    users.access("ann", "mine", PROFILE).check_read("queue", "q")


def test_the_permissions_of_a_vhost_are_those_of_the_connection() -> None:
    users = Users()
    users.add("ann")
    ann = users.get("ann")
    ann.permissions["/"] = Permissions("", "^x$", ".*")
    ann.topics["/"] = [TopicPermissions("x", "^a", ".*")]
    access = users.access("ann", "/", PROFILE)
    access.check_write("exchange", "x")
    access.check_topic("write", "x", "a.b")
    with pytest.raises(AccessRefused):
        access.check_configure("queue", "q")
    with pytest.raises(AccessRefused):
        access.check_topic("write", "x", "b")


def test_only_an_impersonator_publishes_in_other_names() -> None:
    users = Users()
    users.add("ann")
    users.add("proxy", ["impersonator", "monitoring"])
    assert users.impersonates("proxy")
    assert not users.impersonates("ann")
    assert not users.impersonates("nobody")


def test_adding_a_user_again_changes_its_tags_and_keeps_its_permissions() -> None:
    users = Users()
    users.add("ann", ["management"], connections=3)
    ann = users.get("ann")
    ann.permissions["/"] = Permissions(".*", ".*", ".*")
    users.add("ann")
    assert users.get("ann") is ann
    assert (ann.tags, ann.connections) == (frozenset(), None)
    assert list(ann.permissions) == ["/"]


def test_an_unknown_user_is_named() -> None:
    with pytest.raises(KeyError, match="no user 'ann'"):
        Users().get("ann")


def test_while_there_are_no_users_guest_logs_in_as_guest_and_nobody_else() -> None:
    users = Users()
    assert users.verify("guest", b"guest")
    assert not users.verify("guest", b"other")
    assert not users.verify("ann", b"guest")
    assert users.knows("guest")
    assert not users.knows("ann")


def test_once_there_are_users_only_their_passwords_count() -> None:
    users = Users()
    users.add("ann")
    assert not users.verify("guest", b"guest")
    assert not users.knows("guest")
    assert not users.verify("ann", b"")
    users.get("ann").password = hash_password("secret", bytes(4))
    assert users.verify("ann", b"secret")
    assert not users.verify("ann", b"guest")


def test_a_user_who_is_removed_is_unknown() -> None:
    users = Users()
    users.add("ann")
    users.remove("ann")
    with pytest.raises(KeyError, match="no user 'ann'"):
        users.remove("ann")
