from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.exceptions import EncodeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from minibroker_client.aio import Connection

    Run = Callable[[Callable[[Connection], Awaitable[Any]]], Any]


def test_bodies_are_serialized_and_compressed_as_by_the_other_producer(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        producer = await connection.producer(routing_key="q", compression="zlib")
        await producer.publish(
            {"a": [1, 2]}, headers={"h": "x"}, priority=3, expiration=60, reply_to="r",
            correlation_id="c", message_id="m",
        )  # fmt: skip
        message = await queue.get()
        assert message is not None
        assert message.payload == {"a": [1, 2]}
        assert message.headers["h"] == "x"
        properties = message.properties
        assert properties["expiration"] == "60000"
        assert (properties["priority"], properties["delivery_mode"]) == (3, 2)
        assert (properties["reply_to"], properties["correlation_id"]) == ("r", "c")

    run(test)


def test_a_body_may_be_bytes_or_of_a_content_type(run: Run) -> None:
    async def test(connection: Connection) -> None:
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        await channel.declare_exchange("e", "fanout")
        await queue.bind("e")
        producer = await connection.producer("e", serializer="msgpack")
        await producer.publish(b"raw", serializer="raw")
        await producer.publish("<x/>", content_type="text/xml", delivery_mode=1)
        await producer.publish([1, 2])
        raw, xml, packed = [await queue.get() for _ in range(3)]
        assert raw is not None
        assert xml is not None
        assert packed is not None
        assert raw.payload == b"raw"
        assert (xml.content_type, xml.body) == ("text/xml", b"<x/>")
        assert xml.properties["delivery_mode"] == 1
        assert packed.payload == [1, 2]

    run(test)


def test_what_cannot_be_encoded_or_is_not_known_is_refused(run: Run) -> None:
    async def test(connection: Connection) -> None:
        producer = await connection.producer(routing_key="q")
        with pytest.raises(EncodeError):
            await producer.publish({1, 2})
        with pytest.raises(TypeError, match="no argument 'colour'"):
            await producer.publish("x", colour="red")

    run(test)
