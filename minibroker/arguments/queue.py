"""From a queue's declaration to its settings, or the error that refuses it.

Knows which arguments each kind of queue takes in which profile. Whether the name is free, and
whether a queue of that name is there already, is the virtual host's business: RabbitMQ compares
with an existing queue (`check_equivalent_queue`) before it looks at any value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..errors import InternalError, PreconditionFailed
from ..fields import type_name
from .checks import QUEUE_CHECKS, parse_age, refuse_queue_mode, refuse_queue_version_1
from .settings import DELAYED_RETRY_ARGUMENTS, KIND_ARGUMENTS, QueueSettings
from .texts import invalid_argument

if TYPE_CHECKING:
    from ..fields import FieldValue, Table
    from ..profile import Profile
    from .checks import Check
    from .declaration import QueueDeclaration
    from .settings import Overflow, QueueKind

__all__ = ["kind_arguments", "parse_name_prefix", "parse_queue", "restored_queue"]

MAX_NAME_PREFIX = 64
"""Bytes of UTF-8 in `x-name-prefix`."""

_STREAM_SIZES: dict[str, tuple[int, int, str]] = {
    "x-stream-max-segment-size-bytes": (
        0,
        3_000_000_000,
        "Exceeded max value for x-stream-max-segment-size-bytes",
    ),
    "x-stream-filter-size-bytes": (16, 255, "Invalid value for  x-stream-filter-size-bytes"),
}

_FIELDS = {
    "x-message-ttl": "message_ttl",
    "x-expires": "expires",
    "x-max-length": "max_length",
    "x-max-length-bytes": "max_length_bytes",
    "x-overflow": "overflow",
    "x-max-priority": "max_priority",
    "x-single-active-consumer": "single_active_consumer",
    "x-dead-letter-exchange": "dead_letter_exchange",
    "x-dead-letter-routing-key": "dead_letter_routing_key",
    "x-dead-letter-strategy": "dead_letter_strategy",
    "x-delivery-limit": "delivery_limit",
    "x-consumer-timeout": "consumer_timeout",
    "x-max-age": "max_age",
    "x-delayed-retry-type": "delayed_retry_type",
    "x-delayed-retry-min": "delayed_retry_min",
    "x-delayed-retry-max": "delayed_retry_max",
}


def kind_arguments(kind: QueueKind, profile: Profile) -> tuple[str, ...]:
    """The arguments that a kind of queue takes and compares in a profile."""
    names = KIND_ARGUMENTS[kind]
    if kind == "quorum":
        if profile.delayed_retry:
            names += DELAYED_RETRY_ARGUMENTS
        if profile.consumer_timeout_cancels:
            names += ("x-consumer-timeout",)
    return names


def parse_queue(declaration: QueueDeclaration, profile: Profile) -> QueueSettings:
    """The settings that a new queue is declared with.

    Raises PreconditionFailed with RabbitMQ's words for a value that is refused, an argument that
    the kind of queue does not have, or a property that the kind cannot have; and InternalError
    for a queue neither durable nor exclusive where the profile denies those.
    """
    arguments = declaration.arguments
    if not arguments:
        _check_transient(declaration, profile)
        return QueueSettings()
    _check_dead_letter_exchange(declaration)
    _check_value(declaration, "x-queue-type", QUEUE_CHECKS["x-queue-type"])
    kind = cast("QueueKind", arguments.get("x-queue-type", "classic"))
    _check_values(declaration, kind, profile)
    if kind == "classic":
        _check_transient(declaration, profile)
    else:
        _check_replicated(declaration, kind)
    if kind == "stream":
        _check_stream_sizes(arguments)
    settings = _settings(arguments, kind, profile)
    settings.name_prefix = parse_name_prefix(declaration, profile)
    return settings


def restored_queue(declaration: QueueDeclaration, profile: Profile) -> QueueSettings:
    """The settings of a queue that was declared before a restart.

    Checked then: another profile does not refuse it now.
    """
    kind = cast("QueueKind", declaration.arguments.get("x-queue-type", "classic"))
    return _settings(declaration.arguments, kind, profile)


def parse_name_prefix(declaration: QueueDeclaration, profile: Profile) -> str | None:
    """How the name that the broker makes for a queue begins, None for its own way (28).

    Raises PreconditionFailed for what is no string, or longer than 64 bytes.
    """
    if not profile.server_name_prefix or "x-name-prefix" not in declaration.arguments:
        return None
    prefix = declaration.arguments["x-name-prefix"]
    if not isinstance(prefix, str):
        reason = f"{{unacceptable_type,{type_name(prefix)}}}"
        raise invalid_argument("x-name-prefix", str(declaration), reason)
    if len(prefix.encode()) > MAX_NAME_PREFIX:
        raise invalid_argument("x-name-prefix", str(declaration), "name_prefix_too_long")
    return prefix or None


def _check_dead_letter_exchange(declaration: QueueDeclaration) -> None:
    # RabbitMQ's channel looks at this one before the others, and words it in its own way.
    name = declaration.arguments.get("x-dead-letter-exchange", "")
    if not isinstance(name, str):
        raise PreconditionFailed(
            f"invalid type '{type_name(name)}' for arg 'x-dead-letter-exchange' in {declaration}"
        )


def _check_value(declaration: QueueDeclaration, key: str, check: Check) -> None:
    arguments = declaration.arguments
    if key in arguments:
        reason = check(arguments[key], arguments)
        if reason is not None:
            raise invalid_argument(key, str(declaration), reason)


def _check_values(declaration: QueueDeclaration, kind: QueueKind, profile: Profile) -> None:
    taken = kind_arguments(kind, profile)
    for key, check in QUEUE_CHECKS.items():
        if key in taken and (key != "x-delivery-limit" or profile.delivery_limit_checked):
            _check_value(declaration, key, _newer(check, key, profile))
    refused = {name for other in KIND_ARGUMENTS for name in kind_arguments(other, profile)}
    for key in declaration.arguments:
        if key in refused and key not in taken:
            raise PreconditionFailed(
                f"invalid arg '{key}' for {declaration} of queue type rabbit_{kind}_queue"
            )
    if "x-consumer-timeout" not in refused and profile.queue_consumer_timeout:
        _check_value(declaration, "x-consumer-timeout", QUEUE_CHECKS["x-consumer-timeout"])
    if "x-delayed-retry-type" in taken and _retries_without_delay(declaration.arguments):
        raise invalid_argument(
            "x-delayed-retry-type", str(declaration), "delayed_retry_min_not_defined"
        )


def _newer(check: Check, key: str, profile: Profile) -> Check:
    if profile.queue_mode_refused and key == "x-queue-mode":
        return refuse_queue_mode
    if profile.queue_mode_refused and key == "x-queue-version":
        return refuse_queue_version_1
    return check


def _retries_without_delay(arguments: Table) -> bool:
    kind = arguments.get("x-delayed-retry-type", "disabled")
    return kind != "disabled" and "x-delayed-retry-min" not in arguments


def _check_transient(declaration: QueueDeclaration, profile: Profile) -> None:
    if not (profile.transient_nonexclusive_queues or declaration.durable or declaration.exclusive):
        raise InternalError(
            "Feature `transient_nonexcl_queues` is deprecated.\n"
            "By default, this feature is not permitted anymore."
        )


def _check_replicated(declaration: QueueDeclaration, kind: QueueKind) -> None:
    """What quorum queues and streams cannot be, in the order in which RabbitMQ looks."""
    if declaration.server_named or not declaration.name:
        raise PreconditionFailed(
            f"Cannot declare a server-named queue for type rabbit_{kind}_queue"
        )
    for refused, name in (
        (declaration.auto_delete, "auto-delete"),
        (declaration.exclusive, "exclusive-owner"),
        (not declaration.durable, "non-durable"),
    ):
        if refused:
            raise PreconditionFailed(f"invalid property '{name}' for {declaration}")


def _check_stream_sizes(arguments: Table) -> None:
    for key, (smallest, largest, text) in _STREAM_SIZES.items():
        size = arguments.get(key)
        if isinstance(size, int) and not smallest <= size <= largest:
            raise PreconditionFailed(text)


def _settings(arguments: Table, kind: QueueKind, profile: Profile) -> QueueSettings:
    given: dict[str, FieldValue] = {}
    for key, name in _FIELDS.items():
        if key in arguments and _is_known(key, profile):
            given[name] = arguments[key]
    settings = QueueSettings(kind=kind, given=frozenset(given))
    for name, value in given.items():
        setattr(settings, name, value)
    if settings.max_age is not None:
        settings.max_age = parse_age(str(settings.max_age))
    if kind == "quorum":
        _adjust_quorum(settings, profile)
    return settings


def _is_known(key: str, profile: Profile) -> bool:
    """Whether an argument means anything in a profile."""
    if key == "x-consumer-timeout":
        return profile.queue_consumer_timeout
    return profile.delayed_retry or key not in DELAYED_RETRY_ARGUMENTS


def _adjust_quorum(settings: QueueSettings, profile: Profile) -> None:
    if not isinstance(settings.delivery_limit, int):
        settings.delivery_limit = None
    if settings.delivery_limit is None:
        settings.delivery_limit = profile.quorum_delivery_limit
    elif settings.delivery_limit < 0:
        settings.delivery_limit = None
    settings.overflow = quorum_overflow(settings.overflow)


def quorum_overflow(overflow: Overflow) -> Overflow:
    """The overflow mode of a quorum queue: RabbitMQ takes `reject-publish-dlx`, logs that it is
    invalid, and drops from the head (`rabbit_quorum_queue:overflow`).
    """
    return "drop-head" if overflow == "reject-publish-dlx" else overflow
