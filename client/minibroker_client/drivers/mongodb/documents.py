"""A message as a document of MongoDB: texts and numbers by name, and the body as bytes.

Nothing depends on `_id` but that it is unique: some servers order and index only other fields.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ...remote.driver import Leased
from ...remote.fields import TEXTS, foreign, message_of, texts_of

if TYPE_CHECKING:
    from ...remote.driver import Outgoing

__all__ = ["document_of", "leased_of"]

OURS = frozenset(
    {"_id", "queue", "seq", "order", "until", "token", "count", "expires", "body", "fields"}
)


def document_of(outgoing: Outgoing, seq: int, highest: int, now: int) -> dict[str, Any]:
    """The document of a message; `order` is lower for a higher priority."""
    document: dict[str, Any] = {
        "_id": secrets.token_hex(12),
        "queue": outgoing.queue,
        "seq": seq,
        "order": -min(outgoing.message.properties.priority or 0, highest),
        "until": now + outgoing.delay if outgoing.delay else 0,
        "token": "",
        "count": 0,
        "body": outgoing.message.body,
        **texts_of(outgoing.message),
    }
    if outgoing.expires is not None:
        document["expires"] = outgoing.expires
    return document


def leased_of(document: dict[str, Any]) -> Leased:
    """A document that was leased; `count` counts this time, too."""
    queue = document["queue"]
    body = document.get("body")
    texts = {
        name: value
        for name, value in document.items()
        if isinstance(value, str) and name not in OURS
    }
    token = (document["_id"], document["token"])
    count = int(document.get("count", 1)) - 1
    expires = document.get("expires")
    if isinstance(body, bytes):
        message = message_of(texts, body, queue)
    else:  # of another program, which may have written text
        text = body if isinstance(body, str) else str(body)
        values = {name: texts[name] for name in TEXTS if name in texts and name != "content_type"}
        message = foreign(text.encode(), queue, texts.get("content_type", "text/plain"), **values)
    return Leased(queue, token, message, count, None if expires is None else int(expires))
