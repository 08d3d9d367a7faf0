"""Habits of docs/style.md that the linter does not know: a suppression has a code and a reason,
a TODO names an issue, and only what talks to a terminal prints.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING

from tree import CODE, PACKAGES, name_of, parsed, python_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["problems"]

# What marks a suppression, the form it must have, and how that form is shown.
SUPPRESSIONS = (
    (
        re.compile(r"#\s*(ruff:\s*)?noqa", re.IGNORECASE),
        re.compile(r"# noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)* -- \S"),
        "# noqa: CODE -- reason",
    ),
    (
        re.compile(r"#\s*type:\s*ignore"),
        re.compile(r"# type: ignore\[[a-z-]+(, ?[a-z-]+)*\]  # (?!noqa)\S"),
        "# type: ignore[code]  # reason",
    ),
    (
        re.compile(r"#\s*pyright:"),
        re.compile(r"# pyright: ignore\[\w+(, ?\w+)*\]  # (?!noqa)\S"),
        "# pyright: ignore[code]  # reason",
    ),
    (
        re.compile(r"#\s*pragma:"),
        re.compile(r"# pragma: no (cover|branch) -- \S"),
        "# pragma: no cover -- reason",
    ),
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
WITH_ISSUE = re.compile(r"\bTODO\(#[0-9]+\): \S")

MAY_PRINT = ("minibroker/__main__.py", "minibroker/tour", "minibroker/cli")


def problems(root: Path) -> list[str]:
    """Suppressions without a reason, unfinished work without an issue, stray prints."""
    found: list[str] = []
    for path in python_files(root, *CODE):
        name = name_of(path, root)
        for line, comment in _comments(path.read_text(encoding="utf-8")):
            found += [f"{name}:{line}: {problem}" for problem in _in_comment(comment)]
    for path in python_files(root, *PACKAGES):
        name = name_of(path, root)
        if not name.startswith(MAY_PRINT):
            found += [
                f"{name}:{line}: print outside the terminal's modules" for line in _prints(path)
            ]
    return found


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _in_comment(comment: str) -> Iterator[str]:
    for mark, form, shown in SUPPRESSIONS:
        if mark.search(comment) and not form.search(comment):
            yield f"a suppression is written `{shown}`"
    if UNFINISHED.search(comment) and not WITH_ISSUE.search(comment):
        yield "unfinished work is written `TODO(#issue): what`"


def _prints(path: Path) -> Iterator[int]:
    for node in ast.walk(parsed(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ):
            yield node.lineno
