"""Programs and libraries that a test cannot do without: a missing one skips the test, unless the
environment says that all of them must be there.
"""

from __future__ import annotations

import importlib
import os
import shutil
from typing import Any, NoReturn

import pytest

__all__ = ["missing", "needed_command", "needed_module"]


def missing(what: str) -> NoReturn:
    """Skip the test or the test module, or fail it where MINIBROKER_REQUIRE_SERVERS=1."""
    if os.environ.get("MINIBROKER_REQUIRE_SERVERS") == "1":
        pytest.fail(f"{what} is missing", pytrace=False)
    pytest.skip(f"{what} is missing", allow_module_level=True)


def needed_module(name: str) -> Any:
    """An importable module, as something that type checkers do not look into."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing(f"the module {error.name}")


def needed_command(name: str) -> str:
    """The path of a command."""
    path = shutil.which(name)
    return path if path is not None else missing(f"the command {name}")
