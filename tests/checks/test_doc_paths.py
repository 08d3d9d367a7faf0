from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doc_paths import EXEMPT, problems

if TYPE_CHECKING:
    from pathlib import Path

    from planting import Plant


@pytest.fixture(autouse=True)
def _tree(plant: Plant) -> None:
    plant("minibroker/queues/ready.py")
    plant("docs/flow.md")


@pytest.mark.parametrize(
    "text",
    [
        "`minibroker/queues/ready.py`",
        "`queues/ready.py` and `ready.py`",
        "`minibroker/queues/ready.py::test_it`, `ready.py:12`",
        "`minibroker/`, `queues/`, `minibroker/queues/`",
        "`queues/*.py`",
        "[flow](docs/flow.md), [part](docs/flow.md#part), [above](#above)",
        "[elsewhere](https://example.com/x.md), [post](mailto:a@example.com)",
        "`a.b.c`, `amq.*`, `queue.Queue`, `1/2`, `and/or`, `make test`",
        "```\nno/such.py `no/such.py` [x](no.md)\n```",
    ],
)
def test_what_exists_may_be_named(tmp_path: Path, plant: Plant, text: str) -> None:
    plant("README.md", text)
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("`minibroker/queues/gone.py`", "there is no minibroker/queues/gone.py"),
        ("`eady.py`", "there is no eady.py"),
        ("`gone/`", "there is no gone/"),
        ("`queues/*.md`", "there is no queues/*.md"),
        ("`gone.py::test_it`", "there is no gone.py"),
        ("[x](docs/gone.md#part)", "dead link docs/gone.md#part"),
        ("```\n```\n[x](gone.md)", "dead link gone.md"),
    ],
)
def test_what_does_not_exist_is_a_problem(
    tmp_path: Path, plant: Plant, text: str, name: str
) -> None:
    plant("README.md", text)
    (problem,) = problems(tmp_path)
    assert problem.endswith(name)


def test_a_link_is_relative_to_its_page(tmp_path: Path, plant: Plant) -> None:
    plant("docs/a.md", "[right](flow.md) [wrong](docs/flow.md)")
    assert problems(tmp_path) == ["docs/a.md:1: dead link docs/flow.md"]


def test_pages_outside_the_docs_and_those_about_the_past_are_not_read(
    tmp_path: Path, plant: Plant
) -> None:
    for name in ("tests/notes.md", *EXEMPT):
        plant(name, "`gone.py`")
    assert problems(tmp_path) == []
