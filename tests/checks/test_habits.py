from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from habits import problems

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# noqa: E501",
        "# noqa: E501 too long",
        "#noqa: E501 -- a reason",
        "# noqa -- a reason",
        "# ruff: noqa: E501",
        "# type: ignore",
        "# type: ignore[arg-type]",
        "# type: ignore[arg-type]  # noqa: E501 -- the reason of another",
        "# type: ignore  # a reason",
        "# pyright: basic",
        "# pyright: ignore[reportCallIssue]",
        "# pragma: no cover",
    ],
)
def test_a_suppression_without_code_or_reason_is_a_problem(
    tmp_path: Path, plant: Plant, comment: str
) -> None:
    plant("minibroker/a.py", f"x = 1\ny = 2  {comment}\n")
    (problem, *_) = problems(tmp_path)
    assert problem.startswith("minibroker/a.py:2: a suppression is written `# ")


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: E501 -- a reason",
        "# noqa: PLR0913, A002 -- a reason",
        "# type: ignore[arg-type]  # a reason",
        "# type: ignore[arg-type, union-attr]  # a reason",
        "# type: ignore[arg-type]  # a reason  # noqa: E501 -- another",
        "# pyright: ignore[reportCallIssue]  # a reason",
        "# pragma: no cover -- a reason",
        "# TODO(#12): a test over sockets",
        "# a comment",
    ],
)
def test_a_suppression_with_code_and_reason_is_fine(
    tmp_path: Path, plant: Plant, comment: str
) -> None:
    plant("tests/test_a.py", f"y = 2  {comment}\n")
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    "comment", ["# TODO: later", "# TODO #12 later", "# FIXME", "# XXX(#1): no"]
)
def test_unfinished_work_names_its_issue(tmp_path: Path, plant: Plant, comment: str) -> None:
    plant("bench/a.py", f"y = 2  {comment}\n")
    assert problems(tmp_path) == ["bench/a.py:1: unfinished work is written `TODO(#issue): what`"]


def test_what_a_string_says_is_no_comment(tmp_path: Path, plant: Plant) -> None:
    plant("minibroker/a.py", 'x = "# noqa and # TODO"\n')
    assert problems(tmp_path) == []


def test_only_what_talks_to_a_terminal_prints(tmp_path: Path, plant: Plant) -> None:
    for name in ("minibroker/__main__.py", "minibroker/tour/story.py", "minibroker/cli.py"):
        plant(name, "print(1)\n")
    plant("tests/checks/a.py", "print(1)\n")
    plant("client/minibroker_client/a.py", "def f():\n    print(1)\n")
    assert problems(tmp_path) == [
        "client/minibroker_client/a.py:2: print outside the terminal's modules"
    ]
