"""What differs between RabbitMQ versions, as one table of data. Knows nothing of who asks.

Nothing else in the broker looks at a version: a rule that changed is a field here. Sources are the
numbered lines of the semantics page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .errors import AMQPError, CommandInvalid, PreconditionFailed

__all__ = ["DEFAULT", "PROFILES", "Profile", "get_profile"]

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One RabbitMQ version as its clients see it. Unchanging, so shared between threads.

    To build one of your own use `dataclasses.replace` on one of `PROFILES`.
    """

    name: str
    """By which `Broker(profile=...)` finds it, such as "rabbitmq-4.2"."""
    product: str
    """Announced to clients: Kombu and Celery choose their prefetch mode by it (13)."""
    version: str
    """Announced to clients, see `product`."""

    frame_min: int
    """Bytes of a frame that everybody takes: the limit before tuning, and the least that may be
    negotiated (3, 5)."""
    prefers_amqp_1: bool
    """Whether a client that speaks neither is told to speak AMQP 1.0 (1)."""
    max_message_size: int
    """Bytes of body; a longer one is refused (20)."""
    delivery_mode_above_2: bool
    """Whether a delivery mode that is neither 1 nor 2 is taken, as transient, instead of refused
    (60)."""

    sender_checked_first: bool
    """Whether a publish is refused for its topic or its user before its other properties are read
    (56)."""
    replies_leave_at_once: bool
    """Whether a direct reply goes out when it is published, also in a transaction, and counts as
    unroutable for `mandatory` (117)."""

    unknown_exchange_type_error: type[AMQPError]
    """Raised for a declare with an exchange type that does not exist (42)."""
    queue_consumer_timeout: bool
    """Whether `x-consumer-timeout` of a queue or a consumer means anything (87)."""
    transient_nonexclusive_queues: bool
    """Whether a queue may be neither durable nor exclusive; a 541 otherwise (43)."""
    server_name_prefix: bool
    """Whether `x-name-prefix` shapes the names that the broker makes for queues (28)."""
    queue_mode_refused: bool
    """Whether `x-queue-mode` and `x-queue-version` 1 are refused instead of ignored (44)."""
    max_topic_hashes: int | None
    """Words `#` in one binding key of a topic exchange, None for any number (45)."""
    direct_reply_bindings_refused: bool
    """Whether binding a direct reply-to address is refused as such, with 403 (55)."""

    global_qos: bool
    """Whether `qos(global=true)` is one limit for the channel; per consumer otherwise (77)."""
    recover_without_requeue: bool
    """Whether `recover(requeue=false)` exists; a 540 otherwise (75)."""
    consumer_timeout: int
    """Milliseconds that a delivery may stay unacked, where nothing else says (87)."""
    consumer_timeout_cancels: bool
    """Whether the timeout is for quorum queues only and cancels the consumer, instead of closing
    the channel whatever the queue (87)."""

    quorum_delivery_limit: int | None
    """How often an entry of a quorum queue comes back by default, None without limit (74)."""
    delivery_limit_checked: bool
    """Whether a delivery limit that is no integer is refused instead of passed over."""
    nack_counts_delivery: bool
    """Whether `nack` with requeue counts towards that limit as `reject` does (73)."""
    quorum_priorities: Literal["none", "two-levels", "strict"]
    """Priorities in quorum queues: none, 5 and above before the rest two to one, or 32 levels in
    strict order (113)."""
    quorum_takeover_by_priority: bool
    """Whether the next single active consumer of a quorum queue is that of the highest priority
    instead of the first that came (86)."""
    quorum_relaxed_redeclare: bool
    """Whether a quorum queue may be declared again as a classic one (31; RabbitMQ's setting
    `quorum_relaxed_checks_on_redeclaration`, which is off by default)."""
    stream_rejects: bool
    """Whether `nack` and `reject` of a stream's entry count as an ack; a 540 otherwise."""
    delayed_retry: bool
    """Whether quorum queues take `x-delayed-retry-type`, `-min` and `-max` (113b)."""

    last_death_headers: bool
    """Whether dead-lettering writes `x-last-death-*` (106)."""
    x_death_as_table: bool
    """Whether the history is the header alone: entries that are added to it or counted up have
    their fields by name, and the others change their order each time (105)."""
    continues_client_x_death: bool
    """Whether an `x-death` header that a client publishes is read and counted on (107)."""
    keeps_cc_with_dlrk: bool
    """Whether the CC header survives dead-lettering with a routing key of its own (103)."""

    access_texts_with_verb: bool
    """Whether refusals say which access was refused: "read access to ..." (118)."""
    passive_declare_needs_permission: bool
    """Whether a passive declare needs any one of the three permissions (120)."""


_V3_10 = Profile(
    name="rabbitmq-3.10",
    product="RabbitMQ",
    version="3.10.8",
    frame_min=4096,
    prefers_amqp_1=False,
    max_message_size=128 * MIB,
    delivery_mode_above_2=False,
    sender_checked_first=True,
    replies_leave_at_once=True,
    unknown_exchange_type_error=CommandInvalid,
    queue_consumer_timeout=False,
    transient_nonexclusive_queues=True,
    server_name_prefix=False,
    queue_mode_refused=False,
    max_topic_hashes=None,
    direct_reply_bindings_refused=False,
    global_qos=True,
    recover_without_requeue=False,
    consumer_timeout=1_800_000,
    consumer_timeout_cancels=False,
    quorum_delivery_limit=None,
    delivery_limit_checked=False,
    nack_counts_delivery=True,
    quorum_priorities="none",
    quorum_takeover_by_priority=False,
    quorum_relaxed_redeclare=False,
    stream_rejects=False,
    delayed_retry=False,
    last_death_headers=False,
    x_death_as_table=True,
    continues_client_x_death=True,
    keeps_cc_with_dlrk=False,
    access_texts_with_verb=False,
    passive_declare_needs_permission=False,
)
_V3_13 = replace(
    _V3_10,
    name="rabbitmq-3.13",
    version="3.13.7",
    sender_checked_first=False,
    queue_consumer_timeout=True,
    delivery_limit_checked=True,
    x_death_as_table=False,
    last_death_headers=True,
    keeps_cc_with_dlrk=True,
)
_V4_2 = replace(
    _V3_13,
    name="rabbitmq-4.2",
    version="4.2.1",
    frame_min=8192,
    prefers_amqp_1=True,
    max_message_size=16 * MIB,
    delivery_mode_above_2=True,
    replies_leave_at_once=False,
    unknown_exchange_type_error=PreconditionFailed,
    server_name_prefix=True,
    direct_reply_bindings_refused=True,
    quorum_delivery_limit=20,
    quorum_priorities="two-levels",
    quorum_takeover_by_priority=True,
    stream_rejects=True,
    continues_client_x_death=False,
    access_texts_with_verb=True,
)
_V4_3 = replace(
    _V4_2,
    name="rabbitmq-4.3",
    version="4.3.5",
    transient_nonexclusive_queues=False,
    queue_mode_refused=True,
    max_topic_hashes=2,
    global_qos=False,
    consumer_timeout_cancels=True,
    nack_counts_delivery=False,
    quorum_priorities="strict",
    delayed_retry=True,
    passive_declare_needs_permission=True,
)

PROFILES = {profile.name: profile for profile in (_V3_10, _V3_13, _V4_2, _V4_3)}
"""The profiles by name."""
DEFAULT = "rabbitmq-4.2"


def get_profile(name: str | Profile = DEFAULT) -> Profile:
    """The profile of that name; a Profile is returned as it is.

    Raises ValueError that lists the known names.
    """
    if isinstance(name, Profile):
        return name
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(PROFILES)
        raise ValueError(f"no profile {name!r}; there are {known}") from None
