"""The command line: its subcommands, help and exit statuses."""

from __future__ import annotations

import pytest

import minibroker
from minibroker.cli import main
from minibroker.tour import SCENES, Tour


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("usage: minibroker")


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


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--fast"], "--fast"),
        (["journey"], "journey"),
        (["log"], "COMMAND"),
        (["log", "check"], "DIR"),
        (["log", "dump", "--body-bytes", "-1", "."], "-1"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_what_is_wrong(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--help"],
            ["usage: minibroker", "  serve ", "  tour ", "  log ", "exit status:", "  2  "],
        ),
        (["--version"], [minibroker.__version__]),
        (["tour", "--help"], ["Exit status:"]),
        (["serve", "--help"], ["--port PORT", "(default: 5672)", "MINIBROKER_PORT", "SIGHUP"]),
        (["log", "--help"], ["  check ", "  dump ", "  repair "]),
        (["log", "check", "--help"], ["DIR", "Exit status:"]),
        (["log", "dump", "--help"], ["--all", "--body-bytes N", "(default: 64"]),
        (["log", "repair", "--help"], ["--dry-run"]),
    ],
)
def test_help_and_version_end_with_0(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert [word for word in words if word not in out] == []


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        (["--help"], ["serve", "tour", "log", "differential", "bridge"]),
        (["log", "--help"], ["check", "dump", "repair"]),
    ],
)
def test_each_command_has_a_line_of_the_help(
    arguments: list[str],
    commands: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(arguments)
    lines = capsys.readouterr().out.split("  COMMAND\n")[1].split("\n\n")[0].splitlines()
    # argparse puts the help of a long name into the line below it.
    assert [line.split()[0] for line in lines if line[4] != " "] == commands
