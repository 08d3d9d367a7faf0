"""`python -m minibroker`: its exit status and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import minibroker
from minibroker.__main__ import main
from minibroker.tour import SCENES, Tour

PACKAGES = [Path(minibroker.__file__).parents[1], Path(minibroker.__file__).parents[1] / "client"]


def test_the_tour_is_printed_and_the_status_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tour"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"MiniBroker {minibroker.__version__} ")
    assert out.endswith("Everything happened as told.\n")


def test_the_status_is_1_when_something_is_not_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(tour: Tour) -> None:
        tour.show("one", 1, 2)

    monkeypatch.setitem(SCENES, "wrong", wrong)
    assert main(["tour"]) == 1


def test_unknown_arguments_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--fast"])
    assert ended.value.code == 2
    assert "--fast" in capsys.readouterr().err


def test_it_runs_as_a_module_and_bears_a_reader_that_leaves() -> None:
    path = os.pathsep.join([*map(str, PACKAGES), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "minibroker", "tour"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=30) == 1
