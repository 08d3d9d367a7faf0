"""A publishing and a consuming process of one library, with a broker between them.

Knows nothing of time or comparing.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import count
from pathlib import Path

__all__ = ["ProcessLine"]

CHILD = Path(__file__).parent / "socket_child.py"
_numbers = count(1)


class ProcessLine:
    """Both children, ready: `through` sends messages from one to the other."""

    def __init__(self, library: str, url: str) -> None:
        queue = f"bench-{next(_numbers)}"
        self._consumer = _child(library, "consume", url, queue)
        self._publisher = _child(library, "publish", url, queue)

    def through(self, number: int, size: int = 100) -> None:
        """Publish so many messages of so many bytes, until the last one is acked."""
        for child in (self._consumer, self._publisher):
            assert child.stdin is not None
            child.stdin.write(f"{number} {size}\n")
            child.stdin.flush()
        for child in (self._publisher, self._consumer):
            assert child.stdout is not None
            assert child.stdout.readline(), "a child has ended"

    def close(self) -> None:
        """End both."""
        for child in (self._publisher, self._consumer):
            assert child.stdin is not None
            child.stdin.close()
            child.terminate()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()


def _child(library: str, role: str, url: str, queue: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, str(CHILD), library, role, url, queue],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n", f"{library} {role} did not start"
    return child
