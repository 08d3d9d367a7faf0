"""`minibroker log`: what it prints, its exit statuses, and what it leaves in the directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import minibroker
from minibroker.cli import main

from ..inspection.logs import contents_of, counted, damaged, opened, sparse_of

PACKAGES = [Path(minibroker.__file__).parents[1], Path(minibroker.__file__).parents[1] / "client"]
Contents = dict[str, bytes]
MakeLog = Callable[[Contents], Path]
Capture = pytest.CaptureFixture[str]
COMMANDS = pytest.mark.parametrize("command", ["check", "dump", "repair"])


def test_a_whole_log_is_checked_with_0(whole: Contents, make_log: MakeLog, capsys: Capture) -> None:
    path = make_log(whole)
    assert main(["log", "check", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"{path} is whole"
    assert lines[0].startswith("segments: ")
    assert contents_of(path) == whole


def test_a_damaged_log_is_checked_with_1_and_stays_as_it_is(
    whole: Contents, make_log: MakeLog, capsys: Capture
) -> None:
    contents = damaged(whole, sparse_of(whole), 100)
    path = make_log(contents)
    assert main(["log", "check", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{sparse_of(whole)}, offset 56: the record is damaged"
    assert lines[-1] == f"{path} is damaged"
    assert contents_of(path) == contents


def test_a_dump_is_one_json_object_in_a_line(
    running: Contents, make_log: MakeLog, capsys: Capture
) -> None:
    assert main(["log", "dump", "--body-bytes", "6", str(make_log(running))]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["size"] for each in shown if each["kind"] == "message"} == {100}
    assert len(shown) > 40


def test_a_dump_of_a_damaged_log_ends_with_1(
    whole: Contents, make_log: MakeLog, capsys: Capture
) -> None:
    path = make_log(damaged(whole, sparse_of(whole), 100))
    assert main(["log", "dump", str(path)]) == 0  # the damage lies before the checkpoint
    assert main(["log", "dump", "--all", str(path)]) == 1
    assert '"damaged": "the record is damaged"' in capsys.readouterr().out


def test_a_damaged_log_is_repaired_and_a_broker_opens_it(
    whole: Contents, make_log: MakeLog, capsys: Capture
) -> None:
    contents = damaged(whole, sparse_of(whole), len(whole[sparse_of(whole)]) - 30)
    path = make_log(contents)
    assert main(["log", "repair", str(path)]) == 0
    out = capsys.readouterr().out
    (removed,) = path.glob("removed-*")
    assert out.splitlines()[-1] == f"{path} is whole now; the log as it was is in {removed}"
    assert contents_of(removed) == contents
    assert (removed / "report.txt").read_text() == out[: out.rindex(str(path) + " is")]
    assert main(["log", "check", str(path)]) == 0
    assert counted(path)["jobs"] > 0
    assert main(["log", "check", str(removed)]) == 1


def test_a_whole_log_needs_no_repair(whole: Contents, make_log: MakeLog, capsys: Capture) -> None:
    path = make_log(whole)
    assert main(["log", "repair", str(path)]) == 0
    assert capsys.readouterr().out == f"{path} is whole: nothing to do\n"
    assert contents_of(path) == whole
    assert not list(path.glob("removed-*"))


def test_a_dry_run_changes_nothing(whole: Contents, make_log: MakeLog, capsys: Capture) -> None:
    contents = damaged(whole, sparse_of(whole), 100)
    path = make_log(contents)
    assert main(["log", "repair", "--dry-run", str(path)]) == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert contents_of(path) == contents
    assert not list(path.glob("removed-*"))


@COMMANDS
def test_a_directory_that_is_not_there_ends_with_2_and_is_not_made(
    command: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "nothing"
    assert main(["log", command, str(path)]) == 2
    assert capsys.readouterr().err == f"minibroker: {path} is not there\n"
    assert not path.exists()


@COMMANDS
def test_a_directory_without_a_log_ends_with_2_and_gets_no_lock(
    command: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["log", command, str(tmp_path)]) == 2
    assert "is not the directory of a log" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


@COMMANDS
def test_a_log_that_a_broker_has_open_ends_with_2_and_names_the_process(
    command: str, tmp_path: Path, capsys: Capture
) -> None:
    with opened(tmp_path):
        assert main(["log", command, str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"minibroker: {tmp_path} is open in this process ({os.getpid()})\n"
    )


@COMMANDS
def test_a_newer_version_ends_with_2(
    command: str,
    whole: Contents,
    make_log: MakeLog,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = make_log(whole)
    monkeypatch.setattr("minibroker.journal.checkpoint.VERSION", 0)
    assert main(["log", command, str(path)]) == 2
    assert "has format 2, known is up to 0" in capsys.readouterr().err


def test_a_file_in_place_of_a_directory_ends_with_2(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    assert main(["log", "check", str(path)]) == 2
    assert capsys.readouterr().err == f"minibroker: {path} is no directory\n"


def test_a_repair_that_cannot_write_ends_with_1(
    whole: Contents, make_log: MakeLog, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = damaged(whole, sparse_of(whole), 100)
    path = make_log(contents)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("minibroker.store.filesystem.DiskFile.write", full)
    assert main(["log", "repair", str(path)]) == 1
    assert "could not be repaired: [Errno 28]" in capsys.readouterr().err
    assert contents.items() <= contents_of(path).items()


def test_it_runs_as_a_process(whole: Contents, make_log: MakeLog) -> None:
    path = os.pathsep.join([*map(str, PACKAGES), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "minibroker", "log", "check", str(make_log(whole))],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("is whole\n")
