"""Records into a state, in the order in which they were written.

Knows how each kind is encoded, and nothing of files: whoever reads them has checked that they are
whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..queues.paged import Page
from ..store import record
from . import kinds
from .facts import NUMBER, numbers, unpack
from .messages import COMPRESSED, FIXED, MARKED, MARKS, PLACE, SPILLED
from .state import PlaceState, QueueState

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import Level, State

__all__ = ["apply", "replay"]

SIZE = NUMBER  # what lz4 puts before a compressed body: its size


def replay(state: State, position: int, records: bytes) -> int:
    """Apply the records of a frame; `position` is that of the first one. How many there were.

    A message, which is what nearly every record is, takes one call.
    """
    offset = count = 0
    end = len(records)
    unpack_header, size = record.HEADER.unpack_from, record.HEADER_SIZE
    while offset < end:
        length, _, kind = unpack_header(records, offset)
        start = offset + size
        if kind == kinds.MESSAGE:
            _message(state, records, start, length, position + offset)
        else:
            apply(state, kind, records[start : start + length])
        offset = start + length
        count += 1
    return count


def _message(state: State, records: bytes, start: int, length: int, position: int) -> None:
    flags, priority, exchange, key, places, header = FIXED.unpack_from(records, start)
    if flags & SPILLED:
        return  # it was there to be out of memory, and for that process alone
    at = start + FIXED.size + exchange + key + header
    if flags & MARKED:
        at += MARKS.size + MARKS.unpack_from(records, at)[0]
    share = (length + record.HEADER_SIZE) // places
    body = at + places * PLACE.size
    while at < body:
        number, seq, time = PLACE.unpack_from(records, at)
        at += PLACE.size
        place = state.places.get(number)
        if place is None:
            continue  # its queue is gone
        level = place.levels.get(0) if not place.by_priority else None
        if level is None:
            level = place.level(priority)
        level.seqs.append(seq)
        level.positions.append(position)
        level.shares.append(share)
        if seq > place.last_seq:  # noqa: PLR1730 -- max() takes as long as half of the rest
            place.last_seq = seq
        if time:
            place.expiring = True
        if place.is_stream:
            size = start + length - body
            place.size += SIZE.unpack_from(records, body)[0] if flags & COMPRESSED else size


def apply(state: State, kind: int, payload: bytes) -> None:
    """Apply a record that is no message. Raises ValueError for a kind that there is not."""
    try:
        handler = HANDLERS[kind]
    except KeyError:
        raise ValueError(f"unknown kind of record: {kind}") from None
    handler(state, payload)


# -- what happened to messages


def _settled(state: State, payload: bytes) -> None:
    place = state.places.get(NUMBER.unpack_from(payload)[0])
    if place is not None:
        place.settle(numbers(payload, NUMBER.size))


def _delivered(state: State, payload: bytes) -> None:
    place = state.places.get(NUMBER.unpack_from(payload)[0])
    if place is not None:
        place.delivered.update(numbers(payload, NUMBER.size))


def _returned(state: State, payload: bytes) -> None:
    number, rows = unpack(payload)
    place = state.places.get(number)
    if place is not None:
        for row in rows:
            place.come_back(row)


def _stream(state: State, payload: bytes) -> None:
    number, first, size = unpack(payload)
    place = state.places.get(number)
    if place is not None:
        place.first, place.size = first, size


# -- what there is


def _vhost_added(state: State, payload: bytes) -> None:
    (name,) = unpack(payload)
    state.vhosts[name] = None


def _vhost_removed(state: State, payload: bytes) -> None:
    state.remove_vhost(*unpack(payload))


def _exchange_added(state: State, payload: bytes) -> None:
    values = unpack(payload)
    vhost, name, *_, place = values
    state.exchanges[vhost, name] = values
    if place:
        state.add_place(place, PlaceState())


def _exchange_removed(state: State, payload: bytes) -> None:
    state.remove_exchange(*unpack(payload))


def _queue_added(state: State, payload: bytes) -> None:
    queue = QueueState(*unpack(payload))
    state.queues[queue.place] = queue
    state.add_place(queue.place, PlaceState(queue.by_priority, queue.kind == "stream"))


def _queue_removed(state: State, payload: bytes) -> None:
    state.remove_queue(*unpack(payload))


def _bound(state: State, payload: bytes) -> None:
    state.bind(_binding(unpack(payload)))


def _unbound(state: State, payload: bytes) -> None:
    state.unbind(_binding(unpack(payload)))


def _binding(values: list[Any]) -> tuple[str, str, bool, str, str, bytes]:
    vhost, source, to_queue, destination, key, arguments = values
    return vhost, source, to_queue, destination, key, arguments


def _user_added(state: State, payload: bytes) -> None:
    values = unpack(payload)
    state.users[values[0]] = values


def _password_set(state: State, payload: bytes) -> None:
    values = unpack(payload)
    state.passwords[values[0]] = values


def _user_removed(state: State, payload: bytes) -> None:
    (name,) = unpack(payload)
    state.remove_user(name)


def _permissions_cleared(state: State, payload: bytes) -> None:
    user, vhost = unpack(payload)
    state.permissions.pop((user, vhost), None)


def _permissions_set(state: State, payload: bytes) -> None:
    values = unpack(payload)
    state.permissions[values[0], values[1]] = values


def _policy_set(state: State, payload: bytes) -> None:
    values = unpack(payload)
    vhost, name, operator, *_ = values
    state.policies[vhost, name, operator] = values


def _policy_removed(state: State, payload: bytes) -> None:
    vhost, name, operator = unpack(payload)
    state.policies.pop((vhost, name, operator), None)


def _limits_set(state: State, payload: bytes) -> None:
    values = unpack(payload)
    state.limits[values[0]] = values


# -- what was in a place


def _place(state: State, payload: bytes) -> None:
    number, last_seq, expiring, first, size, rows = unpack(payload)
    place = state.places[number]
    place.last_seq, place.expiring = last_seq, expiring
    place.first, place.size = first, size
    for row in rows:
        place.come_back(row)


def _next_place(state: State, payload: bytes) -> None:
    (number,) = unpack(payload)
    state.next_place = max(state.next_place, number)


def _level_of(state: State, payload: bytes) -> tuple[Level, int]:
    """The level that a record is about, and where its contents begin."""
    number, priority = NUMBER.unpack_from(payload)[0], NUMBER.unpack_from(payload, 4)[0]
    return state.places[number].level(priority), 2 * NUMBER.size


def _pages(state: State, payload: bytes) -> None:
    level, start = _level_of(state, payload)
    for first, count, weight, seqs, positions in unpack(payload[start:]):
        level.pages.append(
            Page(
                range(first, first + count) if seqs is None else numbers(seqs),
                numbers(positions),
                weight,
            )
        )


def _loose(state: State, payload: bytes) -> None:
    level, start = _level_of(state, payload)
    values = numbers(payload, start)
    third = len(values) // 3
    level.seqs.extend(values[:third])
    level.positions.extend(values[third : 2 * third])
    level.shares.extend(values[2 * third :])


HANDLERS: dict[int, Callable[[State, bytes], None]] = {
    kinds.SETTLED: _settled,
    kinds.DELIVERED: _delivered,
    kinds.RETURNED: _returned,
    kinds.STREAM: _stream,
    kinds.VHOST_ADDED: _vhost_added,
    kinds.VHOST_REMOVED: _vhost_removed,
    kinds.EXCHANGE_ADDED: _exchange_added,
    kinds.EXCHANGE_REMOVED: _exchange_removed,
    kinds.QUEUE_ADDED: _queue_added,
    kinds.QUEUE_REMOVED: _queue_removed,
    kinds.BOUND: _bound,
    kinds.UNBOUND: _unbound,
    kinds.USER_ADDED: _user_added,
    kinds.PASSWORD_SET: _password_set,
    kinds.USER_REMOVED: _user_removed,
    kinds.PERMISSIONS_CLEARED: _permissions_cleared,
    kinds.PERMISSIONS_SET: _permissions_set,
    kinds.POLICY_SET: _policy_set,
    kinds.POLICY_REMOVED: _policy_removed,
    kinds.LIMITS_SET: _limits_set,
    kinds.PLACE: _place,
    kinds.PAGES: _pages,
    kinds.LOOSE: _loose,
    kinds.NEXT_PLACE: _next_place,
}
"""What each kind of record does to a state."""
