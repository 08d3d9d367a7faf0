"""What things are called in NATS. Any text makes a name, and no two texts make the same one.

Letters, digits, `-`, `_` and `~` stay as they are, everything else is percent-encoded as in URLs:
the queue `a b.c` of the prefix `minibroker` has the subject `minibroker.a%20b%2Ec` and the stream
`minibroker+a%20b%2Ec`. Source: docs.nats.io, "Subject-Based Messaging" and "Naming Streams".
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import quote

__all__ = ["Names", "bucket_name", "names_of"]

LONGEST = 200
"""Characters of a stream's name: servers take 255, and make a directory of it."""


class Names(NamedTuple):
    """Those of one queue."""

    stream: str
    subject: str
    """Where others publish to."""
    later: str
    """With one more token, where messages wait until their time has come."""


def _encoded(text: str) -> str:
    # A token may be neither empty nor have dots in it.
    return quote(text, safe="").replace(".", "%2E") or "%"


def names_of(queue: str, prefix: str) -> Names:
    """The names of a queue."""
    first, second = _encoded(prefix), _encoded(queue)
    stream = f"{first}+{second}"
    if len(stream) > LONGEST:
        digest = hashlib.sha256(stream.encode()).hexdigest()[:32]
        stream = f"{stream[: LONGEST - 33]}+{digest}"  # two plus signs: no other has that
    return Names(stream, f"{first}.{second}", f"{first}.{second}.later")


def bucket_name(prefix: str) -> str:
    """The name of the bucket of a prefix: NATS takes letters, digits, `-` and `_` only."""
    return re.sub(r"[^A-Za-z0-9-]", lambda found: f"_{ord(found[0]):X}_", prefix) + "-facts"
