"""Kombu's envelope and Kombu's names in Service Bus. Knows no link.

Kombu writes the envelope as the body, and nothing of what the service has itself.
Source: kombu 5.7, `kombu.transport.azureservicebus`, by running it.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from ...remote.fields import foreign
from ...remote.kombu import envelope_in, envelope_of

if TYPE_CHECKING:
    from ...remote.driver import Outgoing
    from .messages import Found

__all__ = ["entity_name", "unwrapped", "wrapped"]

REPLACED = str.maketrans({each: "_" for each in string.punctuation if each not in "-_."})
"""What Kombu makes of the characters that a name of Service Bus may not have."""


def entity_name(name: str, prefix: str) -> str:
    """The name that Kombu gives a queue; `prefix` is its option `queue_name_prefix`."""
    return (prefix + name).translate(REPLACED)


def wrapped(outgoing: Outgoing) -> Outgoing:
    """The same message on its way with its envelope as the body."""
    body = envelope_of(outgoing.message, outgoing.expires).encode()
    return outgoing._replace(message=foreign(body, outgoing.queue, "application/json"))


def unwrapped(found: Found, queue: str) -> Found:
    """What was received, or what it means if its body is an envelope."""
    envelope = envelope_in(found.message.body, queue)
    if envelope is None:
        return found
    deliveries = max(found.deliveries, int(envelope.redelivered))
    expires = envelope.expires if found.expires is None else found.expires
    return found._replace(message=envelope.message, deliveries=deliveries, expires=expires)
