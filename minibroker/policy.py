"""Policies: settings for queues and exchanges by name pattern. Knows no queue and no exchange.

Source: RabbitMQ documentation, "Policies"; `rabbit_policies` for the keys, and the semantics page
(111, 121) for what wins over what.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from .arguments.checks import DELAYED_RETRY_TYPES, MAX_EXPIRY, parse_age
from .arguments.queue import quorum_overflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .arguments import QueueKind, QueueSettings
    from .fields import FieldValue

__all__ = ["ApplyTo", "Policy", "PolicySet", "effective", "effective_alternate"]

ApplyTo: TypeAlias = Literal[
    "all", "queues", "exchanges", "classic_queues", "quorum_queues", "streams"
]
_QUEUE_TARGETS: dict[QueueKind, tuple[ApplyTo, ...]] = {
    "classic": ("all", "queues", "classic_queues"),
    "quorum": ("all", "queues", "quorum_queues"),
    "stream": ("all", "queues", "streams"),
}
_EXCHANGE_TARGETS: tuple[ApplyTo, ...] = ("all", "exchanges")


def _integer(smallest: int, largest: int | None = None) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return value >= smallest and (largest is None or value <= largest)

    return check


def _text(*choices: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and (not choices or value in choices)


def _age(value: object) -> bool:
    return isinstance(value, str) and parse_age(value) is not None


@dataclass(slots=True, eq=False, frozen=True)
class _Rule:
    """What one key of a definition may be, what it sets, and what wins over what."""

    check: Callable[[object], bool]
    lower_wins: bool = False
    """Of argument and policy: the lower one if true, the argument otherwise."""
    kinds: tuple[QueueKind, ...] = ("classic", "quorum")
    operator: bool = False
    """Whether operator policies may have it."""


_RULES: dict[str, _Rule] = {
    "message-ttl": _Rule(_integer(0, MAX_EXPIRY), lower_wins=True, operator=True),
    "expires": _Rule(_integer(1, MAX_EXPIRY), lower_wins=True, operator=True),
    "max-length": _Rule(_integer(0), lower_wins=True, operator=True),
    "max-length-bytes": _Rule(
        _integer(0), lower_wins=True, kinds=("classic", "quorum", "stream"), operator=True
    ),
    "delivery-limit": _Rule(_integer(-1), lower_wins=True, kinds=("quorum",), operator=True),
    "max-age": _Rule(_age, lower_wins=True, kinds=("stream",)),
    "overflow": _Rule(_text("drop-head", "reject-publish", "reject-publish-dlx")),
    "dead-letter-exchange": _Rule(_text()),
    "dead-letter-routing-key": _Rule(_text()),
    "dead-letter-strategy": _Rule(_text("at-most-once", "at-least-once"), kinds=("quorum",)),
    "consumer-timeout": _Rule(_integer(0)),
    "delayed-retry-type": _Rule(_text(*DELAYED_RETRY_TYPES), kinds=("quorum",)),
    "delayed-retry-min": _Rule(_integer(0), kinds=("quorum",)),
    "delayed-retry-max": _Rule(_integer(0), kinds=("quorum",)),
    "alternate-exchange": _Rule(_text(), kinds=()),
}
_IGNORED = frozenset(
    {
        "ha-mode",
        "ha-params",
        "ha-promote-on-failure",
        "ha-promote-on-shutdown",
        "ha-sync-batch-size",
        "ha-sync-mode",
        "initial-cluster-size",
        "max-in-memory-bytes",
        "max-in-memory-length",
        "queue-leader-locator",
        "queue-master-locator",
        "queue-mode",
        "queue-version",
        "stream-filter-size-bytes",
        "stream-max-segment-size-bytes",
        "target-group-size",
    }
)
"""Keys that RabbitMQ knows and that mean nothing where there is one node."""


@dataclass(slots=True, eq=False)
class Policy:
    """One policy. Unchanging.

    Raises ValueError, naming the policy and what is wrong, for a pattern that is no regular
    expression, an unknown `apply_to`, an unknown key of the definition or a value it cannot have.
    """

    name: str
    pattern: str
    """A regular expression that matches anywhere in a name, as RabbitMQ's do."""
    definition: Mapping[str, FieldValue]
    """Keys without `x-`: `message-ttl` (milliseconds), `max-length-bytes` (bytes) and so on."""
    priority: int = 0
    """Of the policies that match, the one with the highest priority applies, and no other."""
    apply_to: ApplyTo = "all"
    _matches: Callable[[str], object] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self._matches = re.compile(self.pattern).search
        except re.error as error:
            raise ValueError(f"policy {self.name!r}: pattern {self.pattern!r}: {error}") from None
        if self.apply_to not in get_args(ApplyTo):
            raise ValueError(
                f"policy {self.name!r}: apply-to is {self.apply_to!r}, "
                f"not one of {', '.join(get_args(ApplyTo))}"
            )
        for key, value in self.definition.items():
            self._check_entry(key, value)

    def _check_entry(self, key: str, value: FieldValue) -> None:
        rule = _RULES.get(key)
        if rule is None:
            if key not in _IGNORED:
                raise ValueError(f"policy {self.name!r}: {key!r} is not a policy setting")
        elif not rule.check(value):
            raise ValueError(f"policy {self.name!r}: {value!r} is not a valid {key}")

    def applies_to_queue(self, name: str, kind: QueueKind) -> bool:
        """Whether it matches a queue of that name and kind."""
        return self.apply_to in _QUEUE_TARGETS[kind] and self._matches(name) is not None

    def applies_to_exchange(self, name: str) -> bool:
        """Whether it matches an exchange of that name."""
        return self.apply_to in _EXCHANGE_TARGETS and self._matches(name) is not None


class PolicySet:
    """The policies and operator policies of one virtual host. Not thread-safe."""

    __slots__ = ("_operator", "_policies")

    def __init__(self) -> None:
        self._policies: dict[str, Policy] = {}
        self._operator: dict[str, Policy] = {}

    def set(self, policy: Policy) -> None:
        """Add a policy, in place of one with its name."""
        self._policies[policy.name] = policy

    def set_operator(self, policy: Policy) -> None:
        """Add an operator policy, in place of one with its name.

        Raises ValueError for a key that operator policies may not have: all but limits.
        """
        for key in policy.definition:
            rule = _RULES.get(key)
            if rule is not None and not rule.operator:
                raise ValueError(
                    f"operator policy {policy.name!r}: {key!r} is not for operator policies"
                )
        self._operator[policy.name] = policy

    def delete(self, name: str) -> bool:
        """Remove a policy; False if there is none of that name."""
        return self._policies.pop(name, None) is not None

    def delete_operator(self, name: str) -> bool:
        """Remove an operator policy; False if there is none of that name."""
        return self._operator.pop(name, None) is not None

    def list(self) -> tuple[Policy, ...]:
        """The policies, by name."""
        return tuple(self._policies[name] for name in sorted(self._policies))

    def list_operator(self) -> tuple[Policy, ...]:
        """The operator policies, by name."""
        return tuple(self._operator[name] for name in sorted(self._operator))

    def match_queue(self, name: str, kind: QueueKind) -> Policy | None:
        """The policy that applies to a queue: of those that match, the highest priority, and of
        equal priorities the first by name (RabbitMQ leaves that open).
        """
        return _highest(policy for policy in self.list() if policy.applies_to_queue(name, kind))

    def match_operator(self, name: str, kind: QueueKind) -> Policy | None:
        """The operator policy that applies to a queue, chosen like `match_queue`."""
        matching = (
            policy for policy in self.list_operator() if policy.applies_to_queue(name, kind)
        )
        return _highest(matching)

    def match_exchange(self, name: str) -> Policy | None:
        """The policy that applies to an exchange, chosen like `match_queue`."""
        return _highest(policy for policy in self.list() if policy.applies_to_exchange(name))

    def queue_settings(self, name: str, settings: QueueSettings) -> QueueSettings:
        """The settings that apply to a queue, from those of its arguments."""
        if not self._policies and not self._operator:
            return settings
        policy = self.match_queue(name, settings.kind)
        return effective(settings, policy, self.match_operator(name, settings.kind))

    def alternate_exchange(self, name: str, argument: str | None) -> str | None:
        """The alternate exchange that applies to an exchange, from that of its arguments."""
        return effective_alternate(argument, self.match_exchange(name))


def _highest(policies: Iterable[Policy]) -> Policy | None:
    return max(policies, key=lambda policy: policy.priority, default=None)


def _merged(policy: Policy | None, operator_policy: Policy | None) -> dict[str, FieldValue]:
    """One definition: the operator policy on top, where the lower of two numbers counts."""
    merged = {} if policy is None else dict(policy.definition)
    for key, value in ({} if operator_policy is None else operator_policy.definition).items():
        merged[key] = _lower(merged[key], value) if key in merged else value
    return merged


def _lower(a: FieldValue, b: FieldValue) -> FieldValue:
    """The lower of two limits; below 0 means no limit (`resolve_delivery_limit`)."""
    limits = [limit for limit in (a, b) if isinstance(limit, int) and limit >= 0]
    return min(limits, default=-1)


def effective(
    settings: QueueSettings, policy: Policy | None, operator_policy: Policy | None = None
) -> QueueSettings:
    """What applies to a queue: its arguments, its policy and its operator policy merged (111).

    Of TTL, expiry, length limits, delivery limit and maximum age the lower of argument and policy
    counts; of dead-lettering, overflow and the rest the argument. Without any policy the same
    settings are returned, otherwise new ones.
    """
    changes: dict[str, FieldValue] = {}
    for key, value in _merged(policy, operator_policy).items():
        rule = _RULES.get(key)
        if rule is None or settings.kind not in rule.kinds:
            continue
        name = key.replace("-", "_")
        wanted = parse_age(str(value)) if name == "max_age" else value
        if name not in settings.given:
            changes[name] = wanted
        elif rule.lower_wins:
            argument = getattr(settings, name)
            changes[name] = _lower(-1 if argument is None else argument, wanted)
    if not changes:
        return settings
    if changes.get("delivery_limit") == -1:
        changes["delivery_limit"] = None
    merged = replace(settings)
    for name, value in changes.items():
        setattr(merged, name, value)
    if merged.kind == "quorum":
        merged.overflow = quorum_overflow(merged.overflow)
    return merged


def effective_alternate(argument: str | None, policy: Policy | None) -> str | None:
    """The alternate exchange of an exchange: its argument, or else that of its policy."""
    if argument is not None or policy is None:
        return argument
    alternate = policy.definition.get("alternate-exchange")
    return alternate if isinstance(alternate, str) else None
