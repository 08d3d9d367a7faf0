"""Worker programs of a framework, in processes of their own, and the notes of their tasks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..processes import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Workers"]

HERE = Path(__file__).parent
PATIENCE = 40


class Workers:
    """Processes that all run one program: `python -m` and the rest, until they print `ready`.

    The program finds the broker, a name for its queue and a file for its notes in BROKER_URL,
    QUEUE and NOTES.
    """

    def __init__(
        self, program: Sequence[str], ready: str, url: str, queue: str, directory: Path
    ) -> None:
        self.program = program
        self.ready = ready
        self.queue = queue
        self._directory = directory
        self._notes = directory / "notes"
        self._notes.touch()
        self._environment = {
            **os.environ,
            "BROKER_URL": url,
            "QUEUE": queue,
            "NOTES": str(self._notes),
            "PYTHONPATH": str(HERE),
        }
        self._running: list[ServerProcess] = []

    def start(self) -> ServerProcess:
        """Start one more, and wait until it works."""
        log = self._directory / f"worker-{len(self._running)}.log"
        # Their logs go to standard error, and tell when they are ready.
        command = ["sh", "-c", 'exec "$@" 2>&1', "sh", sys.executable, "-m", *self.program]
        process = ServerProcess(command, log, self._environment)
        self._running.append(process)
        process.wait_for(self.ready, PATIENCE)
        return process

    def notes(self) -> list[str]:
        """What the tasks have written down."""
        return self._notes.read_text(encoding="utf-8").splitlines()

    def close(self) -> None:
        """End all of them at once."""
        for process in self._running:
            process.kill()
