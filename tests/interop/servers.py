"""The two AMQP servers that the clients talk to: MiniBroker as its command starts it, and a real
RabbitMQ. Each has a directory and free loopback ports of its own. Knows no client.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from .processes import ServerProcess

__all__ = ["RABBITMQ", "AmqpServer", "MiniBrokerServer", "RabbitMQServer"]

# Not the one on the PATH of Debian: that changes to another user.
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class AmqpServer:
    """A server on a port that stays the same when it is started again."""

    kind: Literal["minibroker", "rabbitmq"]
    host = "127.0.0.1"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.running: ServerProcess | None = None
        self._ready = False

    @property
    def url(self) -> str:
        """Where the clients connect to, with the name and password of the default user."""
        return f"amqp://guest:guest@{self.host}:{self.port}/"

    @property
    def pid(self) -> int:
        """The server's process number. Raises RuntimeError while it is not running."""
        return self._alive().pid

    def begin(self) -> None:
        """Start the program, without waiting for it."""
        self._ready = False
        self.running = self._launch()

    def wait(self) -> None:
        """Wait until it accepts connections. Raises RuntimeError when it does not."""
        if not self._ready:
            self._await_ready(self._alive())
            self._ready = True

    def start(self) -> None:
        """Start the program and wait until it accepts connections."""
        self.begin()
        self.wait()

    def stop(self) -> int:
        """End the server as an administrator does, and wait; its exit code."""
        running, self.running = self._alive(), None
        return running.stop()

    def tell_to_stop(self) -> None:
        """Tell the server to end, as an administrator does, without waiting for it."""
        self._alive().ask_to_end()

    def kill(self) -> None:
        """End the server as a crash does, and wait."""
        running, self.running = self._alive(), None
        running.kill()

    def restart(self) -> None:
        """Kill the server and start it again on the same port."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End everything that was started."""
        if self.running is not None:
            self.stop()

    def log(self) -> str:
        """What the server wrote to standard error since the first start."""
        path = self.directory / "errors.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _launch(self) -> ServerProcess:
        raise NotImplementedError

    def _await_ready(self, running: ServerProcess) -> None:
        raise NotImplementedError

    def _alive(self) -> ServerProcess:
        if self.running is None:
            raise RuntimeError(f"{self.kind} is not running")
        return self.running


class MiniBrokerServer(AmqpServer):
    """`minibroker serve`, with further options of that command."""

    kind = "minibroker"

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory)
        self.options = ("--profile", "rabbitmq-3.10", *options)

    def _launch(self) -> ServerProcess:
        # The first time on any free port.
        command = [sys.executable, "-m", "minibroker", "serve", "--port", str(self.port)]
        return ServerProcess([*command, *self.options], self.directory / "errors.log")

    def _await_ready(self, running: ServerProcess) -> None:
        self.port = int(running.wait_for(r"^ready amqp://.*:(\d+)/", 20)[1])


class RabbitMQServer(AmqpServer):
    """Debian's RabbitMQ, with a port mapper (epmd) of its own."""

    kind = "rabbitmq"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._mapper: ServerProcess | None = None
        self._node_port = self._mapper_port = 0

    def close(self) -> None:
        """End RabbitMQ and its port mapper."""
        super().close()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper = None

    def _launch(self) -> ServerProcess:
        # The node would start a port mapper that outlives it.
        if self._mapper is None:
            self.port, self._node_port, self._mapper_port = free_ports(3)
            self._mapper = self._start_mapper()
        return ServerProcess(
            [RABBITMQ], self.directory / "errors.log", {**os.environ, **self._environment()}
        )

    def _await_ready(self, running: ServerProcess) -> None:
        running.wait_for("Server startup complete", 60)

    def _start_mapper(self) -> ServerProcess:
        epmd = shutil.which("epmd")
        if epmd is None:
            raise RuntimeError("epmd is missing: it belongs to Erlang")
        command = [epmd, "-debug", "-port", str(self._mapper_port), "-address", self.host]
        # It says that it runs on its standard error.
        mapper = ServerProcess(
            ["sh", "-c", 'exec "$@" 2>&1', "sh", *command], self.directory / "epmd.log"
        )
        mapper.wait_for("epmd running", 10)
        return mapper

    def _environment(self) -> dict[str, str]:
        home = str(self.directory)
        return {
            "HOME": home,
            "RABBITMQ_NODENAME": "interop@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": self.host,
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }


def free_ports(number: int) -> list[int]:
    """Ports of the loopback address that nobody uses, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
