"""docs/amqp-coverage.md is whole and true: what the code knows has a row, and each row a proof.

What the code knows are the methods with their fields, the arguments, the properties, the
capabilities and the reply codes. A proof is `tests/path/test_file.py::test_name`, of a test that
exists. Reads code and tests as text: what cannot be imported counts too.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from tree import parsed, python_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PAGE", "SOURCES", "problems"]

PAGE = "docs/amqp-coverage.md"
SPEC = "minibroker/wire/amqp/spec.py"
ERRORS = "minibroker/errors.py"
PROPERTIES = "minibroker/properties.py"
HANDSHAKE = "minibroker/server/amqp/handshake.py"
ARGUMENTS = ("minibroker/arguments", "minibroker/exchanges")
SOURCES = (SPEC, ERRORS, PROPERTIES, HANDSHAKE, *ARGUMENTS)

ARGUMENT = re.compile(r"x-[a-z]+(-[a-z]+)*|alternate-exchange|hash-(header|property)")
PROOF = re.compile(r"`([\w./-]+\.py)::(\w+)`")
QUOTED = re.compile(r"`([^`]+)`")
TEST = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)


class Row(NamedTuple):
    """A row of a table: what it is about, and all of it."""

    section: str
    names: frozenset[str]
    text: str


def problems(root: Path) -> list[str]:
    """What is missing on the page, and which of its tests do not exist."""
    page = root / PAGE
    if not page.is_file():
        return [f"{PAGE}: there is no such page"]
    text = page.read_text(encoding="utf-8")
    rows = list(_rows(text))
    found = [*_proofs(root, text, rows), *_methods(root, rows), *_items(root, rows)]
    return [f"{PAGE}: {problem}" for problem in found]


def _rows(text: str) -> Iterator[Row]:
    """The rows of all tables but their heads, with the heading of the second level above each."""
    section = ""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("|") and not any(
            each.startswith("| ---") for each in (line, following)
        ):
            names = frozenset(QUOTED.findall(line.split("|")[1]))
            yield Row(section, names, line)


def _proofs(root: Path, text: str, rows: list[Row]) -> Iterator[str]:
    tests: dict[str, set[str]] = {}
    for file, test in PROOF.findall(text):
        if file not in tests:
            path = root / file
            tests[file] = set(TEST.findall(path.read_text("utf-8"))) if path.is_file() else set()
        if test not in tests[file]:
            yield f"there is no {file}::{test}"
    for row in rows:
        if not PROOF.search(row.text):
            yield f"no proof: {row.text[:60]}"


def _methods(root: Path, rows: list[Row]) -> Iterator[str]:
    """Methods without a row, and fields that are in no row of their method."""
    for name, fields in _known_methods(root):
        texts = [
            row.text for row in rows if row.section.startswith("Methods") and name in row.names
        ]
        if not texts:
            yield f"no row for the method {name}"
            continue
        for field in fields:
            if not any(f"`{field}`" in text for text in texts):
                yield f"no {field} in the row of {name}"


def _known_methods(root: Path) -> Iterator[tuple[str, list[str]]]:
    """The records of the specification: name and fields; `global_` is `global` on the page."""
    for node in parsed(root / SPEC).body:
        if isinstance(node, ast.ClassDef) and node.decorator_list:
            fields = [
                ast.unparse(each.target).rstrip("_")
                for each in node.body
                if isinstance(each, ast.AnnAssign)
            ]
            yield (ast.get_docstring(node) or "").strip("`."), fields


def _items(root: Path, rows: list[Row]) -> Iterator[str]:
    """What the sections about arguments, properties, capabilities and codes do not name."""
    known = {
        "Arguments": _known_arguments(root),
        "Properties and headers": _strings_of(root / PROPERTIES, "FIELDS"),
        "Capabilities": _strings_of(root / HANDSHAKE, "CAPABILITIES"),
        "Reply codes": _known_codes(root),
    }
    for section, items in known.items():
        named = {name for row in rows if row.section == section for name in row.names}
        yield from (f"no row for {item} in {section}" for item in sorted(items - named))
        if section == "Arguments":
            yield from (f"{name} is no argument" for name in sorted(named - items))


def _known_arguments(root: Path) -> set[str]:
    """Arguments are strings that look like it; so does what is no argument: types of exchanges."""
    found: set[str] = set()
    for path in python_files(root, *ARGUMENTS):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update([node.value] if ARGUMENT.fullmatch(node.value) else ())
    return found - {"x-consistent-hash", "x-delayed-message"}


def _strings_of(path: Path, constant: str) -> set[str]:
    """The strings in a tuple that a module assigns."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == constant:
            return set(ast.literal_eval(node.value))
    return set()


def _known_codes(root: Path) -> set[str]:
    return {
        ast.unparse(node.value)
        for node in ast.walk(parsed(root / ERRORS))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reply_code"
    }
