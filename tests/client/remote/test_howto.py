"""The page about a transport of one's own does what it says; the contract suite runs its driver."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .places import HOWTO

ROOT = HOWTO.parents[1]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", HOWTO.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """The directory of `howto_sqlite.py`."""
    (tmp_path / "howto_sqlite.py").write_text(BLOCKS[0])
    return tmp_path


def test_the_driver_is_short() -> None:
    assert len(BLOCKS[0].splitlines()) < 150


def test_what_is_said_of_using_it_works(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(module)
    code = BLOCKS[1].replace("/tmp/queues.db", f"{module}/queues.db")
    exec(compile(code, str(HOWTO), "exec"), {"__name__": "__main__"})


def test_the_contract_suite_runs_on_a_transport_that_the_environment_names(module: Path) -> None:
    path = os.pathsep.join([str(module), os.environ.get("PYTHONPATH", "")])
    named = {
        "PYTHONPATH": path,
        "MINIBROKER_TEST_TRANSPORT": "howto_sqlite",
        "MINIBROKER_TEST_URL": f"sqlite:///{module}/contract.db",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    chosen = ["tests/client/transport/test_base.py", "-k", "yours and confirmed"]
    done = subprocess.run(
        [*command, *chosen], cwd=ROOT, env={**os.environ, **named}, timeout=120,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
