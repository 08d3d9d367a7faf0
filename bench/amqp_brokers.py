"""The brokers that are measured over AMQP: MiniBroker as its command starts it, and a RabbitMQ.

Both run in processes of their own for the whole session. Where there is no RabbitMQ, what compares
with it is skipped.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Brokers", "resident"]

# Tests are no package, but what starts servers for them is wanted here as well.
SERVERS: Any = import_module("tests.interop.servers")
REQUIRED = os.environ.get("MINIBROKER_REQUIRE_SERVERS") == "1"


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) << 10


class Brokers:
    """Starts each broker when it is asked for first."""

    def __init__(self, directory: Path, disk: Path) -> None:
        """`directory` for what they write besides, `disk` for their logs."""
        self._directory = directory
        self._disk = disk
        self._running: dict[str, Any] = {}

    def minibroker(self, loop: str = "asyncio", *, durable: bool = False) -> Any:
        """MiniBroker on an event loop, with a log or without."""
        if loop == "uvloop" and find_spec("uvloop") is None:
            _missing("uvloop is not installed: pip install 'minibroker[speed]'")
        name = f"minibroker-{loop}-{durable}"
        options = ["--loop", loop, "--log-level", "error"]
        if durable:
            options += ["--data", str(self._disk / name)]
        return self._started(name, SERVERS.MiniBrokerServer, *options)

    def rabbitmq(self) -> Any:
        """Debian's RabbitMQ."""
        if not SERVERS.RABBITMQ.exists():
            _missing("there is no RabbitMQ: apt-get install rabbitmq-server")
        return self._started("rabbitmq", SERVERS.RabbitMQServer)

    def _started(self, name: str, make: Any, *options: str) -> Any:
        if name not in self._running:
            place = (self._disk if name == "rabbitmq" else self._directory) / f"{name}-files"
            place.mkdir()
            server = make(place, *options)
            server.start()
            self._running[name] = server
        return self._running[name]

    def close(self) -> None:
        """End all of them."""
        for server in self._running.values():
            server.close()


def _missing(reason: str) -> None:
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)
