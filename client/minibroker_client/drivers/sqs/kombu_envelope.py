"""Kombu's envelope and Kombu's names in SQS. Knows no request.

Kombu writes the envelope as base64 unless it is told not to, and no attributes.
Source: kombu 5.7, `kombu.transport.SQS`, by running it.
"""

from __future__ import annotations

import base64
import string
from typing import TYPE_CHECKING, Any, NamedTuple

from ...remote.kombu import envelope_in, envelope_of, is_asked_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...remote.driver import Outgoing
    from ...remote.kombu import Envelope

__all__ = ["KombuForm", "envelope_at"]

FIFO = ".fifo"
GROUP = "default"
"""That of all of Kombu's messages in a queue that keeps the order."""
LONGEST_DELAY = 900
"""Seconds (API reference, SendMessage)."""
VISIBILITY = 1800
"""Seconds that Kombu asks for unless it is told otherwise."""
REPLACED = str.maketrans(
    {each: "-" if each == "." else "_" for each in string.punctuation if each not in "-_"}
)
"""What Kombu makes of the characters that a name of SQS may not have."""


def envelope_at(text: str, queue: str) -> Envelope | None:
    """The envelope that a text of a message is, as base64 or as it is; None where it is none."""
    found = envelope_in(text, queue)
    if found is not None or not text.startswith("ey"):  # which is how base64 of `{"` begins
        return found
    try:
        return envelope_in(base64.b64decode(text, validate=True), queue)
    except ValueError:
        return None


class KombuForm(NamedTuple):
    """How messages are written and queues are named with `envelope="kombu"`."""

    as_base64: bool = True
    """Kombu's option `sqs_base64_encoding`."""
    visibility: int = VISIBILITY
    """Seconds for which a queue that is made hides what a program of Kombu's has received, which
    renews nothing: Kombu's option `visibility_timeout`."""

    @classmethod
    def asked_for(cls, options: Mapping[str, Any]) -> KombuForm | None:
        """That of the transport options; None without `envelope="kombu"`."""
        if not is_asked_for(options):
            return None
        visibility = int(options.get("visibility_timeout") or VISIBILITY)
        return cls(bool(options.get("sqs_base64_encoding", True)), visibility)

    def queue_name(self, name: str, prefix: str) -> str:
        """The name that Kombu gives a queue; SQS says so if it is no good one."""
        stem = name.removesuffix(FIFO)
        return (prefix + stem).translate(REPLACED) + name[len(stem) :]

    def entry_of(self, outgoing: Outgoing, now: int) -> dict[str, Any]:
        """What SendMessageBatch takes for a message, without its id."""
        is_fifo = outgoing.queue.endswith(FIFO)
        seconds = -(-outgoing.delay // 1000)
        # What SQS cannot hold back itself comes too early, which only this client notices.
        is_long = seconds > LONGEST_DELAY or (is_fifo and seconds > 0)
        due = now + outgoing.delay if is_long else None
        text = envelope_of(outgoing.message, outgoing.expires, due)
        body = base64.b64encode(text.encode()).decode() if self.as_base64 else text
        entry: dict[str, Any] = {"MessageBody": body, "MessageAttributes": {}}
        if is_fifo:
            entry["MessageGroupId"] = GROUP
        elif seconds:
            entry["DelaySeconds"] = min(seconds, LONGEST_DELAY)
        return entry
