"""docs/amqp-coverage.md is whole and true: every method, field and argument that the code knows has
a row, and each test that a row names exists.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from tree import tree_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PAGE", "problems"]

PAGE = "docs/amqp-coverage.md"
PROOF = re.compile(r"`(\w+\.py)::(\w+)`")
METHOD = re.compile(r"`([a-z]+\.[a-z-]+)`")
TEST = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
ROWS_WITHOUT_PROOF = ("under the arguments above",)


def problems(root: Path) -> list[str]:
    """What is missing on the page, and which of its tests do not exist."""
    page = root / PAGE
    if not page.exists():
        return []
    text = page.read_text(encoding="utf-8")
    found = [f"{PAGE}: {problem}" for problem in _proofs(root, text)]
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    found += [f"{PAGE}: {problem}" for problem in _methods(text)]
    return found + [f"{PAGE}: {problem}" for problem in _arguments(text)]


def _proofs(root: Path, text: str) -> Iterator[str]:
    tests: dict[str, set[str]] = {}
    for path in tree_files(root):
        if path.name.startswith("test_") and path.suffix == ".py":
            tests.setdefault(path.name, set()).update(TEST.findall(path.read_text("utf-8")))
    for file, test in PROOF.findall(text):
        if test not in tests.get(file, ()):
            yield f"there is no {file}::{test}"
    for row in _rows(text):
        if not PROOF.search(row) and not any(words in row for words in ROWS_WITHOUT_PROOF):
            yield f"no proof: {row[:60]}"


def _rows(text: str) -> Iterator[str]:
    """The rows of tables, without those above a line of dashes."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        is_head = following.startswith("| ---") or line.startswith("| ---")
        if line.startswith("|") and not is_head:
            yield line


def _methods(text: str) -> Iterator[str]:
    """Methods without a row, and fields that are in no row of their method."""
    from minibroker.wire.amqp import spec  # noqa: PLC0415 -- only the tree that is checked has it

    rows: dict[str, str] = {}
    for row in _rows(text):
        for method in METHOD.findall(row.split("|")[1]):
            rows[method] = rows.get(method, "") + row
    for ids, record in spec.BY_ID.items():
        name = spec.method_name(*ids)
        if name not in rows:
            yield f"no row for {name}"
            continue
        for field in getattr(record, "_fields", ()):
            if not re.search(rf"\b{field}\b", rows[name]):
                yield f"no {field} in the row of {name}"


def _arguments(text: str) -> Iterator[str]:
    from minibroker.arguments.checks import QUEUE_CHECKS  # noqa: PLC0415 -- see above
    from minibroker.arguments.consumer import CONSUMER_ARGUMENTS  # noqa: PLC0415 -- see above
    from minibroker.arguments.settings import KIND_ARGUMENTS  # noqa: PLC0415 -- see above

    known = {*QUEUE_CHECKS}
    for names in (*KIND_ARGUMENTS.values(), *CONSUMER_ARGUMENTS.values()):
        known.update(names)
    for name in sorted(known):
        if f"`{name}`" not in text:
            yield f"no row for {name}"
