"""The files of the source tree, for the checks. Knows nothing of what is checked.

A check is a module with `problems(root)`, which returns one line of text per problem, each starting
with the path it is about. All of them run on the tree with `python tests/checks/run_all.py`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["CODE", "PACKAGES", "name_of", "parsed", "python_files", "tree_files"]

PACKAGES = ("minibroker", "client/minibroker_client")
CODE = ("minibroker", "client", "tests", "bench", ".ci")

_MADE = {"__pycache__", "build", "dist", "htmlcov"}


def _is_made(directory: Path) -> bool:
    """Whether a directory is a tool's work, not part of the tree: .venv, caches and the like."""
    name = directory.name
    return name in _MADE or (name.startswith(".") and name != ".ci") or name.endswith(".egg-info")


def tree_files(directory: Path) -> Iterator[Path]:
    """All files below `directory` that are part of the tree, in a stable order."""
    for path in sorted(directory.iterdir()):
        if path.is_dir():
            if not _is_made(path):
                yield from tree_files(path)
        else:
            yield path


def python_files(root: Path, *folders: str) -> Iterator[Path]:
    """The Python files of these folders of the tree; a folder that does not exist has none."""
    for folder in folders:
        if (root / folder).is_dir():
            yield from (path for path in tree_files(root / folder) if path.suffix == ".py")


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a Python file. Raises SyntaxError."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path, root: Path) -> str:
    """The path as problems show it: from the root of the tree, with slashes."""
    return path.relative_to(root).as_posix()
