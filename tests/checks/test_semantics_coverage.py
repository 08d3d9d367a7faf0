from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from semantics_coverage import LINES, PAGE, page, problems

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant

RULES = """
[Names]
1 = "one"
2 = "two"
2b = "two and a half"
[Access]
7 = "seven"
8 = "eight"
[later]
2 = "needs the log"
[optional]
7 = "another chapter"
"""

COVERED = """
@pytest.mark.semantics(1, "2b")
def test_a(): ...

class TestB:
    pytestmark = [pytest.mark.semantics(8)]

    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.semantics(1))])
    async def test_b(self, x): ...

    @pytest.mark.semantics(99)
    def helper(self): ...
"""


@pytest.fixture
def lines(tmp_path: Path, plant: Plant) -> Path:
    plant("tests/checks/lines.toml", RULES)
    return tmp_path / "tests/checks/lines.toml"


def write_page(root: Path, plant: Plant, lines: Path) -> None:
    plant(PAGE, page(root, lines))


def test_each_line_has_a_test_or_a_reason(tmp_path: Path, plant: Plant, lines: Path) -> None:
    plant("tests/core/test_a.py", COVERED)
    write_page(tmp_path, plant, lines)
    assert problems(tmp_path, lines) == []


def test_a_line_without_a_test_is_a_problem(tmp_path: Path, plant: Plant, lines: Path) -> None:
    plant("tests/core/test_a.py", COVERED.replace('"2b"', "1"))
    write_page(tmp_path, plant, lines)
    assert problems(tmp_path, lines) == ["lines.toml: line 2b has no test"]


def test_a_test_of_an_unknown_line_is_a_problem(tmp_path: Path, plant: Plant, lines: Path) -> None:
    plant("tests/core/test_a.py", COVERED.replace('"2b"', '"2b", 3'))
    write_page(tmp_path, plant, lines)
    assert problems(tmp_path, lines) == ["tests/core/test_a.py: there is no line 3"]


def test_a_page_that_is_missing_or_older_than_the_tests_is_a_problem(
    tmp_path: Path, plant: Plant, lines: Path
) -> None:
    stale = [f"{PAGE}: stale, write it again with `make semantics`"]
    plant("tests/core/test_a.py", COVERED)
    assert problems(tmp_path, lines) == stale
    write_page(tmp_path, plant, lines)
    plant("tests/core/test_a.py", COVERED.replace("test_a", "test_renamed"))
    assert problems(tmp_path, lines) == stale


def test_the_page_names_the_rule_the_tests_and_what_waits(
    tmp_path: Path, plant: Plant, lines: Path
) -> None:
    plant("tests/core/test_a.py", COVERED)
    text = page(tmp_path, lines)
    assert "## Names" in text
    assert "| 1 | one | `tests/core/test_a.py`: test_a, test_b |" in text
    assert "| 2 | two | later: needs the log |" in text
    assert "| 7 | seven |  |" in text


def test_a_mark_of_the_module_holds_for_all_its_tests(
    tmp_path: Path, plant: Plant, lines: Path
) -> None:
    plant("tests/core/test_a.py", "pytestmark = pytest.mark.semantics(1)\ndef test_a(): ...\n")
    assert "| 1 | one | `tests/core/test_a.py`: test_a |" in page(tmp_path, lines)


def test_the_data_file_has_each_line_of_the_broker_once(tmp_path: Path) -> None:
    text = page(tmp_path, LINES)
    numbers = [*map(str, range(24, 114)), "113b", *map(str, range(114, 118))]
    assert [number for number in numbers if f"\n| {number} | " not in text] == []
