"""The languages: what has to be there, how a program is built, and how it is called.

`programs` of a language are in the directory of its name. What building them makes is put into a
directory that is given, never beside them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..needed import missing, needed_command

__all__ = ["LANGUAGES", "Language", "run"]

HERE = Path(__file__).parent
PATIENCE = 100
"""Seconds for a program: where it fails it says so much sooner."""


class Language(NamedTuple):
    """A language with one client library."""

    name: str
    build: Callable[[Path], Sequence[str | Path]]
    """Makes the program in a directory, and returns the command that calls it."""
    without: dict[str, str] = {}  # noqa: RUF012 -- nobody changes it
    """Scenarios that the library has no calls for, and why."""
    unsent: dict[str, str] = {}  # noqa: RUF012 -- nobody changes it
    """Headers of the scenario `values` that it cannot send, and why."""
    volume: int = 10_000
    """How many messages are sent through a queue in the test of volumes."""


def run(command: Sequence[str | Path], directory: Path, **environment: str) -> str:
    """What a command prints. Raises AssertionError with what it wrote when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr[-3000:]}"
    return done.stdout


def _node(directory: Path) -> Sequence[str | Path]:
    """The packages amqplib and amqp-connection-manager, from where npm is set up to get them."""
    needed_command("node")
    shutil.copytree(HERE / "node", directory, dirs_exist_ok=True)
    run(
        [needed_command("npm"), "install", "--no-audit", "--no-fund", "--no-package-lock"],
        directory,
    )
    return ["node", directory / "contract.js"]


def _go(directory: Path) -> Sequence[str | Path]:
    """Debian's package of amqp091-go, which is built without the net."""
    sources = Path("/usr/share/gocode")
    if not (sources / "src/github.com/rabbitmq/amqp091-go").exists():
        missing("Debian's package golang-github-rabbitmq-amqp091-go-dev")
    program = directory / "contract"
    run(
        [needed_command("go"), "build", "-o", program, *sorted((HERE / "go").glob("*.go"))],
        directory,
        GO111MODULE="off",
        GOPATH=str(sources),
        GOCACHE=str(directory / "cache"),
        GOFLAGS="",
    )
    return [program]


def _ruby(directory: Path) -> Sequence[str | Path]:
    """Debian's package of Bunny."""
    ruby = needed_command("ruby")
    if not _works([ruby, "-e", "require 'bunny'"]):
        missing("Debian's package ruby-bunny")
    return [ruby, HERE / "ruby" / "contract.rb"]


def _php(directory: Path) -> Sequence[str | Path]:
    """Debian's package of php-amqplib."""
    php = needed_command("php")
    if not Path("/usr/share/php/PhpAmqpLib/autoload.php").exists():
        missing("Debian's package php-amqplib")
    return [php, HERE / "php" / "contract.php"]


def _java(directory: Path) -> Sequence[str | Path]:
    """Debian's package of the Java client."""
    jars = Path("/usr/share/java")
    if not (jars / "amqp-client.jar").exists():
        missing("Debian's package librabbitmq-client-java")
    path = ":".join(str(jars / f"{name}.jar") for name in ("amqp-client", "slf4j-api", "slf4j-nop"))
    sources = sorted((HERE / "java").glob("*.java"))
    run(
        [needed_command("javac"), "-encoding", "utf-8", "-cp", path, "-d", directory, *sources],
        directory,
    )
    return [needed_command("java"), "-cp", f"{directory}:{path}", "Contract"]


def _works(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


LANGUAGES = [
    Language("node", _node, {"transactions": "amqplib has no tx.select"}),
    Language("go", _go, volume=100_000),
    Language("ruby", _ruby),
    Language("php", _php, unsent={"double": "php-amqplib sends text instead"}),
    Language("java", _java, volume=100_000),
]
