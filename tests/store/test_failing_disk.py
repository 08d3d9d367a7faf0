"""A disk that fails, once or for ever, loses nothing that was promised, and nothing is doubled."""

from __future__ import annotations

import errno
from itertools import count
from typing import Any

import pytest

from faulty import FaultyFiles
from log_runs import Run, check
from small_logs import body, create, fill, open_log, read_all

STEPS = "aas aaaas ar aaas s aaaaaa s ra as"
FAULTS: dict[str, dict[str, Any]] = {
    "full once": {},
    "full for three": {"times": 3},
    "full for ever": {"times": None},
    "full after a part of a write": {"part": 50},
    "a broken sync that drops what it had": {
        "kinds": {"sync"},
        "code": errno.EIO,
        "drops": True,
    },
    "two broken syncs": {"kinds": {"sync"}, "code": errno.EIO, "drops": True, "times": 2},
    "a directory that is not synced": {"kinds": {"create", "delete", "rename"}, "done": True},
    "no new files": {"kinds": {"create"}, "times": 4},
    "no more room": {"kinds": {"resize"}, "times": None},
    "writes that fail and syncs that drop": {
        "kinds": {"write", "sync"},
        "times": 5,
        "part": 20,
        "drops": True,
    },
}


def failed_run(fault: dict[str, Any], number: int) -> Run:
    """Go on after each error as a broker does, and see what would be left at any time."""
    files = FaultyFiles()
    run = Run(files)
    run.open()
    files.fail(at=number, **fault)
    for place, step in enumerate(STEPS.replace(" ", "")):
        try:
            run.step(step)
        except OSError:
            assert run.log is not None
            run.log._check()
            assert run.log.broken
        check(files.after_power_cut(place), run.promised, run.appended)
    return run


@pytest.mark.parametrize("name", FAULTS)
def test_what_was_synced_is_there_whatever_fails_and_a_later_sync_writes_the_rest(
    name: str,
) -> None:
    for number in count():
        run = failed_run(FAULTS[name], number)
        (left,) = run.files._faults
        failed = left.hit
        check(run.files.after_kill(), run.promised, run.appended)
        run.files.heal()
        run.step("s")
        assert run.promised == run.appended
        check(run.files.after_power_cut(number, "nothing"), run.appended, run.appended)
        check(run.files.after_kill(), run.appended, run.appended)
        if not failed:
            assert number > 4
            return


# -- one thing at a time


def test_a_segment_of_which_nothing_is_certain_is_written_anew() -> None:
    files, log = create()
    positions = fill(log, 10, 20)
    files.fail(kinds={"sync"}, times=2, code=errno.EIO, drops=True)
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            log.sync()
    log.sync()
    assert len(log.segments) == len(files.list()) == 1
    assert read_all(log, positions) == [body(0, 10), body(1, 20)]
    assert len(open_log(files.after_power_cut(how="nothing")).found) == 2


def test_what_is_given_up_does_not_come_back_when_the_next_segment_is_gone() -> None:
    files, log = create()
    kept = fill(log, 10)
    log.sync()
    log.account(kept[0], 1, 10)
    fill(log, 20)
    files.fail(kinds={"sync"}, code=errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        log.sync()
    log.sync()
    log.roll()
    since = log.end
    fill(log, 30)
    log.sync()
    (dead,) = log.take_dead(since, [])
    files.delete(dead.name)
    for left in (files.after_kill(), files.after_power_cut(how="nothing")):
        assert open_log(left, since).payloads == [body(0, 30)]


def test_a_file_that_cannot_be_cut_or_closed_does_not_matter() -> None:
    files, log = create()
    fill(log, 10)
    log.sync()
    files.fail(kinds={"write"}, part=30)
    with pytest.raises(OSError, match="No space"):
        fill(log, 20)
    files.fail(kinds={"resize"})
    log.sync()
    assert open_log(files.after_kill()).payloads == [body(0, 10), body(0, 20)]
