"""A message as SQS carries it: a text, and up to ten attributes. Knows no request.

A body of text that XML can carry stays as it is, so that others read it; another one is base64.
Source: Amazon SQS Developer Guide, "message metadata"; API reference of SendMessage.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...remote.driver import Leased
from ...remote.fields import foreign, message_of, texts_of
from .kombu_envelope import envelope_at

if TYPE_CHECKING:
    from ...remote.driver import Outgoing

__all__ = ["entry_of", "fifo_id", "leased_of", "queue_name"]

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
OWN = ("content_type", "content_encoding", "correlation_id", "reply_to", "message_id", "type")
"""Properties with attributes of their own; the rare ones share one, as there may be ten at most."""
REST = "properties"
LONGEST_DELAY = 900
"""Seconds (API reference, SendMessage)."""
FIFO_ID = re.compile("[!-~]{1,128}")
VALID = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")


def queue_name(name: str, prefix: str) -> str:
    """The name of a queue in SQS: letters, digits, hyphens and underscores, 80 at most.

    A name that does not fit is made to, with a part of its SHA-256 so that no two become one.
    """
    full = prefix + name
    if VALID.fullmatch(full):
        return full
    suffix = ".fifo" if name.endswith(".fifo") else ""
    digest = hashlib.sha256(full.encode()).hexdigest()[:10]
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", full.removesuffix(suffix))
    return f"{readable[: 64 - len(suffix)]}-{digest}{suffix}"


def fifo_id(text: str) -> str:
    """A text as SQS takes it for a group or a deduplication id; what does not fit is its SHA-256.

    Up to 128 letters, digits and punctuation (API reference, SendMessage).
    """
    if FIFO_ID.fullmatch(text):
        return text
    return hashlib.sha256(text.encode()).hexdigest()


def entry_of(outgoing: Outgoing, now: int) -> dict[str, Any]:
    """What SendMessageBatch takes for a message, without its id."""
    fields = texts_of(outgoing.message)
    attributes: dict[str, Any] = {}
    for name in (*OWN, "headers"):
        value = fields.get(name)
        if value and not NOT_XML.search(value):
            attributes[name] = {"DataType": "String", "StringValue": fields.pop(name)}
    if outgoing.expires is not None:
        fields["expires"] = str(outgoing.expires)
    seconds = -(-outgoing.delay // 1000)
    if seconds > LONGEST_DELAY:
        fields["due"] = str(now + outgoing.delay)
    body, encoding = _text_of(outgoing.message.body)
    if encoding:
        fields["body_encoding"] = encoding
    attributes[REST] = {"DataType": "String", "StringValue": json.dumps(fields)}
    entry: dict[str, Any] = {"MessageBody": body, "MessageAttributes": attributes}
    if outgoing.queue.endswith(".fifo"):
        # Which may have no delay of its own.
        entry["MessageGroupId"] = fifo_id(outgoing.message.routing_key or "minibroker")
        if outgoing.delay:
            fields["due"] = str(now + outgoing.delay)
            attributes[REST]["StringValue"] = json.dumps(fields)
    elif seconds:
        entry["DelaySeconds"] = min(seconds, LONGEST_DELAY)
    return entry


def _text_of(body: bytes) -> tuple[str, str]:
    """A body as text, and how that was made of it."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"
    if NOT_XML.search(text):
        return base64.b64encode(body).decode(), "base64"
    return (text, "") if text else (" ", "empty")


def leased_of(queue: str, found: dict[str, Any]) -> Leased:
    """What ReceiveMessage answered for a message."""
    attributes = {
        name: value.get("StringValue", value.get("BinaryValue", ""))
        for name, value in found.get("MessageAttributes", {}).items()
    }
    count = int(found.get("Attributes", {}).get("ApproximateReceiveCount", 1)) - 1
    token, text = found["ReceiptHandle"], found["Body"]
    rest = attributes.pop(REST, None)
    fields = None if rest is None else _fields(rest)
    if fields is None:  # of another program
        envelope = envelope_at(text, queue)
        if envelope is not None:
            count = max(count, int(envelope.redelivered))
            return Leased(queue, token, envelope.message, count, envelope.expires, envelope.due)
        headers = attributes or None
        message = foreign(text.encode(), queue, _kind_of(text), headers=headers,
                          message_id=found.get("MessageId"))  # fmt: skip
        return Leased(queue, token, message, count)
    fields |= attributes
    encoding = fields.pop("body_encoding", "")
    body = b"" if encoding == "empty" else text.encode()
    if encoding == "base64":
        with suppress(ValueError):  # it is another program's that only says so
            body = base64.b64decode(body, validate=True)
    expires, due = fields.pop("expires", None), fields.pop("due", None)
    message = message_of(fields, body, queue)
    return Leased(queue, token, message, count, _number(expires), _number(due))


def _fields(text: str) -> dict[str, str] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _kind_of(text: str) -> str:
    return "application/json" if text[:1] in {"{", "["} else "text/plain"


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
