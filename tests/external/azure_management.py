"""What the management node of a queue answers in the stand-in for Azure Service Bus: locks renewed,
messages settled, scheduled and peeked at by request. Knows the queues, and no link.
"""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .azure_queues import Entry, LockLost, Namespace, Queue

__all__ = ["Answer", "answer", "outgoing"]

# Taken as it comes: python-qpid-proton is not among what the checks install.
proton: Any = importlib.import_module("proton")

MESSAGE_LOCK_LOST = "com.microsoft:message-lock-lost"


class Answer(NamedTuple):
    """The application properties and the body of a response."""

    properties: dict[str, Any]
    body: Any


def answer(namespace: Namespace, queue: Queue, operation: str, body: Any) -> Answer:
    """Carry out one request."""
    try:
        handler = OPERATIONS[operation]
    except KeyError:
        return _status(501, f"not implemented: {operation}")
    # Keys come as strings of more than one type.
    fields = {str(key): value for key, value in (body or {}).items()}
    try:
        return handler(namespace, queue, fields)
    except LockLost:
        lost = _status(410, "The lock supplied is invalid.")
        lost.properties["errorCondition"] = proton.symbol(MESSAGE_LOCK_LOST)
        return lost


def outgoing(entry: Entry) -> bytes:
    """The encoded message as a receiver sees it."""
    message = entry.message
    message.annotations = {
        **(message.annotations or {}),
        proton.symbol("x-opt-sequence-number"): entry.seq,
        proton.symbol("x-opt-enqueued-time"): proton.timestamp(entry.enqueued),
        proton.symbol("x-opt-locked-until"): proton.timestamp(entry.until),
    }
    raw = bytes(message.encode())
    # The header is an empty list, or a short one.
    rest = raw[4:] if raw[3] == 0x45 else raw[5 + raw[4] :]
    return _header(message, entry.deliveries) + rest


def _header(message: Any, deliveries: int) -> bytes:
    """The header section (amqp 3.2.1): proton leaves out a count of 0, and the service does not."""
    lifetime = round(message.ttl * 1000)
    fields = bytes([0x41, 0x50, message.priority])  # durable, and the priority
    fields += b"\x70" + lifetime.to_bytes(4, "big") if lifetime else b"\x40"
    fields += b"\x42\x70" + deliveries.to_bytes(4, "big")  # not the first acquirer
    return b"\0Sp\xc0" + bytes([len(fields) + 1, 5]) + fields


def _status(code: int, description: str, body: Any = None) -> Answer:
    return Answer(
        {"statusCode": proton.int32(code), "statusDescription": description},
        body,
    )


def _done(**body: Any) -> Answer:
    return _status(200, "OK", {name.replace("_", "-"): value for name, value in body.items()})


def _array(kind: Any, values: list[Any]) -> Any:
    return proton.Array(proton.UNDESCRIBED, kind, *values)


def _tokens(fields: Mapping[str, Any]) -> list[uuid.UUID]:
    return [uuid.UUID(str(token)) for token in fields["lock-tokens"]]


def _renew_lock(namespace: Namespace, queue: Queue, fields: Mapping[str, Any]) -> Answer:
    times = [proton.timestamp(namespace.renew(queue, token)) for token in _tokens(fields)]
    return _done(expirations=_array(proton.Data.TIMESTAMP, times))


def _update_disposition(namespace: Namespace, queue: Queue, fields: Mapping[str, Any]) -> Answer:
    outcome: Any = str(fields["disposition-status"])
    reason = fields.get("deadletter-reason"), fields.get("deadletter-description")
    for token in _tokens(fields):
        namespace.settle(queue, queue.entry_of(token), outcome, *reason)
    return _done()


def _schedule_message(namespace: Namespace, queue: Queue, fields: Mapping[str, Any]) -> Answer:
    numbers = []
    for item in fields["messages"]:
        message = proton.Message()
        message.decode(bytes({str(key): value for key, value in item.items()}["message"]))
        numbers.append(namespace.enqueue(queue, message).seq)
    return _done(sequence_numbers=_array(proton.Data.LONG, numbers))


def _cancel_scheduled(namespace: Namespace, queue: Queue, fields: Mapping[str, Any]) -> Answer:
    for number in fields["sequence-numbers"]:
        namespace.cancel(queue, int(number))
    return _done()


def _peek_message(_: Namespace, queue: Queue, fields: Mapping[str, Any]) -> Answer:
    first, number = int(fields["from-sequence-number"]), int(fields["message-count"])
    entries = [entry for entry in queue.visible() if entry.seq >= first][:number]
    if not entries:
        return _status(204, "No content")
    return _done(messages=[{"message": outgoing(entry)} for entry in entries])


OPERATIONS: dict[str, Callable[[Namespace, Queue, Mapping[str, Any]], Answer]] = {
    "com.microsoft:renew-lock": _renew_lock,
    "com.microsoft:update-disposition": _update_disposition,
    "com.microsoft:schedule-message": _schedule_message,
    "com.microsoft:cancel-scheduled-message": _cancel_scheduled,
    "com.microsoft:peek-message": _peek_message,
}
