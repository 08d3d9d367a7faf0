"""How long deliveries of a channel have been unacked, from a few notes. Times are milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.channel.timeouts import CHECKS, Timeouts
from minibroker.timers import Timers

if TYPE_CHECKING:
    from minibroker.channel import Channel
    from minibroker.queues import Entry

STEP = 10
TIMEOUT = STEP * CHECKS


@pytest.fixture
def deliveries(channel: Channel) -> dict[int, Entry]:
    """Five real deliveries by tag, 1 to 5."""
    channel.declare_queue("q")
    for _ in range(5):
        channel.publish("", "q", b"")
        channel.get("q")
    return dict(channel.unacked)


def timeout_of(entry: Entry) -> int | None:
    return TIMEOUT


class Watch:
    """Timeouts with their timers; `checked` are the times at which they were looked at."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.timeouts = Timeouts()
        self.checked: list[int] = []

    def watch(self, now: int, last_tag: int, timeout: int = TIMEOUT) -> None:
        self.timeouts.watch(self.timers, now, last_tag, timeout, self.checked.append)


@pytest.fixture
def watched() -> Watch:
    return Watch()


def test_the_first_delivery_starts_the_watch(watched: Watch) -> None:
    assert not watched.timeouts.running
    watched.watch(1000, 1)
    assert watched.timeouts.running
    assert watched.timers.next == 1000 + STEP
    watched.watch(1005, 2)
    assert watched.timers.next == 1000 + STEP
    watched.timers.run_due(1000 + STEP)
    assert watched.checked == [1000 + STEP]


def test_a_shorter_timeout_is_looked_at_more_often_and_a_longer_one_no_less(
    watched: Watch,
) -> None:
    watched.watch(1000, 1)
    watched.watch(1001, 2, TIMEOUT * 2)
    assert watched.timers.next == 1000 + STEP
    watched.watch(1002, 3, TIMEOUT // 2)
    assert watched.timers.next == 1002 + STEP // 2


def test_the_shortest_step_is_a_millisecond(watched: Watch) -> None:
    watched.watch(1000, 1, 0)
    assert watched.timers.next == 1001


def test_a_delivery_is_as_old_as_the_first_note_that_includes_it(
    watched: Watch, deliveries: dict[int, Entry]
) -> None:
    watched.watch(1000, 1)
    watched.timeouts.note(1010, 2, 1)
    watched.timeouts.note(1020, 2, 1)
    watched.timeouts.note(1030, 4, 1)

    def overdue(now: int) -> int | None:
        found = watched.timeouts.overdue(now, deliveries, timeout_of)
        if found is None:
            return None
        entry, timeout = found
        assert timeout == TIMEOUT
        return entry.tag

    assert overdue(1000 + TIMEOUT - 1) is None
    for tag, noted in ((1, 1000), (2, 1010), (3, 1030), (4, 1030)):
        assert overdue(noted + TIMEOUT - 1) is None
        assert overdue(noted + TIMEOUT) == tag
        del deliveries[tag]
    assert overdue(10_000) is None  # 5 came after the last note
    assert list(watched.timeouts.notes) == [(1000, 1), (1010, 2), (1030, 4)]


def test_deliveries_without_a_timeout_are_passed_over(
    watched: Watch, deliveries: dict[int, Entry]
) -> None:
    watched.watch(1000, 5)

    def only_the_third(entry: Entry) -> int | None:
        return TIMEOUT if entry.tag == 3 else None

    assert watched.timeouts.overdue(1000 + TIMEOUT - 1, deliveries, only_the_third) is None
    found = watched.timeouts.overdue(1000 + TIMEOUT, deliveries, only_the_third)
    assert found == (deliveries[3], TIMEOUT)


def test_notes_of_settled_deliveries_are_forgotten(watched: Watch) -> None:
    watched.watch(1000, 1)
    watched.timeouts.note(1010, 2, 1)
    watched.timeouts.note(1020, 9, 3)
    assert list(watched.timeouts.notes) == [(1020, 9)]
    assert watched.timers.next == 1020 + STEP


def test_stopping_forgets_everything(watched: Watch) -> None:
    watched.timeouts.stop()
    watched.watch(1000, 1)
    watched.timeouts.stop()
    assert not watched.timeouts.running
    assert watched.timers.next is None
    watched.watch(2000, 2, TIMEOUT * 2)
    assert watched.timers.next == 2000 + STEP * 2
