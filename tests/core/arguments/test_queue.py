"""From a queue's declaration to its settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.arguments import QueueDeclaration, QueueSettings, parse_queue
from minibroker.arguments.checks import QUEUE_CHECKS
from minibroker.errors import InternalError, PreconditionFailed
from minibroker.profile import PROFILES, get_profile

if TYPE_CHECKING:
    from minibroker.fields import FieldValue
    from minibroker.profile import Profile

V3_10, V4_2, V4_3 = map(get_profile, ("rabbitmq-3.10", "rabbitmq-4.2", "rabbitmq-4.3"))
ALL = tuple(PROFILES.values())


def parse(profile: Profile = V4_2, /, **arguments: FieldValue) -> QueueSettings:
    """The settings of a durable queue `q`; x_max_length stands for x-max-length and so on."""
    table = {name.replace("_", "-"): value for name, value in arguments.items()}
    return parse_queue(QueueDeclaration("q", durable=True, arguments=table), profile)


def refusal(profile: Profile = V4_2, /, **arguments: FieldValue) -> str:
    with pytest.raises(PreconditionFailed) as caught:
        parse(profile, **arguments)
    return str(caught.value)


def test_a_queue_without_arguments_has_the_defaults() -> None:
    assert parse() == QueueSettings()


def test_every_argument_of_a_classic_queue_is_parsed() -> None:
    settings = parse(
        x_message_ttl=1, x_expires=2, x_max_length=3, x_max_length_bytes=4, x_max_priority=5,
        x_overflow="reject-publish-dlx", x_single_active_consumer=True, x_consumer_timeout=6,
        x_dead_letter_exchange="dlx", x_dead_letter_routing_key="k", x_queue_mode="lazy",
    )  # fmt: skip
    assert settings == QueueSettings(
        message_ttl=1, expires=2, max_length=3, max_length_bytes=4, max_priority=5,
        overflow="reject-publish-dlx", single_active_consumer=True, consumer_timeout=6,
        dead_letter_exchange="dlx", dead_letter_routing_key="k",
        given=frozenset({
            "message_ttl", "expires", "max_length", "max_length_bytes", "max_priority", "overflow",
            "single_active_consumer", "consumer_timeout", "dead_letter_exchange",
            "dead_letter_routing_key",
        }),
    )  # fmt: skip


def test_every_argument_of_a_quorum_queue_is_parsed() -> None:
    settings = parse(
        V4_3, x_queue_type="quorum", x_delivery_limit=7, x_dead_letter_strategy="at-least-once",
        x_dead_letter_exchange="dlx", x_delayed_retry_type="failed", x_delayed_retry_min=100,
        x_delayed_retry_max=1000, x_consumer_timeout=60_000,
    )  # fmt: skip
    assert settings.kind == "quorum"
    assert settings.delivery_limit == 7
    assert settings.dead_letter_strategy == "at-least-once"
    assert settings.consumer_timeout == 60_000
    assert settings.delayed_retry_type == "failed"
    assert (settings.delayed_retry_min, settings.delayed_retry_max) == (100, 1000)


def test_every_argument_of_a_stream_is_parsed() -> None:
    settings = parse(x_queue_type="stream", x_max_age="7D", x_max_length_bytes=5_000)
    assert settings.kind == "stream"
    assert settings.max_age == 7 * 86_400_000
    assert settings.max_length_bytes == 5_000


@pytest.mark.semantics(32)
@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("x-message-ttl", "1000", '"expected integer, got longstr"'),
        ("x-message-ttl", 1.5, '"expected integer, got double"'),
        ("x-message-ttl", -1, "{value_negative,-1}"),
        ("x-expires", 0, "{value_zero,0}"),
        ("x-max-priority", 256, "{max_value_exceeded,256}"),
        ("x-overflow", "drop-tail", "invalid_overflow"),
        ("x-dead-letter-routing-key", "k", "routing_key_but_no_dlx_defined"),
        ("x-dead-letter-routing-key", 5, "{unacceptable_type,signedint}"),
        ("x-queue-type", "fast", "\"unsupported queue type 'fast'\""),
        ("x-queue-type", 1, "{unacceptable_type,signedint}"),
    ],
)
@pytest.mark.parametrize("profile", ALL, ids=PROFILES)
def test_a_bad_value_is_refused_by_name(
    profile: Profile, key: str, value: FieldValue, reason: str
) -> None:
    text = refusal(profile, **{key.replace("-", "_"): value})
    assert text == f"invalid arg '{key}' for queue 'q' in vhost '/': {reason}"


def test_a_dead_letter_exchange_of_the_wrong_type_is_refused_in_words_of_its_own() -> None:
    assert refusal(x_dead_letter_exchange=5, x_queue_type="fast") == (
        "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"
    )


def test_of_two_bad_values_the_one_that_rabbitmq_looks_at_first_is_reported() -> None:
    assert "x-expires" in refusal(x_max_length=-1, x_message_ttl=-1, x_expires=-1)
    assert "x-queue-type" in refusal(x_expires=-1, x_queue_type="fast")


def test_an_unknown_argument_is_not_looked_at() -> None:
    assert parse(x_mine={"a": 1}, ours=5) == QueueSettings()


@pytest.mark.semantics(32)
@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("classic", "x-delivery-limit", 5),
        ("classic", "x-max-age", "7D"),
        ("quorum", "x-max-priority", 5),
        ("quorum", "x-queue-mode", "lazy"),
        ("stream", "x-message-ttl", 5),
        ("stream", "x-expires", 5),
        ("stream", "x-dead-letter-exchange", "dlx"),
        ("stream", "x-max-priority", 5),
        ("stream", "x-overflow", "drop-head"),
        ("stream", "x-single-active-consumer", True),
        ("stream", "x-max-length", 5),
    ],
)
def test_an_argument_of_another_kind_of_queue_is_refused(
    kind: str, key: str, value: FieldValue
) -> None:
    text = refusal(**{"x_queue_type": kind, key.replace("-", "_"): value})
    assert (
        text == f"invalid arg '{key}' for queue 'q' in vhost '/' of queue type rabbit_{kind}_queue"
    )


@pytest.mark.semantics(32)
@pytest.mark.parametrize("kind", ["quorum", "stream"])
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"durable": False}, "invalid property 'non-durable' for queue 'q' in vhost '/'"),
        ({"exclusive": True}, "invalid property 'exclusive-owner' for queue 'q' in vhost '/'"),
        ({"auto_delete": True}, "invalid property 'auto-delete' for queue 'q' in vhost '/'"),
        ({"name": ""}, "Cannot declare a server-named queue for type rabbit_KIND_queue"),
        (
            {"name": "amq.gen-x", "server_named": True},
            "Cannot declare a server-named queue for type rabbit_KIND_queue",
        ),
    ],
)
def test_a_replicated_queue_is_durable_shared_lasting_and_named(
    kind: str, changes: dict[str, object], text: str
) -> None:
    whole = QueueDeclaration("q", durable=True, arguments={"x-queue-type": kind})
    with pytest.raises(PreconditionFailed) as caught:
        parse_queue(replace(whole, **changes), V4_2)  # type: ignore[arg-type]  # names of fields
    assert str(caught.value) == text.replace("KIND", kind)


def test_a_classic_queue_may_be_server_named_exclusive_and_auto_delete() -> None:
    declaration = QueueDeclaration(
        "", exclusive=True, auto_delete=True, arguments={"x-queue-type": "classic"}
    )
    assert parse_queue(declaration, V4_2).kind == "classic"


@pytest.mark.semantics(74)
@pytest.mark.parametrize(
    ("profile", "arguments", "limit"),
    [
        (V4_2, {}, 20),
        (V3_10, {}, None),
        (V4_2, {"x_delivery_limit": 3}, 3),
        (V4_2, {"x_delivery_limit": 0}, 0),
        (V4_2, {"x_delivery_limit": -1}, None),
    ],
)
def test_the_delivery_limit_of_a_quorum_queue_is_its_argument_or_the_profiles(
    profile: Profile, arguments: dict[str, FieldValue], limit: int | None
) -> None:
    assert parse(profile, x_queue_type="quorum", **arguments).delivery_limit == limit


def test_a_quorum_queue_drops_from_the_head_instead_of_reject_publish_dlx() -> None:
    settings = parse(x_queue_type="quorum", x_overflow="reject-publish-dlx")
    assert settings.overflow == "drop-head"
    assert parse(x_queue_type="quorum", x_overflow="reject-publish").overflow == "reject-publish"


@pytest.mark.parametrize(
    ("key", "good", "bad", "text"),
    [
        ("x_stream_filter_size_bytes", 16, 15, "Invalid value for  x-stream-filter-size-bytes"),
        ("x_stream_filter_size_bytes", 255, 256, "Invalid value for  x-stream-filter-size-bytes"),
        (
            "x_stream_max_segment_size_bytes",
            3_000_000_000,
            3_000_000_001,
            "Exceeded max value for x-stream-max-segment-size-bytes",
        ),
    ],
)
def test_the_sizes_of_a_stream_have_bounds(key: str, good: int, bad: int, text: str) -> None:
    parse(x_queue_type="stream", **{key: good})
    assert refusal(x_queue_type="stream", **{key: bad}) == text


@pytest.mark.semantics(43)
def test_the_newest_profile_denies_queues_neither_durable_nor_exclusive() -> None:
    declaration = QueueDeclaration("q")
    with pytest.raises(InternalError, match="transient_nonexcl_queues"):
        parse_queue(declaration, V4_3)
    parse_queue(declaration, V4_2)
    parse_queue(replace(declaration, exclusive=True), V4_3)
    parse_queue(replace(declaration, durable=True), V4_3)


@pytest.mark.semantics(44)
def test_the_newest_profile_refuses_the_mode_and_version_1() -> None:
    assert "unsupported queue mode 'lazy'" in refusal(V4_3, x_queue_mode="lazy")
    assert "unsupported queue version '1'" in refusal(V4_3, x_queue_version=1)
    parse(V4_3, x_queue_version=2)
    parse(V4_2, x_queue_version=1)


@pytest.mark.semantics(87)
def test_the_consumer_timeout_is_for_quorum_queues_only_where_it_cancels() -> None:
    assert parse(V4_2, x_consumer_timeout=5).consumer_timeout == 5
    assert "expected integer" in refusal(V4_2, x_consumer_timeout="5")
    assert "of queue type rabbit_classic_queue" in refusal(V4_3, x_consumer_timeout=5)


@pytest.mark.semantics("113b")
def test_delayed_retry_is_unknown_where_the_profile_does_not_have_it() -> None:
    settings = parse(V4_2, x_queue_type="quorum", x_delayed_retry_type=5)
    assert settings.delayed_retry_type == "disabled"


@pytest.mark.semantics("113b")
def test_delayed_retry_needs_its_shortest_delay() -> None:
    text = refusal(V4_3, x_queue_type="quorum", x_delayed_retry_type="all")
    assert text.endswith("delayed_retry_min_not_defined")
    parse(V4_3, x_queue_type="quorum", x_delayed_retry_type="disabled")
    assert "rabbit_classic_queue" in refusal(V4_3, x_delayed_retry_type="all")


@pytest.mark.semantics(28)
def test_a_name_prefix_is_a_string_of_up_to_64_bytes_in_newer_profiles() -> None:
    assert parse(x_name_prefix="mine-").name_prefix == "mine-"
    assert parse(x_name_prefix="").name_prefix is None
    assert parse(V3_10, x_name_prefix=5).name_prefix is None
    assert refusal(x_name_prefix=5).endswith("{unacceptable_type,signedint}")
    parse(x_name_prefix="x" * 64)
    assert refusal(x_name_prefix="é" * 33).endswith("name_prefix_too_long")


VALUES = st.none() | st.booleans() | st.integers(-2, 300) | st.text(max_size=3) | st.sampled_from(
    ["quorum", "stream", "classic", "drop-head", "1h", "all"]
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(sorted(QUEUE_CHECKS)), VALUES, max_size=4),
    st.sampled_from(ALL),
)
def test_any_arguments_give_settings_or_a_refusal(
    arguments: dict[str, FieldValue], profile: Profile
) -> None:
    declaration = QueueDeclaration("q", durable=True, arguments=arguments)
    try:
        settings = parse_queue(declaration, profile)
    except PreconditionFailed as error:
        assert "q" in str(error)
    else:
        assert settings.kind == arguments.get("x-queue-type", "classic")
        assert settings.message_ttl == arguments.get("x-message-ttl")
