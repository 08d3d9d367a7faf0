"""A message as NATS carries it: the body, and headers by the names of AMQP's properties.

A header's value is a line without blanks at its ends. What is no such line of printable ASCII gets
a name that ends with an asterisk, and a value as in RFC 8187: `type*: UTF-8''caf%C3%A9`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from ...remote.driver import Leased
from ...remote.fields import foreign, message_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...remote.driver import Outgoing

__all__ = ["Token", "headers_of", "leased_of", "size_of"]

PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
UTF_8 = "UTF-8''"
MESSAGE_ID = "Nats-Msg-Id"
CONTENT_TYPE = "content-type"
"""As other programs call it, in any case."""


class Token:
    """What a lease is settled by."""

    __slots__ = ("number", "reply", "until")

    def __init__(self, reply: str, number: int, until: float) -> None:
        self.reply = reply
        """The subject that NATS takes acks of this delivery at."""
        self.number = number
        """The message's place in its stream."""
        self.until = until
        """When the lease ends, by the clock of the event loop, in seconds."""


def headers_of(outgoing: Outgoing, due: int | None) -> dict[str, str]:
    """The headers of a message; `due` is for servers that do not hold messages back."""
    fields = texts_of(outgoing.message)
    if outgoing.expires is not None:
        fields["expires"] = str(outgoing.expires)
    if due is not None:
        fields["due"] = str(due)
    headers: dict[str, str] = {}
    for name, value in fields.items():
        if PLAIN.fullmatch(value):
            headers[name] = value
        else:
            headers[name + "*"] = UTF_8 + quote(value)
    return headers


def size_of(headers: Mapping[str, str], body: bytes) -> int:
    """How many bytes a server counts."""
    # NATS/1.0, then each as `name: value`, then an empty line.
    return 12 + sum(len(name) + len(value) + 4 for name, value in headers.items()) + len(body)


def leased_of(queue: str, found: Any, until: float) -> Leased:
    """What was pulled, as nats-py has it, with the end of its lease."""
    delivered, number = _numbers(found)
    token = Token(found.reply, number, until)
    headers = found.headers or {}
    fields = {name: value for name, value in headers.items() if not name.endswith("*")}
    for name in headers.keys() - fields.keys():
        fields[name[:-1]] = unquote(headers[name].removeprefix(UTF_8))
    if "routing_key" not in fields:
        return Leased(queue, token, _foreign(queue, found.data, headers), delivered - 1)
    expires, due = _milliseconds(fields, "expires"), _milliseconds(fields, "due")
    message = message_of(fields, found.data, queue)
    return Leased(queue, token, message, delivered - 1, expires, due)


def _numbers(found: Any) -> tuple[int, int]:
    """How often it was delivered, and its place in the stream."""
    parts = found.reply.split(".")
    if len(parts) == 9:  # $JS.ACK.stream.consumer.delivered.number.…
        return int(parts[4]), int(parts[5])
    metadata = found.metadata
    return metadata.num_delivered, metadata.sequence.stream


def _milliseconds(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name)
    return int(text) if text is not None and text.isdecimal() else None


def _foreign(queue: str, body: bytes, headers: Mapping[str, str]) -> Any:
    content_type = None
    others: dict[str, str] = {}
    for name, value in headers.items():
        if name.lower() == CONTENT_TYPE:
            content_type = value
        elif not name.startswith("Nats-"):
            others[name] = value
    message_id = headers.get(MESSAGE_ID)
    return foreign(body, queue, content_type, headers=others or None, message_id=message_id)
