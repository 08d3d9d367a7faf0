"""Which tests prove which numbered line of the broker's behaviour: docs/semantics-coverage.md.

The lines are in semantics_lines.toml, the tests carry `@pytest.mark.semantics(number, ...)`.
`python tests/checks/semantics_coverage.py --write` writes the page; the check fails when it is
stale, when a line has neither a test nor a reason to wait, and when a test names an unknown line.
Reads the tests as text: a test that cannot be imported counts too.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from tree import name_of, parsed, python_files

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["page", "problems"]

PAGE = "docs/semantics-coverage.md"
LINES = Path(__file__).with_name("semantics_lines.toml")

INTRODUCTION = """\
# Semantics coverage

What a client must see, line by line, and the tests that prove it. A number is the argument of
`@pytest.mark.semantics(...)`; the rules are short reminders, the tests say exactly what holds.
This page is made by `make semantics` from the tests and `tests/checks/semantics_lines.toml`.
"""

Lines = dict[str, dict[str, str]]
Tests = dict[str, dict[str, list[str]]]


def problems(root: Path, lines: Path = LINES) -> list[str]:
    """Lines without a test, tests of unknown lines, and whether the page must be written again."""
    data = _read(lines)
    tests = _tests(root)
    known = {number for section in data.values() for number in section}
    waiting = data.get("later", {})
    optional = data.get("optional", {})
    found = [
        f"{next(iter(tests[number]))}: there is no line {number}"
        for number in sorted(tests.keys() - known)
    ]
    found += [
        f"{lines.name}: line {number} has no test"
        for _, section in _sections(data)
        for number in section
        if number not in tests and number not in waiting and number not in optional
    ]
    written = root / PAGE
    if not written.is_file() or written.read_text(encoding="utf-8") != page(root, lines):
        found.append(f"{PAGE}: stale, write it again with `make semantics`")
    return found


def page(root: Path, lines: Path = LINES) -> str:
    """The text of the page as it must be."""
    data = _read(lines)
    tests = _tests(root)
    waiting = data.get("later", {})
    parts = [INTRODUCTION]
    for title, section in _sections(data):
        parts.append(f"\n## {title}\n\n| line | rule | tests |\n| --- | --- | --- |\n")
        for number, rule in section.items():
            cells = [
                f"`{file}`: {', '.join(names)}" for file, names in tests.get(number, {}).items()
            ]
            if number in waiting:
                cells.append(f"later: {waiting[number]}")
            parts.append(f"| {number} | {rule} | {'<br>'.join(cells)} |\n")
    return "".join(parts)


def _read(lines: Path) -> Lines:
    with lines.open("rb") as file:
        data: Lines = tomllib.load(file)
    return data


def _sections(data: Lines) -> Iterator[tuple[str, dict[str, str]]]:
    return (
        (title, section) for title, section in data.items() if title not in ("later", "optional")
    )


def _tests(root: Path) -> Tests:
    """Per line, per test module, the names of the tests."""
    found: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for path in python_files(root, "tests"):
        if not path.name.startswith("test_"):
            continue
        for name, number in _marked(parsed(path), inherited=()):
            names = found[number].setdefault(name_of(path, root), [])
            if name not in names:
                names.append(name)
    return dict(found)


def _marked(
    scope: ast.Module | ast.ClassDef, inherited: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """The names of the tests of a module or class, with each number that they or it carry."""
    for node in scope.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            inherited = (*inherited, *_numbers(node.value))
    for node in scope.body:
        if isinstance(node, ast.ClassDef):
            own = [number for decorator in node.decorator_list for number in _numbers(decorator)]
            yield from _marked(node, (*inherited, *own))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test"
        ):
            own = [number for decorator in node.decorator_list for number in _numbers(decorator)]
            yield from ((node.name, number) for number in (*inherited, *own))


def _numbers(expression: ast.expr) -> Iterator[str]:
    """The arguments of each `pytest.mark.semantics(...)` in an expression, however deep."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.semantics":
            yield from (str(ast.literal_eval(argument)) for argument in node.args)


def main(arguments: list[str]) -> int:
    """Write the page, or say what is wrong with it."""
    root = Path(__file__).resolve().parents[2]
    if arguments == ["--write"]:
        (root / PAGE).write_text(page(root), encoding="utf-8")
        return 0
    found = problems(root)
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
