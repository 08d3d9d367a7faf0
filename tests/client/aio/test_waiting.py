from __future__ import annotations

import asyncio
from typing import Any

import pytest

from minibroker_client.aio.waiting import Answer, drive, resolve
from minibroker_client.protocol.pending import Pending


def test_an_answer_is_awaited_or_there_already() -> None:
    async def main() -> None:
        pending = Pending("queue.declare")
        task = asyncio.ensure_future(resolve(Answer(pending)))
        await asyncio.sleep(0)
        pending.succeed(5)
        assert await task == 5
        assert await Answer(pending) == 5
        assert await resolve(7) == 7

    asyncio.run(main())


def test_an_answer_that_does_not_come_in_time() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError, match=r"queue.declare: no answer within 0.01 seconds"):
            await Answer(Pending("queue.declare"), 0.01)

    asyncio.run(main())


def test_who_stops_waiting_does_not_disturb_the_answer() -> None:
    async def main() -> None:
        pending = Pending("queue.declare")
        task = asyncio.ensure_future(resolve(Answer(pending)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        pending.succeed(1)
        assert pending.result() == 1

    asyncio.run(main())


def test_steps_are_driven_with_results_and_errors() -> None:
    seen: list[Any] = []

    async def double(value: int) -> int:
        return 2 * value

    def steps() -> Any:
        seen.append((yield double, (4,), {}))
        try:
            yield int, ("x",), {}
        except ValueError:
            seen.append("refused")

    asyncio.run(drive(steps()))
    assert seen == [8, "refused"]
