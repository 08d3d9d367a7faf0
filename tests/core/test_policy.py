"""Policies: which one applies, and what wins over what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.arguments import QueueDeclaration, QueueSettings, parse_queue
from minibroker.policy import Policy, PolicySet, effective, effective_alternate
from minibroker.profile import get_profile

if TYPE_CHECKING:
    from minibroker.arguments import QueueKind
    from minibroker.fields import FieldValue
    from minibroker.policy import ApplyTo

V4_2 = get_profile("rabbitmq-4.2")


def policy(**definition: FieldValue) -> Policy:
    return Policy("p", ".*", {key.replace("_", "-"): value for key, value in definition.items()})


def settings(kind: QueueKind = "classic", /, **arguments: FieldValue) -> QueueSettings:
    table = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    table["x-queue-type"] = kind
    return parse_queue(QueueDeclaration("q", durable=True, arguments=table), V4_2)


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ({"mesage-ttl": 5}, "'mesage-ttl' is not a policy setting"),
        ({"x-message-ttl": 5}, "'x-message-ttl' is not a policy setting"),
        ({"message-ttl": -1}, "-1 is not a valid message-ttl"),
        ({"message-ttl": "5"}, "'5' is not a valid message-ttl"),
        ({"message-ttl": True}, "True is not a valid message-ttl"),
        ({"message-ttl": 10**12}, "is not a valid message-ttl"),
        ({"expires": 0}, "0 is not a valid expires"),
        ({"overflow": "drop-tail"}, "'drop-tail' is not a valid overflow"),
        ({"dead-letter-exchange": 5}, "5 is not a valid dead-letter-exchange"),
        ({"max-age": "7"}, "'7' is not a valid max-age"),
        ({"max-age": 7}, "7 is not a valid max-age"),
    ],
)
def test_a_policy_with_an_unknown_key_or_a_bad_value_is_refused_by_name(
    definition: dict[str, FieldValue], words: str
) -> None:
    with pytest.raises(ValueError, match="policy 'mine'") as caught:
        Policy("mine", ".*", definition)
    assert words in str(caught.value)


def test_a_policy_needs_a_regular_expression_and_a_known_target() -> None:
    with pytest.raises(ValueError, match=r"policy 'mine': pattern '\('"):
        Policy("mine", "(", {})
    with pytest.raises(ValueError, match="apply-to is 'topics', not one of all, queues"):
        Policy("mine", "", {}, apply_to="topics")  # type: ignore[arg-type]  # the point


def test_settings_for_clusters_are_taken_and_mean_nothing() -> None:
    plain = settings()
    assert effective(plain, policy(ha_mode="all", queue_mode="lazy")) is plain


@pytest.mark.semantics(121)
@pytest.mark.parametrize(
    ("apply_to", "kinds", "exchanges"),
    [
        ("all", {"classic", "quorum", "stream"}, True),
        ("queues", {"classic", "quorum", "stream"}, False),
        ("classic_queues", {"classic"}, False),
        ("quorum_queues", {"quorum"}, False),
        ("streams", {"stream"}, False),
        ("exchanges", set(), True),
    ],
)
def test_a_policy_applies_to_what_it_says(
    apply_to: ApplyTo, kinds: set[str], exchanges: bool
) -> None:
    policies = PolicySet()
    mine = Policy("mine", "^a", {}, apply_to=apply_to)
    policies.set(mine)
    all_kinds: tuple[QueueKind, ...] = ("classic", "quorum", "stream")
    for kind in all_kinds:
        assert (policies.match_queue("ab", kind) is mine) == (kind in kinds)
        assert policies.match_queue("ba", kind) is None
    assert (policies.match_exchange("ab") is mine) == exchanges


@pytest.mark.semantics(121)
def test_of_the_policies_that_match_only_the_one_with_the_highest_priority_applies() -> None:
    policies = PolicySet()
    policies.set(Policy("low", ".*", {"message-ttl": 1, "expires": 1}, priority=1))
    policies.set(Policy("high", "^q", {"message-ttl": 2}, priority=5))
    policies.set(Policy("other", "^x", {"message-ttl": 3}, priority=9))
    merged = policies.queue_settings("q", settings())
    assert (merged.message_ttl, merged.expires) == (2, None)


def test_of_equal_priorities_the_first_by_name_applies() -> None:
    policies = PolicySet()
    for name in ("b", "a", "c"):
        policies.set(Policy(name, ".*", {}))
    matched = policies.match_queue("q", "classic")
    assert matched is not None
    assert matched.name == "a"


def test_policies_are_replaced_deleted_and_listed_by_name() -> None:
    policies = PolicySet()
    policies.set(Policy("b", ".*", {"message-ttl": 1}))
    policies.set(Policy("a", ".*", {}))
    policies.set(Policy("b", ".*", {"message-ttl": 2}))
    assert [(p.name, p.definition) for p in policies.list()] == [
        ("a", {}),
        ("b", {"message-ttl": 2}),
    ]
    assert policies.delete("b")
    assert not policies.delete("b")
    assert policies.match_exchange("x") is policies.list()[0]


def test_operator_policies_are_kept_apart_and_may_only_limit() -> None:
    policies = PolicySet()
    limit = Policy("limit", ".*", {"max-length": 5, "target-group-size": 3}, apply_to="queues")
    policies.set_operator(limit)
    assert policies.list() == ()
    assert policies.list_operator() == (limit,)
    assert policies.match_operator("q", "classic") is limit
    with pytest.raises(ValueError, match="'overflow' is not for operator policies"):
        policies.set_operator(Policy("more", ".*", {"overflow": "drop-head"}))
    assert policies.delete_operator("limit")
    assert not policies.delete_operator("limit")


def test_without_policies_a_queue_has_the_settings_of_its_arguments() -> None:
    plain = settings(message_ttl=5)
    policies = PolicySet()
    assert policies.queue_settings("q", plain) is plain
    policies.set(Policy("other", "^x", {"message-ttl": 1}))
    assert policies.queue_settings("q", plain) is plain
    assert effective(plain, None) is plain


@pytest.mark.semantics(111)
@pytest.mark.parametrize("name", ["message_ttl", "expires", "max_length", "max_length_bytes"])
@pytest.mark.parametrize(
    ("argument", "of_policy", "counts"), [(5, 9, 5), (9, 5, 5), (None, 5, 5), (5, None, 5)]
)
def test_of_a_limit_the_lower_of_argument_and_policy_counts(
    name: str, argument: int | None, of_policy: int | None, counts: int
) -> None:
    mine = settings() if argument is None else settings(**{name: argument})
    merged = effective(mine, None if of_policy is None else policy(**{name: of_policy}))
    assert getattr(merged, name) == counts


@pytest.mark.semantics(111)
@pytest.mark.parametrize(
    ("name", "argument", "of_policy"),
    [
        ("dead_letter_exchange", "mine", "theirs"),
        ("overflow", "drop-head", "reject-publish"),
        ("consumer_timeout", 60_000, 50_000),
    ],
)
def test_of_the_rest_the_argument_wins(
    name: str, argument: FieldValue, of_policy: FieldValue
) -> None:
    assert getattr(effective(settings(**{name: argument}), policy(**{name: of_policy})), name) == (
        argument
    )
    assert getattr(effective(settings(), policy(**{name: of_policy})), name) == of_policy


@pytest.mark.semantics(111)
def test_a_dead_letter_routing_key_of_a_policy_joins_the_exchange_of_an_argument() -> None:
    merged = effective(settings(dead_letter_exchange="dlx"), policy(dead_letter_routing_key="k"))
    assert (merged.dead_letter_exchange, merged.dead_letter_routing_key) == ("dlx", "k")


@pytest.mark.semantics(74, 111)
@pytest.mark.parametrize(
    ("argument", "of_policy", "limit"),
    [
        (None, 50, 50),
        (None, -1, None),
        (5, 50, 5),
        (50, 5, 5),
        (-1, 5, 5),
        (5, -1, 5),
        (-1, -1, None),
    ],
)
def test_a_delivery_limit_of_a_policy_replaces_the_default_and_lowers_the_argument(
    argument: int | None, of_policy: int, limit: int | None
) -> None:
    arguments = {} if argument is None else {"delivery_limit": argument}
    merged = effective(settings("quorum", **arguments), policy(delivery_limit=of_policy))
    assert merged.delivery_limit == limit


def test_a_policy_says_nothing_about_what_a_kind_of_queue_does_not_have() -> None:
    mixed = policy(delivery_limit=1, max_age="1h", message_ttl=5, alternate_exchange="ae")
    assert effective(settings(), mixed) == QueueSettings(message_ttl=5)
    stream = effective(settings("stream"), mixed)
    assert (stream.max_age, stream.message_ttl) == (3_600_000, None)
    assert effective(settings("quorum"), mixed).delivery_limit == 1


def test_of_the_age_of_a_stream_the_lower_counts() -> None:
    assert effective(settings("stream", max_age="1h"), policy(max_age="1D")).max_age == 3_600_000
    assert effective(settings("stream", max_age="1D"), policy(max_age="1h")).max_age == 3_600_000


def test_a_quorum_queue_drops_from_the_head_whatever_its_policy_says() -> None:
    merged = effective(settings("quorum"), policy(overflow="reject-publish-dlx"))
    assert merged.overflow == "drop-head"
    assert effective(settings(), policy(overflow="reject-publish-dlx")).overflow == (
        "reject-publish-dlx"
    )


@pytest.mark.semantics(111, 121)
def test_an_operator_policy_is_merged_on_top_with_the_lower_number() -> None:
    policies = PolicySet()
    policies.set(Policy("p", ".*", {"message-ttl": 10, "max-length": 5, "overflow": "drop-head"}))
    policies.set_operator(Policy("o", ".*", {"message-ttl": 7, "max-length": 9, "expires": 3}))
    merged = policies.queue_settings("q", settings(message_ttl=8))
    assert (merged.message_ttl, merged.max_length, merged.expires) == (7, 5, 3)


def test_an_operator_policy_limits_a_queue_without_a_policy() -> None:
    assert effective(settings(), None, policy(max_length=5)).max_length == 5


def test_merging_leaves_the_settings_of_the_arguments_as_they_were() -> None:
    mine = settings(message_ttl=8)
    merged = effective(mine, policy(message_ttl=5))
    assert (mine.message_ttl, merged.message_ttl) == (8, 5)
    assert merged.given == mine.given


def test_the_alternate_exchange_of_an_argument_wins_over_that_of_a_policy() -> None:
    theirs = policy(alternate_exchange="theirs")
    assert effective_alternate("mine", theirs) == "mine"
    assert effective_alternate(None, theirs) == "theirs"
    assert effective_alternate(None, policy(message_ttl=1)) is None
    assert effective_alternate(None, None) is None
    policies = PolicySet()
    policies.set(theirs)
    assert policies.alternate_exchange("x", None) == "theirs"


@given(*[st.none() | st.integers(0, 9)] * 3)
def test_of_three_limits_the_lowest_that_is_there_counts(
    argument: int | None, of_policy: int | None, of_operator: int | None
) -> None:
    mine = settings() if argument is None else settings(max_length=argument)
    merged = effective(
        mine,
        None if of_policy is None else policy(max_length=of_policy),
        None if of_operator is None else policy(max_length=of_operator),
    )
    present = [limit for limit in (argument, of_policy, of_operator) if limit is not None]
    assert merged.max_length == min(present, default=None)
