"""Small and flat: the limits of docs/style.md on files, functions and classes.

Complexity and the number of parameters are limited by the linter (pyproject.toml).
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeAlias

from tree import CODE, name_of, parsed, python_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["problems"]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_METHODS = 20


Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def problems(root: Path) -> list[str]:
    """What is too long, and the modules without a docstring."""
    found: list[str] = []
    for path in python_files(root, *CODE):
        name = name_of(path, root)
        module = parsed(path)
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_FILE_LINES:
            found.append(f"{name}: {lines} lines, at most {MAX_FILE_LINES}")
        is_test = path.name.startswith(("test_", "conftest"))
        if ast.get_docstring(module) is None and not is_test:
            found.append(f"{name}: no module docstring")
        found += [f"{name}:{problem}" for problem in _in_module(module)]
    return found


def _in_module(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, Function):
            length = _length(node)
            if length > MAX_FUNCTION_LINES:
                yield f"{node.lineno}: {node.name}: {length} lines, at most {MAX_FUNCTION_LINES}"
        elif isinstance(node, ast.ClassDef):
            # By name: the overloads of a method and the setter of a property are the same method.
            methods = {each.name for each in node.body if isinstance(each, Function)}
            if len(methods) > MAX_METHODS:
                yield f"{node.lineno}: {node.name}: {len(methods)} methods, at most {MAX_METHODS}"


def _length(function: Function) -> int:
    """Its lines from `def` to the end, without the docstring: a contract may be long."""
    first = function.body[0]
    docstring = 0
    if ast.get_docstring(function, clean=False) is not None:
        docstring = (first.end_lineno or first.lineno) - first.lineno + 1
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring
