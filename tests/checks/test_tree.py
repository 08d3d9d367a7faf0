from __future__ import annotations

from typing import TYPE_CHECKING

from tree import name_of, python_files, tree_files

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant


def test_what_tools_make_is_not_part_of_the_tree(tmp_path: Path, plant: Plant) -> None:
    for name in (
        "a.py",
        ".venv/b.py",
        ".ci/c.py",
        "x/__pycache__/d.py",
        "e.egg-info/f.py",
        "dist/g",
    ):
        plant(name)
    assert [name_of(path, tmp_path) for path in tree_files(tmp_path)] == [".ci/c.py", "a.py"]


def test_a_folder_that_does_not_exist_has_no_python_files(tmp_path: Path, plant: Plant) -> None:
    plant("minibroker/a.py")
    plant("minibroker/py.typed")
    found = python_files(tmp_path, "minibroker", "bench")
    assert [name_of(path, tmp_path) for path in found] == ["minibroker/a.py"]
