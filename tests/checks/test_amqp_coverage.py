from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from amqp_coverage import PAGE, SOURCES, problems
from run_all import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant


@pytest.fixture
def page() -> str:
    return (ROOT / PAGE).read_text(encoding="utf-8")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The code that the page is about, without the page and without tests."""
    for name in SOURCES:
        source, copy = ROOT / name, tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    return tmp_path


def test_the_page_of_this_tree_is_whole() -> None:
    assert problems(ROOT) == []


def test_a_tree_without_the_page_lacks_it(tree: Path) -> None:
    assert problems(tree) == [f"{PAGE}: there is no such page"]


def test_a_test_that_there_is_not_is_a_problem(tree: Path, plant: Plant) -> None:
    names = (
        "tests/a/test_a.py::test_there",
        "tests/a/test_a.py::test_missing",
        "test_a.py::test_there",
    )
    plant(PAGE, "".join(f"`{name}`\n" for name in names))
    plant("tests/a/test_a.py", "class TestA:\n    async def test_there(self) -> None: ...\n")
    found = problems(tree)
    assert f"{PAGE}: there is no {names[0]}" not in found
    assert f"{PAGE}: there is no {names[1]}" in found
    assert f"{PAGE}: there is no {names[2]}" in found


@pytest.mark.parametrize(
    ("gone", "instead", "problem"),
    [
        ("| `queue.purge` |", "| purging |", "no row for the method queue.purge"),
        ("| `basic.get-empty` |", "| none |", "no row for the method basic.get-empty"),
        ("`prefetch_count`", "count", "no prefetch_count in the row of basic.qos"),
        ("`global`", "all", "no global in the row of basic.qos"),
        ("| `x-max-length` |", "| length |", "no row for x-max-length in Arguments"),
        ("| `x-stream-filter` |", "| filter |", "no row for x-stream-filter in Arguments"),
        ("| `x-name-prefix` |", "| `x-prefix` |", "x-prefix is no argument"),
        ("| `x-match` |", "| match |", "no row for x-match in Arguments"),
        ("| `app_id` |", "| id |", "no row for app_id in Properties and headers"),
        ("| `basic.nack` | yes", "| nack | yes", "no row for basic.nack in Capabilities"),
        ("| `541` |", "| 514 |", "no row for 541 in Reply codes"),
    ],
)
def test_what_the_code_knows_and_the_page_does_not_is_a_problem(
    tree: Path, plant: Plant, page: str, gone: str, instead: str, problem: str
) -> None:
    assert gone in page
    plant(PAGE, page)
    assert f"{PAGE}: {problem}" not in problems(tree)
    plant(PAGE, page.replace(gone, instead))
    assert f"{PAGE}: {problem}" in problems(tree)


def test_a_row_without_a_proof_is_a_problem(tree: Path, plant: Plant) -> None:
    plant(PAGE, "| what | proof |\n| --- | --- |\n| all | believe me |\n")
    assert f"{PAGE}: no proof: | all | believe me |" in problems(tree)
