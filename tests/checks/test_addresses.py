from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from addresses import problems

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant

# In parts, or this file would be found.
HOME = "/ho" + "me/"
SCHEME = "https:" + "//"


@pytest.mark.parametrize(
    "text", [f"see {HOME}ann/x", f'"{HOME}ann"', f"PATH={HOME}x", "`/ro" + "ot/.x`"]
)
def test_a_path_of_one_machine_is_a_problem(tmp_path: Path, plant: Plant, text: str) -> None:
    plant("docs/a.md", f"first\n{text}\n")
    (problem,) = problems(tmp_path)
    assert problem.startswith("docs/a.md:2: a path of one machine: /")


@pytest.mark.parametrize(
    "text", [f"client{HOME}x", f"~{HOME}x", f"$ROOT{HOME}x", '"/ho' + 'me"', "/ro" + "ot"]
)
def test_a_path_below_something_is_not(tmp_path: Path, plant: Plant, text: str) -> None:
    plant("docs/a.md", text)
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    "option", ["--index" + "-url x", "--extra-index" + "-url=x", "--find" + "-links y"]
)
def test_a_package_index_is_a_problem(tmp_path: Path, plant: Plant, option: str) -> None:
    plant("Makefile", f"pip install {option}\n")
    (problem,) = problems(tmp_path)
    assert problem.startswith("Makefile:1: a package index")


def test_an_address_leads_to_a_listed_host(tmp_path: Path, plant: Plant) -> None:
    plant("docs/a.md", f"<{SCHEME}www.rabbitmq.com/docs> {SCHEME}elsewhere.net/x\n")
    assert problems(tmp_path) == ["docs/a.md:1: elsewhere.net is not in the list of hosts"]


def test_files_that_are_not_text_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\xff\xfe")
    assert problems(tmp_path) == []


def test_a_binary_file_without_a_suffix_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / ".coverage").write_bytes(bytes(range(256)))
    assert problems(tmp_path) == []
