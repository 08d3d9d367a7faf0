"""Nothing in the tree depends on one machine or on a network: no absolute paths of somebody's
computer, no package index, and URLs only to hosts that are listed here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tree import name_of, tree_files

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["problems"]

# A home, or a folder that exists on one machine only. Broken up so that it does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w./~$}])/(home|root|Users|work|opt|mnt)" + r"/[\w.]")
INDEX_OPTION = re.compile(r"--(extra-)?index" + r"-url|--find" + r"-links|\bindex" + r"-url\s*=")
URL = re.compile(r"https?://(?:[^\s/@]*@)?([A-Za-z0-9.-]+\.[A-Za-z]{2,})")

HOSTS = frozenset(
    {
        "docs.celeryq.dev",
        "docs.python.org",
        "editorconfig.org",
        "example.com",
        "example.org",
        "github.com",
        "keepachangelog.com",
        "semver.org",
        "www.amqp.org",
        "www.rabbitmq.com",
    }
)

# Binary files of the tree, if there are any, hold no text to check.
TEXT = {
    ".cfg",
    ".css",
    ".go",
    ".html",
    ".ini",
    ".java",
    ".js",
    ".json",
    ".md",
    ".php",
    ".py",
    ".rb",
    ".sh",
    ".toml",
    ".txt",
    ".yml",
}


def problems(root: Path) -> list[str]:
    """Lines with an address that does not belong in the tree."""
    found: list[str] = []
    for path in tree_files(root):
        if path.suffix and path.suffix not in TEXT:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")  # no suffix says it is binary
        for number, line in enumerate(text.splitlines(), start=1):
            found += [f"{name_of(path, root)}:{number}: {problem}" for problem in _in_line(line)]
    return found


def _in_line(line: str) -> list[str]:
    found = []
    if match := MACHINE_PATH.search(line):
        found.append(f"a path of one machine: {line[match.start() :][:40].split(maxsplit=1)[0]}")
    if INDEX_OPTION.search(line):
        found.append("a package index: which one to use is the machine's business")
    found += [
        f"{host} is not in the list of hosts" for host in URL.findall(line) if host not in HOSTS
    ]
    return found
