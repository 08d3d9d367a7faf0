from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from amqp_coverage import PAGE, problems
from run_all import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant


@pytest.fixture
def page() -> str:
    return (ROOT / PAGE).read_text(encoding="utf-8")


def test_the_page_of_this_tree_is_whole() -> None:
    assert problems(ROOT) == []


def test_a_tree_without_the_page_has_nothing_to_say(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


def test_a_test_that_there_is_not_is_a_problem(tmp_path: Path, plant: Plant) -> None:
    plant(PAGE, "`test_a.py::test_there` and `test_a.py::test_missing`\n")
    plant("tests/test_a.py", "def test_there() -> None: ...\n")
    assert f"{PAGE}: there is no test_a.py::test_missing" in problems(tmp_path)
    assert f"{PAGE}: there is no test_a.py::test_there" not in problems(tmp_path)


@pytest.mark.parametrize(
    ("gone", "instead", "problem"),
    [
        ("| `queue.purge` |", "| purging |", "no row for queue.purge"),
        ("delivery_tag, requeue |", "requeue |", "no delivery_tag in the row of basic.reject"),
        ("`x-max-length` |", "length |", "no row for x-max-length"),
    ],
)
def test_what_the_code_knows_and_the_page_does_not_is_a_problem(
    tmp_path: Path, plant: Plant, page: str, gone: str, instead: str, problem: str
) -> None:
    assert gone in page
    plant(PAGE, page.replace(gone, instead))
    assert f"{PAGE}: {problem}" in problems(tmp_path)


def test_a_row_without_a_proof_is_a_problem(tmp_path: Path, plant: Plant) -> None:
    plant(PAGE, "| what | proof |\n| --- | --- |\n| all | believe me |\n")
    assert f"{PAGE}: no proof: | all | believe me |" in problems(tmp_path)
