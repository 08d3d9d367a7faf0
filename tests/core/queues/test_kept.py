"""What a queue has ready comes back after a restart as it was, what came back first in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker import Message, Properties
from minibroker.queues import Queue
from minibroker.queues.entry import Entry, KeptEntry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from minibroker import Broker, ManualClock
    from minibroker.fields import FieldValue
    from minibroker.queues.paged import Piece

Make = "Callable[..., Queue]"


@pytest.fixture
def make(make_broker: Callable[..., Broker], tmp_path: Path) -> Callable[..., Queue]:
    """Makes an empty durable queue with these arguments."""
    broker = make_broker(data=tmp_path)

    def made(**arguments: FieldValue) -> Queue:
        named = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
        broker.connect().channel().declare_queue("q", durable=True, arguments=named)
        queue = broker.vhosts["/"].queues["q"]
        assert isinstance(queue, Queue)
        return queue

    return made


def entry(queue: Queue, seq: int, priority: int | None = None) -> Entry:
    return Entry(queue, Message("", "q", Properties(priority=priority), b"%d" % seq), seq)


def taken(queue: Queue) -> list[int]:
    found = []
    while (head := queue.get()) is not None:
        found.append(head.seq)
    return found


def test_what_came_back_goes_out_first_and_new_ones_go_on_counting(
    make: Callable[..., Queue],
) -> None:
    queue = make()
    back = KeptEntry(queue, Message("", "q", Properties(), b"3"), 3, redelivered=True)
    pieces: list[Piece] = [entry(queue, 4), entry(queue, 7)]
    queue.restore({0: pieces}, [back], 9, expiring=False)
    queue.push(Message("", "q", Properties(), b"new"))
    queue._check()
    assert queue.message_count == 4
    assert taken(queue) == [3, 4, 7, 10]


def test_levels_come_back_apart_and_empty_ones_not_at_all(make: Callable[..., Queue]) -> None:
    queue = make(max_priority=5)
    levels: dict[int, list[Piece]] = {
        0: [entry(queue, 1)],
        3: [],
        5: [entry(queue, 2, 5), entry(queue, 3, 9)],
    }
    queue.restore(levels, [], 3, expiring=False)
    queue._check()
    assert taken(queue) == [2, 3, 1]


def test_bodies_are_weighed_again_where_a_limit_on_them_applies(
    make: Callable[..., Queue],
) -> None:
    queue = make(max_length_bytes=100)
    queue.restore({0: [entry(queue, 1), entry(queue, 22)]}, [], 22, expiring=False)
    assert queue.ready_bytes == 3
    queue._check()


def test_an_expiry_is_watched_again(make: Callable[..., Queue], clock: ManualClock) -> None:
    queue = make()
    due = KeptEntry(queue, Message("", "q", Properties(), b"x"), 1, clock.now() + 1000, True)
    queue.restore({}, [due], 1, expiring=False)
    queue._check()
    clock.advance("1s")
    assert queue.message_count == 0
