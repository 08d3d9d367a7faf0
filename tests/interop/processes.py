"""Server programs for the tests: started in a process group of their own, waited for by a line they
print, and ended with their children, even when the tests are killed. Knows no server.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from time import monotonic

__all__ = ["ServerProcess"]

# Ends the group when the pipe closes, and it closes however the process of the tests ends.
_GUARD = 'read -r _; kill -s KILL -- "-$1" 2>/dev/null'


class ServerProcess:
    """One running program: what it printed, whether it lives, and its end."""

    def __init__(
        self, command: Sequence[str | Path], errors: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.errors = errors
        self._asked = False
        self._printed: deque[str] = deque(maxlen=200)
        self._lines: Queue[str | None] = Queue()
        with errors.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                env=None if env is None else dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "guard", str(self.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The program's process number, which is its group's too."""
        return self.process.pid

    def wait_for(self, pattern: str, timeout: float) -> re.Match[str]:
        """The first printed line that matches. Raises RuntimeError when the program ends first or
        is too slow, with what it wrote.
        """
        deadline = monotonic() + timeout
        with suppress(Empty):
            while (line := self._lines.get(timeout=max(0, deadline - monotonic()))) is not None:
                if match := re.search(pattern, line):
                    return match
            self._lines.put(None)
            raise RuntimeError(f"ended before it was ready: {self.written()}")
        raise RuntimeError(f"not ready after {timeout} s: {self.written()}")

    def written(self) -> str:
        """The end of what the program wrote to both of its outputs."""
        errors = self.errors.read_text(encoding="utf-8", errors="replace")
        return "".join(self._printed)[-4000:] + errors[-4000:]

    def ask_to_end(self) -> None:
        """Ask the program to end; the second time does nothing, for it may mean to hurry."""
        if not self._asked:
            self._asked = True
            self.process.terminate()

    def stop(self, timeout: float = 20) -> int:
        """Ask the program to end, kill its group when it does not; the exit code."""
        self.ask_to_end()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout)
        return self.kill()

    def kill(self) -> int:
        """End the whole group at once; the exit code."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self.process.wait()
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def _read(self) -> None:
        """Keep the pipe empty: a program that writes into a full one stands still."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._printed.append(line)
            self._lines.put(line)
        self._lines.put(None)
