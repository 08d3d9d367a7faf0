"""What in a state does not fit together, because a record that said so is lost.

A broker cannot be filled from such a state. Knows neither files nor the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..vhost import PREDECLARED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..journal.state import BindingKey, State

__all__ = ["mend"]


def mend(state: State) -> list[str]:
    """Make a state fit together, and say what was off: virtual hosts that something is in are
    there again; of two queues with one name the one that was declared last stays; what refers to
    something that there is not is left out.
    """
    return [
        *_vhosts(state),
        *_same_names(state),
        *_bindings(state),
        *_permissions(state),
    ]


def _vhosts(state: State) -> Iterator[str]:
    wanted = [queue.vhost for queue in state.queues.values()]
    wanted += [vhost for vhost, _ in state.exchanges]
    wanted += [key[0] for key in state.bindings]
    wanted += [vhost for _, vhost in state.permissions]
    wanted += [vhost for vhost, _, _ in state.policies]
    wanted += [vhost for vhost in state.limits if vhost is not None]
    for vhost in wanted:
        if vhost not in state.vhosts:
            state.vhosts[vhost] = None
            yield f"vhost {vhost!r} is not known, though something is in it"


def _same_names(state: State) -> Iterator[str]:
    last: dict[tuple[str, str], int] = {}
    for number in sorted(state.queues):
        queue = state.queues[number]
        older = last.get((queue.vhost, queue.name))
        last[queue.vhost, queue.name] = number
        if older is not None:
            # Not `remove_queue`: the bindings of that name are those of the newer one, too.
            del state.queues[older]
            state.places.pop(older, None)
            yield (
                f"queue {queue.name!r} in vhost {queue.vhost!r} was declared twice: it must have "
                "been deleted in between"
            )


def _bindings(state: State) -> Iterator[str]:
    queues = {(queue.vhost, queue.name) for queue in state.queues.values()}
    for key in list(state.bindings):
        missing = _missing_end(state, queues, key)
        if missing:
            state.unbind(key)
            vhost, source, _, destination, routing_key, _ = key
            yield (
                f"the binding from {source!r} to {destination!r} with {routing_key!r} in vhost "
                f"{vhost!r} refers to {missing}, which is not known"
            )


def _missing_end(state: State, queues: set[tuple[str, str]], key: BindingKey) -> str | None:
    vhost, source, to_queue, destination, _, _ = key
    if not _has_exchange(state, vhost, source):
        return f"exchange {source!r}"
    if to_queue and (vhost, destination) not in queues:
        return f"queue {destination!r}"
    if not to_queue and not _has_exchange(state, vhost, destination):
        return f"exchange {destination!r}"
    return None


def _has_exchange(state: State, vhost: str, name: str) -> bool:
    return not name or name in PREDECLARED or (vhost, name) in state.exchanges


def _permissions(state: State) -> Iterator[str]:
    for name in list(state.passwords):
        if name not in state.users:
            del state.passwords[name]
            yield f"user {name!r}, who has a password, is not known"
    for user, vhost in list(state.permissions):
        if user not in state.users:
            del state.permissions[user, vhost]
            yield f"user {user!r}, who has permissions in vhost {vhost!r}, is not known"
