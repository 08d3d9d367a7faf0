"""Fetches a client's source, runs the tests in it against a server, and says what came of them.

Source and environments are kept below the user's cache directory, by contents. Knows no suite.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from .catalogue import Suite

__all__ = ["Outcome", "run"]

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "minibroker-interop"
PATIENCE = 1200


@dataclass(slots=True)
class Outcome:
    """What a suite said."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: int = 0
    output: str = ""


def run(suite: Suite, host: str, port: int, directory: Path) -> Outcome:
    """Run a suite against a server; `directory` is for its report."""
    source, python = _prepared(suite)
    report = directory / "report.xml"
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [*command, *suite.options, *suite.paths],
        cwd=source,
        env=_environment() | suite.environment(host, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if not report.exists():
        raise RuntimeError(f"{suite.name} wrote no report:\n{done.stdout[-4000:]}")
    outcome = _read(report)
    outcome.output = done.stdout[-8000:]
    return outcome


def _read(report: Path) -> Outcome:
    outcome = Outcome()
    for case in ET.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            outcome.failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in kinds:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome


def _environment() -> dict[str, str]:
    """That of this process, without what leads Python back to this checkout."""
    dropped = ("PYTHON", "PYTEST", "MINIBROKER", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)}


def _prepared(suite: Suite) -> tuple[Path, str]:
    """The unpacked source, with our files in it, and a Python that has what it needs."""
    key = hashlib.sha256(repr((suite, sys.version_info[:2])).encode()).hexdigest()[:12]
    place = CACHE / f"{suite.name}-{suite.version}-{key}"
    python = place / "venv" / "bin" / "python"
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _unpack(suite, place)
        _call(sys.executable, "-m", "venv", place / "venv")
        pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _call(python, *pip, "pytest", place / "source", *suite.requirements)
        (place / "done").touch()
    return place / "source", str(python)


def _unpack(suite: Suite, place: Path) -> None:
    wanted = f"{suite.name}=={suite.version}"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    _call(*pip, "--no-deps", "--no-binary", suite.name, "--dest", place, wanted)
    (archive,) = place.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(place / "unpacked", filter="data")
    (source,) = (place / "unpacked").iterdir()
    source.rename(place / "source")
    for name, content in suite.files.items():
        path = place / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _call(*command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(),
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout[-4000:]}")
