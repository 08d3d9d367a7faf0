"""Celery workers in processes of their own, and an application that talks to them."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..needed import needed_module

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Application", "until"]

HERE = Path(__file__).parent
PATIENCE = 40
"""Seconds after which a worker, or a result, is given up."""


def until(ready: Callable[[], Any], what: str) -> Any:
    """Ask again and again, until the answer is true; give it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := ready():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {PATIENCE} seconds")


class Application:
    """One application of `celery_app`, with queues and files of its own, and its workers."""

    def __init__(self, url: str, prefix: str, files: Path, backend: str = "rpc://") -> None:
        celery = needed_module("celery")
        self.files = files
        self._environment = {
            **os.environ,
            "BROKER_URL": url,
            "QUEUE_PREFIX": prefix,
            "FILES": str(files),
            "RESULT_BACKEND": backend,
            "C_FORCE_ROOT": "1",
            "PYTHONPATH": str(HERE),
        }
        (files / "notes").touch()
        self._workers: list[subprocess.Popen[bytes]] = []
        self.celery = celery.Celery("tests", broker=url, backend=backend)
        kombu = needed_module("kombu")
        queue = kombu.Queue(f"{prefix}-tasks", queue_arguments={"x-max-priority": 10})
        self.celery.conf.update(
            task_default_queue=queue.name,
            task_queues=[queue],
            control_exchange=f"{prefix}-control",
            event_exchange=f"{prefix}-event",
            event_queue_prefix=f"{prefix}-events",
        )

    def task(self, name: str, *arguments: Any) -> Any:
        """The signature of a task."""
        return self.celery.signature(f"celery_app.{name}", args=arguments)

    def send(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a task; its result to come."""
        return self.task(name, *arguments).apply_async(**options)

    def worker(self, pool: str = "prefork", concurrency: int = 2) -> subprocess.Popen[bytes]:
        """Start a worker, and wait until it answers."""
        name = f"w{len(self._workers)}@localhost"
        log = (self.files / f"{name}.log").open("wb")
        command = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-E"]
        options = ["-P", pool, "-c", str(concurrency), "-n", name, "-l", "info", "--without-mingle"]
        with log:
            process = subprocess.Popen(
                [*command, *options],
                env=self._environment,
                cwd=self.files,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._workers.append(process)
        until(
            lambda: self.celery.control.ping(destination=[name], timeout=0.5),
            f"the start of {name}",
        )
        return process

    def notes(self) -> list[str]:
        """What the tasks have written down."""
        return (self.files / "notes").read_text().splitlines()

    def close(self) -> None:
        """End the workers, with all their processes, and the connections."""
        for process in self._workers:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.celery.close()
        needed_module("kombu.pools").reset()
        with warnings.catch_warnings():  # Celery leaves sockets of answers to the collector
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
