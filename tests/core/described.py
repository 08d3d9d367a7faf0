"""What of a broker outlives its process, as plain values that two brokers can be compared by."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from minibroker.exchanges import DelayedExchange
from minibroker.properties import FIELDS
from minibroker.queues import Queue, QuorumQueue, Stream
from minibroker.queues.paged import Page
from minibroker.queues.quorum import QuorumEntry
from minibroker.queues.ready import StrictLevels, TwoLevels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minibroker import Broker
    from minibroker.message import Message
    from minibroker.queues import BaseQueue, Entry
    from minibroker.vhost import VHost

__all__ = ["accounted", "described", "message_values"]


def described(broker: Broker) -> dict[str, Any]:
    """Everything durable, with the messages that a restart keeps, in the order they go out."""
    found: dict[str, Any] = {"limits": _limits(broker._host.limits), "users": _users(broker)}
    for name, vhost in broker.vhosts.items():
        found[f"vhost {name}"] = {
            "limits": _limits(vhost.limits),
            "policies": sorted(map(repr, vhost.policies.list())),
            "operator policies": sorted(map(repr, vhost.policies.list_operator())),
        }
        found |= {f"exchange {name} {key}": value for key, value in _exchanges(vhost)}
        found |= {f"queue {name} {key}": value for key, value in _queues(vhost)}
    return found


def _limits(limits: Any) -> tuple[int | None, ...]:
    return limits.queues, limits.exchanges, limits.connections


def _users(broker: Broker) -> dict[str, Any]:
    return {
        user.name: (
            user.tags,
            user.connections,
            {
                vhost: (each.configure, each.write, each.read)
                for vhost, each in user.permissions.items()
            },
            {vhost: list(map(repr, topics)) for vhost, topics in user.topics.items()},
        )
        for user in broker.users.by_name.values()
    }


def _exchanges(vhost: VHost) -> Iterator[tuple[str, Any]]:
    for name, exchange in vhost.exchanges.items():
        if not exchange.durable:
            continue
        bindings = [
            (
                type(each.destination).__name__,
                each.destination.name,
                each.routing_key,
                repr(sorted(each.arguments.items(), key=str)),
            )
            for each in exchange.bindings
            if name and each.lasting
        ]
        held = []
        if isinstance(exchange, DelayedExchange):
            held = [
                (due, arrival, message_values(message))
                for due, arrival, message in exchange.all_held()
                if message.persistent
            ]
        yield (
            name,
            {
                "flags": (exchange.type, exchange.auto_delete, exchange.internal),
                "arguments": dict(exchange.arguments),
                "alternate": exchange.alternate,
                "bindings": sorted(bindings),
                "held": held,
            },
        )


def _queues(vhost: VHost) -> Iterator[tuple[str, Any]]:
    for name, queue in vhost.queues.items():
        if not queue.lasting:
            continue
        declaration = queue.declaration
        yield (
            name,
            {
                "flags": (queue.kind, declaration.auto_delete, declaration.server_named),
                "arguments": dict(declaration.arguments),
                "settings": repr(queue.settings),
                **_contents(queue),
            },
        )


def _contents(queue: BaseQueue) -> dict[str, Any]:
    if isinstance(queue, Stream):
        offsets = queue.offsets
        entries = [offsets.at(offset) for offset in range(offsets.first, offsets.next)]
        return {
            "offsets": (offsets.first, offsets.next),
            "entries": [(each.seq, each.time, message_values(each.message)) for each in entries],
        }
    assert isinstance(queue, Queue)
    if not isinstance(queue, QuorumQueue):
        return {"entries": [_entry(each) for each in queue.ready if each.message.persistent]}
    ready = queue.ready
    if isinstance(ready, StrictLevels | TwoLevels):
        back = list(ready.returned)
        rest = list(ready)[len(back) :]
    else:
        back = [each for each in ready if each.redelivered]
        rest = [each for each in ready if not each.redelivered]
    return {
        # In which order those come back whose consumers were lost is not kept.
        "came back": Counter(map(_entry, back)),
        "entries": [_entry(each) for each in rest],
        "delayed": Counter((timer.when, *_entry(entry)) for entry, timer in queue.delayed.items()),
    }


def _entry(entry: Entry) -> tuple[Any, ...]:
    acquired = entry.acquired if isinstance(entry, QuorumEntry) else 0
    message = message_values(entry.queue.original(entry))
    return (message, entry.expires, entry.redelivered, entry.deliveries, acquired)


def message_values(message: Message) -> tuple[Any, ...]:
    """Everything of a message, as values."""
    properties = tuple(repr(getattr(message.properties, name)) for name in FIELDS)
    deaths = tuple(
        (each.queue, each.reason, each.exchange, each.routing_keys, each.time, each.count)
        for each in message.deaths
    )
    copies = message.copies, message.ttl, deaths
    return message.body, message.exchange, message.routing_key, properties, copies


def accounted(broker: Broker) -> None:
    """Assert that each segment knows how many places need it; for a log that is synced."""
    assert broker._durability is not None
    log = broker._durability.committer.log
    counted: Counter[int] = Counter()
    for position in _positions(broker):
        if position < 0:
            continue  # spilled, to be written with the next commit
        counted[log.find(position).base] += 1
    told = {each.base: each.entries for each in log.segments if each.entries}
    assert told == dict(counted), f"told {told}, counted {dict(counted)}"
    log._check()


def _positions(broker: Broker) -> Iterator[int]:
    """The position of each place in the log that somebody needs."""
    for vhost in broker.vhosts.values():
        for exchange in vhost.exchanges.values():
            if isinstance(exchange, DelayedExchange):
                held = [message.position for _, _, message in exchange.all_held()]
                yield from filter(None, held)
        for queue in vhost.queues.values():
            if queue.place is not None:
                yield from filter(None, _positions_of(queue))
        for connection in vhost.connections:
            for channel in connection.channels:
                settled = channel.transaction.settled if channel.transaction is not None else []
                entries = [*channel.unacked.values()]
                entries += [entry for settlement in settled for entry in settlement.entries]
                positions = [entry.queue.original(entry).position for entry in entries]
                yield from filter(None, positions)


def _positions_of(queue: BaseQueue) -> Iterator[int]:
    if isinstance(queue, Stream):
        first = queue.offsets.first
        for piece in queue.offsets.pieces():
            if isinstance(piece, Page):
                pairs = zip(piece.seqs, piece.positions, strict=True)
                yield from (position for seq, position in pairs if seq >= first)
            else:
                yield piece.message.position
        return
    assert isinstance(queue, Queue)
    for _, _, piece in queue.ready.pieces():
        if isinstance(piece, Page):
            yield from piece.positions
        else:
            yield queue.original(piece).position
    if isinstance(queue, QuorumQueue):
        yield from (queue.original(entry).position for entry in queue.delayed)
