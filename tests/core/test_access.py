"""What a connection may do: permissions, topic permissions, and the texts of refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.access import MEMO_SIZE, UNRESTRICTED, Access, Permissions, TopicPermissions
from minibroker.errors import AccessRefused
from minibroker.profile import get_profile

if TYPE_CHECKING:
    from minibroker.profile import Profile

OLD, NEW, NEWEST = map(get_profile, ("rabbitmq-3.10", "rabbitmq-4.2", "rabbitmq-4.3"))


def test_without_users_nothing_is_restricted() -> None:
    assert not UNRESTRICTED.restricted
    UNRESTRICTED.check_configure("queue", "q")
    UNRESTRICTED.check_write("exchange", "x")
    UNRESTRICTED.check_read("queue", "q")
    UNRESTRICTED.check_passive("queue", "q")
    UNRESTRICTED.check_topic("write", "x", "key")


@pytest.mark.semantics(118)
def test_each_verb_has_a_pattern_of_its_own() -> None:
    access = Access("ann", "/", NEW, Permissions("^c", "^w", "^r"))
    assert access.restricted
    access.check_configure("queue", "c1")
    access.check_write("exchange", "w1")
    access.check_read("queue", "r1")
    for check, name in (
        (access.check_configure, "w1"),
        (access.check_write, "r1"),
        (access.check_read, "c1"),
    ):
        with pytest.raises(AccessRefused):
            check("queue", name)


def test_a_pattern_matches_anywhere_in_a_name() -> None:
    permissions = Permissions("job", "", ".*")
    assert permissions.allows("configure", "my-jobs")
    assert not permissions.allows("configure", "my-task")


@pytest.mark.semantics(118)
def test_an_empty_pattern_matches_nothing() -> None:
    access = Access("ann", "/", NEW, Permissions("", "", ""))
    for name in ("q", "", "amq.default"):
        with pytest.raises(AccessRefused):
            access.check_write("exchange", name)


@pytest.mark.semantics(118)
def test_the_default_exchange_is_checked_as_amq_default() -> None:
    Access("ann", "/", NEW, Permissions("", r"^amq\.default$", "")).check_write("exchange", "")
    with pytest.raises(AccessRefused, match=r"write access to exchange 'amq\.default' in"):
        Access("ann", "/", NEW, Permissions("", "^$|^x$", "")).check_write("exchange", "")


def test_without_permissions_in_the_virtual_host_everything_is_refused() -> None:
    with pytest.raises(AccessRefused):
        Access("ann", "/", NEW, None).check_read("queue", "q")


@pytest.mark.semantics(118)
@pytest.mark.parametrize(
    ("profile", "text"),
    [
        (OLD, "access to queue 'q' in vhost 'v' refused for user 'ann'"),
        (NEW, "read access to queue 'q' in vhost 'v' refused for user 'ann'"),
    ],
    ids=["3.10", "4.2"],
)
def test_newer_profiles_name_the_verb_in_a_refusal(profile: Profile, text: str) -> None:
    with pytest.raises(AccessRefused) as caught:
        Access("ann", "v", profile, None).check_read("queue", "q")
    assert str(caught.value) == text


@pytest.mark.semantics(120)
def test_a_passive_declare_needs_one_of_three_permissions_in_the_newest_profile() -> None:
    for permissions in (
        Permissions("q", "", ""),
        Permissions("", "q", ""),
        Permissions("", "", "q"),
    ):
        Access("ann", "/", NEWEST, permissions).check_passive("queue", "q")
    with pytest.raises(AccessRefused, match="queue 'q'"):
        Access("ann", "/", NEWEST, Permissions("a", "b", "c")).check_passive("queue", "q")
    Access("ann", "/", NEW, Permissions("a", "b", "c")).check_passive("queue", "q")


@pytest.mark.semantics(119)
def test_topic_permissions_bind_only_the_exchange_they_name() -> None:
    topics = [TopicPermissions("events", write="^app\\.", read="^(app|log)\\.")]
    access = Access("ann", "/", NEW, Permissions(".*", ".*", ".*"), topics)
    for _ in range(2):
        access.check_topic("write", "events", "app.started")
        access.check_topic("read", "events", "log.#")
        access.check_topic("write", "other", "anything")
    with pytest.raises(AccessRefused) as caught:
        access.check_topic("write", "events", "log.line")
    assert str(caught.value) == (
        "write access to topic 'log.line' in exchange 'events' in vhost '/' refused for user 'ann'"
    )


def test_an_empty_topic_pattern_matches_only_the_empty_routing_key() -> None:
    access = Access("ann", "/", NEW, None, [TopicPermissions("events", "", "")])
    access.check_topic("write", "events", "")
    with pytest.raises(AccessRefused):
        access.check_topic("write", "events", "a")


@pytest.mark.semantics(119)
def test_topic_patterns_expand_user_virtual_host_and_client_id_literally() -> None:
    pattern = "^{vhost}-{username}-{client_id}$"
    topics = [TopicPermissions("events", pattern, pattern)]
    access = Access("a.n", "v", NEW, None, topics, client_id="c+1")
    access.check_topic("write", "events", "v-a.n-c+1")
    with pytest.raises(AccessRefused):
        access.check_topic("write", "events", "v-axn-c+1")
    with pytest.raises(AccessRefused):
        Access("a.n", "v", NEW, None, topics).check_topic("write", "events", "v-a.n-c+1")


def test_what_was_allowed_is_remembered_within_bounds() -> None:
    access = Access("ann", "/", NEW, Permissions(".*", ".*", ".*"))
    for number in range(MEMO_SIZE + 10):
        access.check_write("exchange", f"x{number}")
    for _ in range(2):
        access.check_write("exchange", "x0")
    assert len(access._allowed) == 11


def test_a_pattern_that_is_no_regular_expression_is_named() -> None:
    with pytest.raises(ValueError, match=r"write permission '\(' is no pattern"):
        Permissions(".*", "(", ".*")
    with pytest.raises(ValueError, match=r"topic read permission '\[' is no pattern"):
        TopicPermissions("x", ".*", "[")
