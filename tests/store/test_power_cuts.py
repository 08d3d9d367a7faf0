"""Wherever the power goes off, what was synced is there, and of the rest a beginning."""

from __future__ import annotations

import errno
from itertools import count

import pytest

from faulty import FaultyFiles, PowerCut
from log_runs import Run, check


def stopped_runs() -> list[Run]:
    """Runs that the power ended at each operation in turn."""
    runs: list[Run] = []
    for number in count():
        files = FaultyFiles()
        files.stop_at(number)
        run = Run(files)
        runs.append(run)
        if run.all():
            return runs
    raise AssertionError


def test_at_every_operation_the_power_may_go_off() -> None:
    runs = stopped_runs()
    assert len(runs) > 60
    for run in runs:
        for seed in range(12):
            check(run.files.after_power_cut(seed), run.promised, run.appended)
        check(run.files.after_power_cut(how="nothing"), run.promised, run.appended)
        check(run.files.after_power_cut(how="all"), run.written, run.appended)


def test_at_every_operation_the_process_may_be_killed_and_nothing_written_is_lost() -> None:
    for run in stopped_runs():
        check(run.files.after_kill(), run.written, run.appended)


def test_opening_may_be_interrupted_by_another_power_cut() -> None:
    for run in stopped_runs()[::3]:
        for seed in range(4):
            left = run.files.after_power_cut(seed)
            for number in count():
                again = left.after_kill()
                again.stop_at(number)
                try:
                    check(again, run.promised, run.appended)
                    break
                except PowerCut:
                    pass
                check(again.after_power_cut(seed), run.promised, run.appended)


def test_what_was_read_after_a_power_cut_is_still_there_after_the_next_one() -> None:
    for run in stopped_runs()[::2]:
        for seed in range(6):
            left = run.files.after_power_cut(seed)
            found = check(left, run.promised, run.appended)
            assert check(left.after_power_cut(how="nothing"), found, found) == found
            second = Run(left, found)
            second.all("aasaaa")
            check(left.after_power_cut(seed), second.promised, second.appended)


@pytest.mark.parametrize("steps", ["a", "aa", "aasaa", "aaaaaas", "asa"])
def test_what_is_read_after_a_kill_gets_to_the_disk_even_if_a_sync_had_dropped_it(
    steps: str,
) -> None:
    files = FaultyFiles()
    run = Run(files)
    run.all(steps)
    files.fail(kinds={"sync"}, times=None, code=errno.EIO, drops=True)
    for _ in range(3):
        with pytest.raises(OSError, match="Input/output"):
            run.all_of("as")
        restarted = files.after_kill()
        found = check(restarted, run.promised, run.appended)
        again = Run(restarted, found)
        again.all("as")
        check(restarted.after_power_cut(how="nothing"), found + 1, found + 1)
