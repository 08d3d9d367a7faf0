from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from module_map import CROSS_CUTTING, UNTESTED, problems

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant

CODE = "def f(): ...\n"


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("minibroker/clock.py", "tests/core/test_clock.py"),
        ("minibroker/__main__.py", "tests/core/test_main.py"),
        ("minibroker/__init__.py", "tests/core/test_init.py"),
        ("minibroker/queues/ready.py", "tests/core/queues/test_ready.py"),
        ("minibroker/queues/__init__.py", "tests/core/queues/test_init.py"),
        ("minibroker/queues/__init__.py", "tests/core/test_queues.py"),
        ("minibroker/wire/amqp/frames.py", "tests/wire/amqp/test_frames.py"),
        ("client/minibroker_client/message.py", "tests/client/test_message.py"),
        ("client/minibroker_client/transport/base.py", "tests/client/transport/test_base.py"),
    ],
)
def test_a_module_and_its_test_module_belong_together(
    tmp_path: Path, plant: Plant, module: str, test: str
) -> None:
    plant(module, CODE)
    (missing,) = problems(tmp_path)
    assert missing.startswith(f"{module}: no ")
    assert test in missing
    plant(test)
    assert problems(tmp_path) == []


def test_a_test_module_without_a_module_is_a_problem(tmp_path: Path, plant: Plant) -> None:
    plant("tests/core/test_gone.py")
    assert problems(tmp_path) == [
        "tests/core/test_gone.py: tests no module, and is not in CROSS_CUTTING"
    ]


def test_helpers_of_tests_and_other_folders_are_not_mapped(tmp_path: Path, plant: Plant) -> None:
    plant("tests/core/conftest.py")
    plant("tests/docs/test_python_blocks.py")
    for name in CROSS_CUTTING:
        plant(f"{name}test_a.py" if name.endswith("/") else name)
    assert problems(tmp_path) == []


def test_a_module_that_only_gathers_names_needs_no_tests(tmp_path: Path, plant: Plant) -> None:
    plant("minibroker/queues/__init__.py", "from .queue import Queue\n__all__ = ['Queue']\n")
    assert problems(tmp_path) == []


def test_a_module_listed_with_a_reason_needs_no_tests(tmp_path: Path, plant: Plant) -> None:
    plant(next(iter(UNTESTED)), CODE)
    assert problems(tmp_path) == []
