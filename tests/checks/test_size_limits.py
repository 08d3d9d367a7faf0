from __future__ import annotations

from typing import TYPE_CHECKING

from size_limits import EXEMPT, problems

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant

DOCSTRING = '"""A module."""\n'


def test_a_file_of_401_lines_is_too_long_and_one_of_400_is_not(
    tmp_path: Path, plant: Plant
) -> None:
    plant("minibroker/a.py", DOCSTRING + "\n" * 399)
    plant("minibroker/b.py", DOCSTRING + "\n" * 400)
    assert problems(tmp_path) == ["minibroker/b.py: 401 lines, at most 400"]


def test_a_function_of_41_lines_is_too_long_and_its_docstring_does_not_count(
    tmp_path: Path, plant: Plant
) -> None:
    contract = '    """One.\n\n    Three.\n    """\n'
    plant("bench/a.py", DOCSTRING + "def f():\n" + contract + "    pass\n" * 39)
    plant("bench/b.py", DOCSTRING + "async def g():\n" + "    pass\n" * 40)
    assert problems(tmp_path) == ["bench/b.py:2: g: 41 lines, at most 40"]


def test_a_class_of_21_methods_is_too_large_counted_by_name(tmp_path: Path, plant: Plant) -> None:
    methods = [f"    def m{number}(self): ...\n" for number in range(20)]
    plant("client/a.py", DOCSTRING + "class A:\n" + "".join([*methods, methods[0]]))
    plant("client/b.py", DOCSTRING + "class B:\n" + "".join(methods) + "    def more(self): ...\n")
    assert problems(tmp_path) == ["client/b.py:2: B: 21 methods, at most 20"]


def test_what_is_listed_with_a_reason_may_be_larger(tmp_path: Path, plant: Plant) -> None:
    file, name = next(iter(EXEMPT)).split(": ")
    methods = "".join(f"    def m{number}(self): ...\n" for number in range(30))
    plant(file, DOCSTRING + f"class {name}:\n" + methods + "class Other:\n" + methods)
    assert problems(tmp_path) == [f"{file}:33: Other: 30 methods, at most 20"]


def test_a_class_of_the_tests_may_have_more_methods(tmp_path: Path, plant: Plant) -> None:
    methods = "".join(f"    def m{number}(self): ...\n" for number in range(30))
    plant("tests/core/test_a.py", "class Machine:\n" + methods)
    assert problems(tmp_path) == []


def test_a_module_needs_a_docstring_and_a_test_module_does_not(
    tmp_path: Path, plant: Plant
) -> None:
    plant("minibroker/a.py", "x = 1\n")
    plant("tests/test_a.py", "x = 1\n")
    assert problems(tmp_path) == ["minibroker/a.py: no module docstring"]
