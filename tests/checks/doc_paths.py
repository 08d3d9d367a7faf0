"""Each file that README.md and docs/ name exists, and each link in them leads somewhere.

A name is what stands in backquotes and ends like a file of this tree (`queues/ready.py`, a folder
with its slash), or the target of a relative link. It may leave out the folders it starts with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tree import name_of, tree_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["problems"]

FENCE = re.compile(r"^\s*(```|~~~)")
QUOTED = re.compile(r"`([^`\s]+)`")
FILE = re.compile(r"[\w./*-]+\.(?:py|md|toml|typed)|[\w.*-]+/(?:[\w.*-]+/)*")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# The name of a test or the number of a line after the path.
SUFFIX = re.compile(r"(::\w+|:[0-9]+)$")

# Pages about what was, or what others have.
EXEMPT = ("docs/changelog.md",)


def problems(root: Path) -> list[str]:
    """Names of files that do not exist, and dead links."""
    files = [name_of(path, root) for path in tree_files(root)]
    known = {f"/{file}" for file in files}
    known |= {f"/{file[: end + 1]}" for file in files for end in _slashes(file)}
    found: list[str] = []
    for page in _pages(root):
        name = name_of(page, root)
        for number, line in _prose(page):
            for quoted in QUOTED.findall(line):
                path = SUFFIX.sub("", quoted)
                if FILE.fullmatch(path) and not _exists(path, known):
                    found.append(f"{name}:{number}: there is no {path}")
            found += [f"{name}:{number}: dead link {link}" for link in _dead_links(page, line)]
    return found


def _pages(root: Path) -> Iterator[Path]:
    for path in tree_files(root):
        name = name_of(path, root)
        in_docs = path.suffix == ".md" and (name == "README.md" or name.startswith("docs/"))
        if in_docs and name not in EXEMPT:
            yield path


def _prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines outside fenced blocks."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line


def _slashes(file: str) -> Iterator[int]:
    return (index for index, letter in enumerate(file) if letter == "/")


def _exists(path: str, known: set[str]) -> bool:
    ending = f"/{path.removeprefix('./')}"
    if "*" in ending:
        pattern = re.compile(re.escape(ending).replace(r"\*", "[^/]*"))
        return any(pattern.search(each) for each in known)
    return any(each.endswith(ending) for each in known)


def _dead_links(page: Path, line: str) -> Iterator[str]:
    for link in LINK.findall(line):
        target = link.split("#")[0]
        is_elsewhere = "://" in target or target.startswith("mailto:")
        if target and not is_elsewhere and not (page.parent / target).exists():
            yield link
