"""Where the tests of transports to other systems run: a server of each kind, a place on it each.

A server is started once for all tests, and ended with the process. Each place is a name that no
other test uses, so that real services can be tested, too.
"""

from __future__ import annotations

import atexit
import os
import re
import secrets
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from minibroker_client.parameters import Parameters
from minibroker_client.transport import register

from ...external.servers import SERVERS, ExternalServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minibroker_client.transport.base import Address

__all__ = ["KINDS", "address_of", "howto_driver", "own_database", "place_of", "server_of"]

HOWTO = Path(__file__).resolve().parents[3] / "docs" / "howto-transport.md"
_ALL = ["redis", "valkey", "moto", "ministack", "nx-27017", "mongoeco", "nats", "azureservicebus"]
KINDS = [
    kind for kind in _ALL if kind in os.environ.get("MINIBROKER_TEST_SYSTEMS", kind).split(",")
]
"""Of all, those that the environment names, separated by commas; all without that."""
_BY_KIND: dict[str, type[ExternalServer]] = {server.kind: server for server in SERVERS}
_running: dict[str, ExternalServer] = {}


def howto_driver() -> str:
    """Register the driver of the documentation; its URL scheme."""
    if "howto_sqlite" not in sys.modules:
        code = re.search(r"^```python\n(.*?)^```$", HOWTO.read_text(), re.DOTALL | re.MULTILINE)
        assert code is not None
        module = ModuleType("howto_sqlite")
        exec(compile(code[1], str(HOWTO), "exec"), module.__dict__)
        sys.modules["howto_sqlite"] = module
    register("sqlite", "howto_sqlite")
    return "sqlite"


def server_of(kind: str) -> ExternalServer:
    """The server of a kind that all tests share, started. It skips where it is not installed."""
    server = _running.get(kind)
    if server is None:
        directory = Path(tempfile.mkdtemp(prefix=f"minibroker-{kind}-"))
        server = _BY_KIND[kind](directory)
        atexit.register(shutil.rmtree, directory, True)
        atexit.register(server.close)
        server.start()
        _running[kind] = server
    return server


@contextmanager
def place_of(kind: str) -> Iterator[str]:
    """The URL of a place of its own on the shared server of a kind."""
    yield url_of(server_of(kind))


def url_of(server: ExternalServer) -> str:
    """The client's URL of a server, whose own may be another library's."""
    if server.service:
        return server.service
    if server.system == "sqs":
        return f"sqs://key:secret@{server.host}:{server.port}/"
    if server.system == "azureservicebus":
        emulator = "UseDevelopmentEmulator=true"
        return f"azureservicebus://test:test@{server.host}:{server.port}/?{emulator}"
    return server.url


def own_database() -> str:
    """The URL of an empty database of the shared Redis that no place of another test is in."""
    import redis  # noqa: PLC0415 -- only here

    server = server_of("redis")
    with redis.Redis(server.host, server.port, db=9) as client:
        client.flushdb()
    return f"redis://{server.host}:{server.port}/9"


def address_of(url: str, options: dict[str, Any]) -> Address:
    """The address of a URL, in a place that no other test uses."""
    own = {"prefix": f"t{secrets.token_hex(6)}", **options}
    return Parameters().with_url(url).address(own)
