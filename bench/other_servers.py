"""Servers of other kinds that benchmarks race against: started on loopback, ended by whoever asked.

What is not installed is skipped.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

import pytest

__all__ = ["OtherServer", "Pump"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class OtherServer:
    """A redis-server or a nats-server; `with` ends it."""

    def __init__(self, kind: str, directory: Path) -> None:
        port = _free_port()
        beside = Path(sys.executable).parent / f"{kind}-server"
        command = str(beside) if beside.exists() else shutil.which(f"{kind}-server")
        if command is None:
            pytest.skip(f"there is no {kind}-server")
        options = {
            "redis": ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly",
                      "no", "--dir", str(directory)],
            "nats": ["-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(directory)],
        }  # fmt: skip
        self._process = subprocess.Popen(
            [command, *options[kind]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.url = f"{kind}://127.0.0.1:{port}"
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                assert time.monotonic() < end, f"{kind}-server does not answer"
                time.sleep(0.02)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


RELAY = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sender, _ = listener.accept()
receiver, _ = listener.accept()
buffer = memoryview(bytearray(1 << 18))
while size := sender.recv_into(buffer):
    receiver.sendall(buffer[:size])
"""


class Pump:
    """Bytes through a relay process and back, as fast as Python's sockets go."""

    def __init__(self) -> None:
        self._relay = subprocess.Popen(
            [sys.executable, "-c", RELAY], stdout=subprocess.PIPE, text=True
        )
        assert self._relay.stdout is not None
        port = int(self._relay.stdout.readline())
        self._sender = socket.create_connection(("127.0.0.1", port))
        self._receiver = socket.create_connection(("127.0.0.1", port))

    def through(self, number: int, size: int) -> None:
        """Send so many times so many bytes, until they are back."""
        body = b"x" * size
        thread = threading.Thread(target=self._receive, args=(number * size,))
        thread.start()
        for _ in range(number):
            self._sender.sendall(body)
        thread.join()

    def _receive(self, wanted: int) -> None:
        buffer = memoryview(bytearray(1 << 18))
        while wanted:
            wanted -= self._receiver.recv_into(buffer)

    def close(self) -> None:
        """End it."""
        self._sender.close()
        self._receiver.close()
        self._relay.wait()
        assert self._relay.stdout is not None
        self._relay.stdout.close()
