"""Builds the wheel, installs it into a fresh environment and runs the tests against it.

Usage: .ci/wheel_test.py [PYTHON] makes the environment with PYTHON (default: the one that runs
this) and needs `build` and `hatchling` where it runs. The tests run from a copy that holds no
source of the packages, so only what is in the wheel can be imported. What the wheel cannot show
(tests/checks and tests/bench read the source tree) stays out of the copy, and so do tests/interop,
whose clients are not installed with the wheel, but for what starts servers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Fails unless both packages come from the environment, typed and with their version.
PROOF = """
import sys
from importlib.metadata import version
from pathlib import Path
import minibroker, minibroker_client
for package in (minibroker, minibroker_client):
    home = Path(package.__file__).parent
    assert home.is_relative_to(sys.prefix), f"{home} is not in {sys.prefix}"
    assert (home / "py.typed").is_file(), f"{home} has no py.typed"
assert version("minibroker") == minibroker.__version__
print("testing", Path(minibroker.__file__).parent)
"""

STARTS_SERVERS = ("needed.py", "processes.py", "servers.py")
"""What other tests use of tests/interop."""


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command without the caller's PYTHONPATH; end with its exit code if it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def build(into: Path) -> Path:
    """The wheel, built from a copy of the sources so that the checkout gets no new files."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", into, ROOT)
    (wheel,) = into.glob("*.whl")
    return wheel


def copy_tests(into: Path) -> None:
    """The tests and the pages whose code they run, and nothing that can be imported instead."""
    skipped = shutil.ignore_patterns("__pycache__", "checks", "bench", "interop")
    shutil.copytree(ROOT / "tests", into / "tests", ignore=skipped)
    (into / "tests" / "interop").mkdir()
    for name in STARTS_SERVERS:
        shutil.copy(ROOT / "tests" / "interop" / name, into / "tests" / "interop" / name)
    for folder in ("docs", "examples"):
        shutil.copytree(ROOT / folder, into / folder)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, into / name)


def main(python: str) -> None:
    """Build, install, prove, test."""
    with tempfile.TemporaryDirectory(prefix="minibroker-wheel-") as name:
        work = Path(name)
        wheel = build(work / "dist")
        run(python, "-m", "venv", work / "venv")
        installed = work / "venv" / "bin" / "python"
        run(
            installed, "-m", "pip", "-q", "--disable-pip-version-check", "install", f"{wheel}[test]"
        )
        copy = work / "copy"
        copy.mkdir()
        copy_tests(copy)
        run(installed, "-c", PROOF, cwd=copy)
        os.environ["MINIBROKER_TEST_SYSTEMS"] = ""  # they were asked before
        ignored = ("--ignore=tests/external", "--ignore=tests/client/drivers")
        run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ignored, cwd=copy)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else sys.executable)
