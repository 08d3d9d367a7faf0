"""Room is kept free as long as there is enough, and can be given back when there is none."""

from __future__ import annotations

import errno

import pytest

from faulty import FaultyFiles
from minibroker.store import Reserve
from minibroker.store.reserve import RESERVE_FILE


def test_the_room_is_taken_once_and_given_back() -> None:
    files = FaultyFiles()
    reserve = Reserve(files, 1000)
    assert not reserve.held
    assert reserve.hold()
    assert reserve.hold()
    assert files.list() == {RESERVE_FILE: 1000}
    assert files.history.count(f"create {RESERVE_FILE}") == 1
    reserve.release()
    assert not reserve.held
    assert files.list() == {}
    assert files.opened == []


@pytest.mark.parametrize("kind", ["create", "resize"])
def test_a_disk_without_so_much_room_keeps_none_of_it_and_says_why(kind: str) -> None:
    files = FaultyFiles()
    reserve = Reserve(files, 1000)
    files.fail(kinds={kind})
    assert not reserve.hold()
    assert not reserve.held
    assert reserve.error is not None
    assert reserve.error.errno == errno.ENOSPC
    assert files.list() == {}
    assert files.opened == []
    assert reserve.hold()


def test_a_disk_on_which_nothing_can_be_done_is_no_error_until_the_room_is_needed() -> None:
    files = FaultyFiles()
    reserve = Reserve(files, 1000)
    reserve.hold()
    files.fail(times=None)
    with pytest.raises(OSError, match="No space left"):
        reserve.release()
    assert not reserve.held
    assert not reserve.hold()
