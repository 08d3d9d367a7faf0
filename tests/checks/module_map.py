"""Each module has its own test module, and each test module its module.

`minibroker/queues/ready.py` is tested by `tests/core/queues/test_ready.py`, an `__init__.py` by
`test_init.py` in the package's folder, or next to the folder by a module with the package's name. A
module that only gathers names needs no tests. Tests of more than one module are listed here.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tree import PACKAGES, name_of, parsed, python_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["problems"]

# Top-level packages of the broker with an area of their own; all else of it is tested in core.
AREAS = ("cli", "inspection", "management", "server", "store", "testing", "wire")

# Modules without a test module: the reason.
UNTESTED = {
    "minibroker/queues/base.py": "abstract: tested through each kind of queue",
    "minibroker/channel/state.py": "fields only: tested through the channel",
    "minibroker/server/amqp/shared.py": "abstract: tested through the connection of each protocol",
    "minibroker/server/amqp/gated.py": "abstract: tests/server/amqp/test_blocking.py, and native",
    "minibroker/server/native/incoming.py": "one function per frame: tested through the connection",
    "client/minibroker_client/buffering/buffer.py": "tests/client/resilience/test_buffering.py",
    "client/minibroker_client/resilient.py": "tests/client/resilience/test_coming_back.py",
    "client/minibroker_client/transport/amqp.py": "a few lines: the contract in test_base",
    "client/minibroker_client/transport/local_channel.py": "tested with the memory transport",
    "client/minibroker_client/transport/native.py": "a few lines: the contract in test_base",
    "client/minibroker_client/transport/socketed.py": "test_base and tests/client/resilience/",
    "client/minibroker_client/transport/tending.py": "tests/client/resilience/test_faults.py",
    "client/minibroker_client/remote/driver.py": "what a driver is: records and protocols",
    "client/minibroker_client/protocol/channel.py": "puts the halves of a channel together",
    "client/minibroker_client/protocol/output.py": "tested through the connection",
    "client/minibroker_client/protocol/shell.py": "a protocol of Python's: nothing to run",
    "minibroker/server/native/shown.py": "one name: tested through the errors that use it",
}

# Test modules, or folders of them, without a module: their subject. Only the areas of the packages
# are mapped: other folders (checks, docs, scenarios) test no module of theirs.
CROSS_CUTTING = {
    "tests/core/semantics/": "the numbered lines of the behaviour, by chapter",
    "tests/core/durable/test_committer_failing.py": "commits on a disk that fails",
    "tests/core/journal/test_version_1.py": "a directory that an older version wrote",
    "tests/core/journal/test_restart_machine.py": "ending a broker and opening it again, anywhere",
    "tests/core/test_broker_machine.py": "the broker against a small model",
    "tests/core/test_call_budget.py": "Python calls per message",
    "tests/core/test_memory_budget.py": "bytes per ready message",
    "tests/core/test_threads.py": "many threads on one broker",
    "tests/client/test_kombu_signatures.py": "the client's parameters against Kombu's",
    "tests/client/bridge/test_kill.py": "kill -9 on a bridge, its target and its source",
    "tests/client/bridge/test_systems.py": "bridges over every system",
    "tests/client/remote/test_leases.py": "leases as every system has them, on all of them",
    "tests/client/drivers/redis/test_tls.py": "TLS with a real Redis",
    "tests/client/remote/test_howto.py": "the page about a transport of one's own",
    "tests/client/remote/test_failover.py": "servers that go and come back, on every system",
    "tests/client/remote/test_kills.py": "kill -9 of everybody, on every system",
    "tests/client/resilience/": "lost connections, killed brokers, forks and signals",
    "tests/client/test_threads.py": "many threads on one broker, through the client",
    "tests/store/test_damage.py": "every bit of a log changed",
    "tests/store/test_failing_disk.py": "a log on a disk on which anything fails",
    "tests/store/test_faulty.py": "the disk of the tests itself",
    "tests/store/test_power_cuts.py": "a log on a machine that goes off at any point",
    "tests/store/test_torn_ends.py": "a log whose end was not written whole",
    "tests/server/amqp/test_blocking.py": "connections at the gate",
    "tests/server/amqp/test_handshake_order.py": "the order of the handshake, and its time",
    "tests/server/amqp/test_without_effect.py": "what has no effect, and what there is not",
    "tests/server/fuzz/": "anything at all to a server",
    "tests/server/test_two_protocols.py": "one port for both protocols",
    "tests/server/test_slow_and_hostile.py": "clients that harm themselves",
    "tests/server/test_call_budget.py": "Python calls per message, from bytes to bytes",
    "tests/wire/amqp/test_against_pamqp.py": "the codecs against pamqp's",
    "tests/wire/amqp/test_methods_against_pamqp.py": "methods and frames against pamqp's",
}


def problems(root: Path) -> list[str]:
    """Modules without tests, tests without a module, and entries of the tables that are stale."""
    modules = {name_of(path, root) for path in python_files(root, *PACKAGES)}
    tests = {
        name_of(path, root)
        for path in python_files(root, "tests/core", "tests/client", *_own_areas())
        if path.name.startswith("test_")
    }
    found: list[str] = []
    wanted: set[str] = set()
    for module in sorted(modules):
        choices = _test_modules(module)
        wanted.update(choices)
        if not tests.isdisjoint(choices) or module in UNTESTED or not _does_something(root, module):
            continue
        found.append(f"{module}: no {' or '.join(choices)}")
    found += [
        f"{test}: tests no module, and is not in CROSS_CUTTING"
        for test in sorted(tests - wanted)
        if not test.startswith(tuple(CROSS_CUTTING))
    ]
    return found


def _own_areas() -> Iterator[str]:
    return (f"tests/{area}" for area in AREAS)


def _test_modules(module: str) -> list[str]:
    """Where the tests of a module may be."""
    *folders, file = module.removeprefix("client/").removesuffix(".py").split("/")
    package, *inner = folders
    area = "client" if package == "minibroker_client" else "core"
    if area == "core" and inner and inner[0] in AREAS:
        area, *inner = inner
    folder = "/".join(("tests", area, *inner))
    if file == "__init__":
        above = "/".join(("tests", area, *inner[:-1]))
        return [f"{folder}/test_init.py", *([f"{above}/test_{inner[-1]}.py"] if inner else [])]
    return [f"{folder}/test_{file.strip('_')}.py"]


def _does_something(root: Path, module: str) -> bool:
    """A module that only gathers names from others has nothing to test."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) for node in parsed(root / module).body)
