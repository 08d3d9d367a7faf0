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


# Files that may be longer, and why.
LONG = {"minibroker/wire/amqp/spec.py": "a table: one record for each method of AMQP"}

# "file: name" of what may be larger, and why.
EXEMPT = {
    "client/minibroker_client/consumer.py: Consumer": "Kombu's methods",
    "client/minibroker_client/producer.py: Producer": "Kombu's methods",
    "client/minibroker_client/queue.py: Queue": "Kombu's methods",
    "client/minibroker_client/transport/base.py: TransportChannel": "AMQP's methods, no bodies",
}

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def problems(root: Path) -> list[str]:
    """What is too large, and the modules without a docstring."""
    found: list[str] = []
    for path in python_files(root, *CODE):
        name = name_of(path, root)
        module = parsed(path)
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_FILE_LINES and name not in LONG:
            found.append(f"{name}: {lines} lines, at most {MAX_FILE_LINES}")
        is_test = path.name.startswith(("test_", "conftest"))
        if ast.get_docstring(module) is None and not is_test:
            found.append(f"{name}: no module docstring")
        found += [
            f"{name}:{line}: {what}: {size}"
            for line, what, size in _too_large(module, counts_methods=not name.startswith("tests/"))
            if f"{name}: {what}" not in EXEMPT
        ]
    return found


def _too_large(module: ast.Module, *, counts_methods: bool) -> Iterator[tuple[int, str, str]]:
    """The line, the name and the size of each function and class over its limit.

    A state machine of the tests has a method for each step, so that methods do not count there.
    """
    for node in ast.walk(module):
        if isinstance(node, Function):
            length = _length(node)
            if length > MAX_FUNCTION_LINES:
                yield node.lineno, node.name, f"{length} lines, at most {MAX_FUNCTION_LINES}"
        elif counts_methods and isinstance(node, ast.ClassDef):
            # By name: the overloads of a method and the setter of a property are the same method.
            methods = {each.name for each in node.body if isinstance(each, Function)}
            if len(methods) > MAX_METHODS:
                yield node.lineno, node.name, f"{len(methods)} methods, at most {MAX_METHODS}"


def _length(function: Function) -> int:
    """Its lines from `def` to the end, without the docstring: a contract may be long."""
    first = function.body[0]
    docstring = 0
    if ast.get_docstring(function, clean=False) is not None:
        docstring = (first.end_lineno or first.lineno) - first.lineno + 1
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring
