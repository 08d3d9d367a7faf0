"""Every library: properties, headers of every kind and bodies of any size come back unchanged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..servers import AmqpServer
    from .conftest import Connect

Name = Callable[[str], str]

FRAME = 131072 - 8  # what fits into one body frame

PROPERTIES = {
    "content_type": "text/plain",
    "content_encoding": "utf-8",
    "delivery_mode": 2,
    "priority": 7,
    "correlation_id": "correlation",
    "reply_to": "reply",
    "expiration": "600000",
    "message_id": "id",
    "timestamp": 1_700_000_000,
    "type": "type",
    "user_id": "guest",
    "app_id": "app",
}

HEADERS: dict[str, Any] = {
    "text": "naïve €",
    "empty": "",
    "bytes": b"\x00\xff",
    "yes": True,
    "no": False,
    "zero": 0,
    "byte": -100,
    "short": 30_000,
    "int": -2_000_000_000,
    "long": 2**62,
    "float": 0.15625,  # some libraries send four bytes
    "decimal": Decimal("12.34"),
    "time": datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
    "none": None,
    "list": ["a", 1, [True, None], {"b": 2}],
    "table": {"c": {"d": ["e"]}, "f": {}},
}


def plain(value: Any) -> Any:
    """Without the differences that are the library's own: bytes read as text, times without a
    zone.
    """
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return (type(value) in {bool, type(None)}, value)


def test_every_property_comes_back(connect: Connect, amqp_server: AmqpServer, name: Name) -> None:
    channel = connect(amqp_server.url).channel()
    queue = channel.declare_queue(name("queue"), exclusive=True).name
    channel.publish("", queue, b"", PROPERTIES)
    message = channel.get(queue)
    assert message is not None
    kept = {key: value for key, value in message.properties.items() if key in PROPERTIES}
    assert kept == PROPERTIES


def test_headers_of_every_kind_come_back(
    connect: Connect, amqp_server: AmqpServer, name: Name
) -> None:
    channel = connect(amqp_server.url).channel()
    queue = channel.declare_queue(name("queue"), exclusive=True).name
    sent = {key: value for key, value in HEADERS.items() if f"header {key}" not in channel.lacks}
    channel.publish("", queue, b"", {"headers": sent})
    message = channel.get(queue)
    assert message is not None
    assert plain(message.headers) == plain(sent)


@pytest.mark.parametrize(
    "sizes",
    [(0, 1, 2), (FRAME - 1, FRAME, FRAME + 1, 2 * FRAME), (1024 * 1024,), (10 * 1024 * 1024,)],
    ids=["small", "frame", "1 MiB", "10 MiB"],
)
def test_bodies_of_any_size_come_back(
    connect: Connect, amqp_server: AmqpServer, name: Name, sizes: tuple[int, ...]
) -> None:
    channel = connect(amqp_server.url).channel()
    queue = channel.declare_queue(name("queue"), exclusive=True).name
    pattern = bytes(range(256))
    for size in sizes:
        channel.publish("", queue, (pattern * (size // 256 + 1))[:size])
    for size in sizes:
        message = channel.get(queue)
        assert message is not None
        assert len(message.body) == size
        assert message.body == (pattern * (size // 256 + 1))[:size]
        channel.ack(message.tag)
