"""Routing keys and MQTT's topics. Knows no connection.

A dot and a slash change places, which is its own reverse: the topic `a/b.c/d` is the key `a.b/c.d`.
Source: MQTT 5 section 4.7 (topic names and topic filters).
"""

from __future__ import annotations

__all__ = ["filter_of", "key_of", "topic_of"]

_SWAPPED = str.maketrans("./", "/.")
LONGEST = 65535
"""Bytes of a topic in UTF-8."""
SHARED = "$share/"


def topic_of(key: str, prefix: str = "") -> str:
    """The topic of a routing key, below a prefix. `ValueError` for what is no topic."""
    topic = key.translate(_SWAPPED)
    if prefix:
        topic = f"{prefix}/{topic}" if topic else prefix
    _check(topic, f"routing key {key!r}")
    for sign in "+#":
        if sign in topic:
            raise ValueError(f"routing key {key!r}: a topic of MQTT cannot have {sign!r}")
    return topic


def key_of(topic: str, prefix: str = "") -> str:
    """The routing key of a topic. One that is not below the prefix is taken as a whole."""
    if prefix and topic == prefix:
        return ""
    return topic.removeprefix(f"{prefix}/" if prefix else "").translate(_SWAPPED)


def filter_of(queue: str, prefix: str = "") -> str:
    """The topic filter that a link calls its queue, below a prefix. `ValueError` for a wrong one.

    `$share/…` is refused: what a group's member holds when it dies is stranded there, or lost.
    """
    if queue.startswith(SHARED):
        raise ValueError(f"topic filter {queue!r}: a shared subscription can lose messages")
    topic_filter = f"{prefix}/{queue}" if prefix else queue
    _check(topic_filter, f"topic filter {queue!r}")
    levels = topic_filter.split("/")
    for number, level in enumerate(levels, 1):
        if level == "#" and number < len(levels):
            raise ValueError(f"topic filter {queue!r}: '#' is not its last level")
        if level not in {"+", "#"} and ("+" in level or "#" in level):
            raise ValueError(f"topic filter {queue!r}: {level!r} is not a level, '+' and '#' are")
    return topic_filter


def _check(topic: str, what: str) -> None:
    if not topic:
        raise ValueError(f"{what}: a topic of MQTT cannot be empty")
    if "\0" in topic:
        raise ValueError(f"{what}: a topic of MQTT cannot have a null character")
    if len(topic.encode()) > LONGEST:
        raise ValueError(f"{what[:80]}…: a topic of MQTT has at most {LONGEST} bytes")
