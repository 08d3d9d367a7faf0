"""`minibroker serve` in a process of its own, and a client that speaks the least that is needed."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

import minibroker
from minibroker.wire.amqp import decode_method, spec
from minibroker.wire.amqp.constants import METHOD
from minibroker.wire.amqp.frames import method_frame

if TYPE_CHECKING:
    import ssl

    from minibroker.wire.amqp.spec import MethodRecord

__all__ = ["Client", "Served", "code_of", "environment", "refused"]

PATIENCE = 20
"""Seconds after which a process, or an answer, is given up."""


def environment(**variables: str) -> dict[str, str]:
    """That of this process, with what a checkout needs, and no setting of the broker."""
    root = Path(minibroker.__file__).parents[1]
    path = os.pathsep.join([str(root), str(root / "client"), os.environ.get("PYTHONPATH", "")])
    own = {key: value for key, value in os.environ.items() if not key.startswith("MINIBROKER_")}
    return {**own, "PYTHONPATH": path, **variables}


def refused(*arguments: str, **variables: str) -> str:
    """What a process says that cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "minibroker", "serve", *arguments],
        capture_output=True,
        text=True,
        env=environment(**variables),
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def code_of(method: object) -> int:
    """The reply code of `connection.close`."""
    assert isinstance(method, spec.ConnectionClose), method
    return method.reply_code


class Served:
    """A process, from its first line on, which is `ready`. `with` ends it.

    `first` is Python that it does before, to have something fail or wait for standard input.
    """

    def __init__(self, *arguments: str, first: str = "", **variables: str) -> None:
        words = ["serve", "--port", "0", *arguments]
        program = f"{first}\nimport sys, minibroker.cli\nsys.exit(minibroker.cli.main({words!r}))"
        how = ["-c", program] if first else ["-m", "minibroker", *words]
        self.process = subprocess.Popen(
            [sys.executable, *how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**variables),
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()
        self.url = self.ready[6:].strip() if self.ready.startswith("ready ") else ""
        self.port = int(self.url.rpartition(":")[2].strip("/")) if self.url else 0

    def line(self, word: str) -> str:
        """The next line of the log with a word in it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if word in line:
                return line
        raise AssertionError(f"no line with {word!r}")

    def go_on(self) -> None:
        """End the wait for standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write("x")
        self.process.stdin.flush()

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; the exit status, and the rest of the log."""
        self.process.send_signal(number)
        log = self.ended()
        return self.process.returncode, log

    def ended(self) -> str:
        """Wait until it has ended; the rest of the log."""
        return self.process.communicate(timeout=PATIENCE)[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Client:
    """A connection with channel 1 open. `with` closes the socket."""

    def __init__(
        self,
        port: int,
        *,
        user: str = "guest",
        password: str = "guest",
        vhost: str = "/",
        mechanism: str = "PLAIN",
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        path: str | None = None,
    ) -> None:
        if path is not None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self.opened: MethodRecord | None = None
        """The last answer of the server while the connection was opened."""
        try:
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
            self._open(user, password, vhost, mechanism)
        except BaseException:
            self.socket.close()
            raise

    def _open(self, user: str, password: str, vhost: str, mechanism: str) -> None:
        self.socket.sendall(b"AMQP\x00\x00\x09\x01")
        self.next()
        response = b"" if mechanism == "EXTERNAL" else f"\0{user}\0{password}".encode()
        capabilities = {"capabilities": {"authentication_failure_close": True}}
        self.send(0, spec.ConnectionStartOk(capabilities, mechanism, response))
        self.opened = self.next()
        if not isinstance(self.opened, spec.ConnectionTune):
            return
        tune = self.opened
        self.send(0, spec.ConnectionTuneOk(tune.channel_max, tune.frame_max, 0))
        self.send(0, spec.ConnectionOpen(vhost))
        self.opened = self.next()
        if isinstance(self.opened, spec.ConnectionOpenOk):
            self.call(spec.ChannelOpen())

    def send(self, channel: int, method: MethodRecord) -> None:
        """Send a method."""
        self.socket.sendall(method_frame(channel, method))

    def call(self, method: MethodRecord) -> MethodRecord:
        """Send a method on channel 1, and return the answer."""
        self.send(1, method)
        return self.next()

    def next(self) -> MethodRecord:
        """The next method that the server sends."""
        while True:
            kind, _, size = struct.unpack(">BHI", self._read(7))
            payload = self._read(size + 1)[:-1]
            if kind == METHOD:
                return decode_method(payload)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError(f"the server closed the socket after {data!r}")
            data += more
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
