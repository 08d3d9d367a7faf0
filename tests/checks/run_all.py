"""Runs every check of the source tree and prints what it found: python tests/checks/run_all.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import addresses
import amqp_coverage
import doc_paths
import habits
import module_map
import semantics_coverage
import size_limits

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CHECKS", "ROOT"]

ROOT = Path(__file__).resolve().parents[2]

CHECKS: dict[str, Callable[[Path], list[str]]] = {
    "addresses": addresses.problems,
    "AMQP coverage": amqp_coverage.problems,
    "doc paths": doc_paths.problems,
    "habits": habits.problems,
    "module map": module_map.problems,
    "semantics coverage": semantics_coverage.problems,
    "size limits": size_limits.problems,
}


def main() -> int:
    """Print each problem; the exit code says whether there was one."""
    status = 0
    for name, check in CHECKS.items():
        found = check(ROOT)
        print(f"{name}: {f'{len(found)} problems' if found else 'ok'}")
        for problem in found:
            print(f"  {problem}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
