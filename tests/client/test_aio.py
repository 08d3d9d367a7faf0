from __future__ import annotations

import asyncio

from minibroker import Broker
from minibroker_client import aio


def test_the_example_of_the_module_runs() -> None:
    async def main() -> list[object]:
        got: list[object] = []
        with Broker() as broker:
            async with aio.connect(broker) as connection:
                channel = await connection.channel()
                queue = await channel.declare_queue("jobs")
                producer = await connection.producer()
                await producer.publish({"hello": "world"}, routing_key="jobs")
                async for message in queue:
                    got.append(message.payload)
                    message.ack()
                    break
        return got

    assert asyncio.run(main()) == [{"hello": "world"}]
