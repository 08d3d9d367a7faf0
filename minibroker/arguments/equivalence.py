"""Whether something declared again is the same as what is there. Knows neither's rules.

Source: RabbitMQ's `rabbit_misc` (`assert_args_equivalence`, `assert_field_equivalence`), including
which of its two wordings an error has: where both sides have an argument only the values are
shown, where one side lacks it the other's type is shown too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..errors import PreconditionFailed
from ..fields import same_value, type_name
from .queue import kind_arguments
from .texts import erlang_term, resource

if TYPE_CHECKING:
    from ..exchanges.exchange import Exchange, ExchangeDeclaration
    from ..fields import FieldValue, Table
    from ..profile import Profile
    from .declaration import QueueDeclaration
    from .settings import QueueKind

__all__ = ["check_equivalent_exchange", "check_equivalent_queue"]

RELAXED_ARGUMENTS = (
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-single-active-consumer",
    "x-message-ttl",
)
"""All that counts where a quorum queue may be declared again as a classic one."""


def check_equivalent_queue(
    current: QueueDeclaration, requested: QueueDeclaration, profile: Profile
) -> None:
    """Refuse to declare an existing queue as something else (29 to 31).

    Compares durable, auto_delete and the arguments that the current kind of queue has; whether
    it is exclusive is a question of access, asked before. Raises PreconditionFailed.
    """
    where = str(current)
    if profile.quorum_relaxed_redeclare and _is_classic_again(current, requested):
        for key in RELAXED_ARGUMENTS:
            _check_argument(key, where, current.arguments, requested.arguments)
        return
    _check_property("durable", where, current.lasting, requested.lasting)
    _check_property("auto_delete", where, current.auto_delete, requested.auto_delete)
    kind = cast("QueueKind", current.arguments.get("x-queue-type", "classic"))
    for key in kind_arguments(kind, profile):
        _check_argument(key, where, current.arguments, requested.arguments)


def _is_classic_again(current: QueueDeclaration, requested: QueueDeclaration) -> bool:
    kinds = [each.arguments.get("x-queue-type") for each in (current, requested)]
    return kinds == ["quorum", "classic"]


def check_equivalent_exchange(
    current: Exchange | ExchangeDeclaration, requested: ExchangeDeclaration, vhost: str = "/"
) -> None:
    """Refuse to declare an existing exchange as something else (29, 30).

    Compares type, durable, auto_delete, internal and the alternate exchange. Raises
    PreconditionFailed.
    """
    where = resource("exchange", current.name, vhost)
    _check_property("type", where, current.type, requested.type)
    _check_property("durable", where, current.durable, requested.durable)
    _check_property("auto_delete", where, current.auto_delete, requested.auto_delete)
    _check_property("internal", where, current.internal, requested.internal)
    _check_argument("alternate-exchange", where, current.arguments, requested.arguments)


def _check_property(name: str, where: str, current: str | bool, requested: str | bool) -> None:
    if current != requested:
        raise _inequivalent(name, where, _bare(requested), _bare(current))


def _check_argument(key: str, where: str, current: Table, requested: Table) -> None:
    if key not in current and key not in requested:
        return
    if key in current and key in requested:
        if not same_value(current[key], requested[key]):
            raise _inequivalent(key, where, _bare(requested[key]), _bare(current[key]))
        return
    if key == "x-queue-type" and current.get(key, requested.get(key)) == "classic":
        return
    raise _inequivalent(key, where, _typed(requested, key), _typed(current, key))


def _inequivalent(key: str, where: str, requested: str, current: str) -> PreconditionFailed:
    return PreconditionFailed(
        f"inequivalent arg '{key}' for {where}: received {requested} but current is {current}"
    )


def _bare(value: FieldValue) -> str:
    return "none" if value is None else f"'{_printed(value)}'"


def _typed(arguments: Table, key: str) -> str:
    if key not in arguments:
        return "none"
    value = arguments[key]
    return f"the value '{_printed(value)}' of type '{type_name(value)}'"


def _printed(value: FieldValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return erlang_term(value)
