"""Facts in SQS: the tags of queues that are there for that alone.

SQS keeps nothing but queues; a queue has up to 50 tags of 256 characters, and each can be written
by itself. A fact is one or more tags; which queue has room is found by looking. There is no "unless
it is there", so of two clients that declare the same thing differently in the same moment both may
be told that it is theirs. Source: API reference of TagQueue.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Tags"]

ROOM = 50
LONGEST = 256


class Tags:
    """The facts of one prefix. `call` is the driver's way to make a request."""

    def __init__(self, call: Callable[..., Any], client: Any, prefix: str) -> None:
        self._call = call
        self._client = client
        self._name = f"{prefix}minibroker-facts"

    def version(self) -> object:
        """Not known without reading everything."""
        return None

    def load(self) -> dict[str, str]:
        """All facts. What is no fact is passed over."""
        facts: dict[str, str] = {}
        for _, tags in self._all():
            facts |= dict(_read(tags))
        return facts

    def _all(self) -> list[tuple[str, dict[str, str]]]:
        answer = self._call(self._client.list_queues, QueueNamePrefix=self._name)
        return [(url, self._tags_of(url)) for url in sorted(answer.get("QueueUrls", ()))]

    def _tags_of(self, url: str) -> dict[str, str]:
        tags: dict[str, str] = self._call(self._client.list_queue_tags, QueueUrl=url).get(
            "Tags", {}
        )
        return tags

    def add(self, key: str, value: str) -> str:
        """Add a fact unless there is one; the value that is there."""
        queues = self._all()
        for _, tags in queues:
            there = dict(_read(tags)).get(key)
            if there is not None:
                return there
        parts = _written(key, value)
        url = next((url for url, tags in queues if len(tags) + len(parts) <= ROOM), None)
        if url is None:
            name = f"{self._name}-{len(queues)}"
            url = self._call(self._client.create_queue, QueueName=name)["QueueUrl"]
        self._call(self._client.tag_queue, QueueUrl=url, Tags=parts)
        return value

    def remove(self, keys: Sequence[str]) -> None:
        """Remove facts."""
        marks = {_mark(key) for key in keys}
        for url, tags in self._all():
            gone = [tag for tag in tags if tag.partition(".")[0] in marks]
            if gone:
                self._call(self._client.untag_queue, QueueUrl=url, TagKeys=gone)


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def _written(key: str, value: str) -> dict[str, str]:
    packed = zlib.compress(json.dumps([key, value]).encode(), 9)
    text = base64.urlsafe_b64encode(packed).decode()
    parts = [text[start : start + LONGEST] for start in range(0, len(text), LONGEST)]
    return {f"{_mark(key)}.{place}": part for place, part in enumerate(parts)}


def _read(tags: dict[str, str]) -> list[tuple[str, str]]:
    texts: dict[str, dict[int, str]] = {}
    for tag, part in tags.items():
        mark, _, place = tag.partition(".")
        if place.isdecimal():
            texts.setdefault(mark, {})[int(place)] = part
    facts = []
    for parts in texts.values():
        text = "".join(parts[place] for place in sorted(parts))
        try:
            key, value = json.loads(zlib.decompress(base64.urlsafe_b64decode(text)))
        except (ValueError, zlib.error):  # half written, or another's tag
            continue
        facts.append((key, value))
    return facts
