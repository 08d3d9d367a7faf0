"""Runs every ```python block of README.md and docs/.

A block has a namespace of its own; one that starts with `# continues` goes on in that of the block
before it. After `<!-- not run: reason -->` a block is only compiled, after `<!-- served -->` it
finds a broker at `amqp://localhost/` and `minibroker://localhost/`. The code runs in an empty
folder, and what it prints is captured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker

if TYPE_CHECKING:
    from types import CodeType

ROOT = Path(__file__).resolve().parents[2]

FENCE = re.compile(r"^( *)```python\s*$")
SERVED = "<!-- served -->"
NOT_RUN = re.compile(r"<!-- not run: \S.* -->")


@dataclass(slots=True)
class Block:
    """One block of a page: the line of its first statement, its code, whether it is run."""

    page: str
    line: int
    run: bool
    served: bool = False
    code: list[str] = field(default_factory=list)

    def compiled(self) -> CodeType:
        """Its code, with the line numbers of the page. Raises SyntaxError."""
        source = "\n" * (self.line - 1) + "\n".join(self.code)
        return compile(source, self.page, "exec")


def blocks_of(page: str, text: str) -> list[list[Block]]:
    """The blocks of a page, grouped by the namespace they share.

    Raises ValueError if a block is not closed.
    """
    groups: list[list[Block]] = []
    lines = enumerate(text.splitlines(), start=1)
    last = ""
    for number, line in lines:
        if fence := FENCE.match(line):
            run = NOT_RUN.fullmatch(last.strip()) is None
            block = Block(page, number + 1, run, served=last.strip() == SERVED)
            for _, inner in lines:
                if inner.strip() == "```":
                    break
                block.code.append(inner.removeprefix(fence[1]))
            else:
                raise ValueError(f"{page}:{number}: the block is not closed")
            if block.code and block.code[0].startswith("# continues") and groups:
                groups[-1].append(block)
            else:
                groups.append([block])
        last = line or last
    return groups


def run(group: list[Block]) -> None:
    """Run the blocks of one namespace in order."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in group:
        code = block.compiled()
        if block.served:
            run_served(block, namespace)
        elif block.run:
            exec(code, namespace)


def run_served(block: Block, namespace: dict[str, object]) -> None:
    """Run a block that needs `minibroker serve`, on a port of its own."""
    pytest.importorskip("pika")
    with Broker() as broker, broker.listen(port=0) as server:
        block.code = [
            line.replace("minibroker://localhost/", server.native_url).replace(
                "amqp://localhost/", server.url
            )
            for line in block.code
        ]
        exec(block.compiled(), namespace)


def pages() -> list[Path]:
    """README.md and what is below docs/."""
    return [
        path for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))) if path.exists()
    ]


GROUPS = [
    pytest.param(group, id=f"{group[0].page}:{group[0].line}")
    for path in pages()
    for group in blocks_of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("group", GROUPS)
def test_the_code_of_the_documentation_runs(
    group: list[Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(group)


def test_a_block_that_fails_names_its_page_and_line() -> None:
    (group,) = blocks_of("a.md", "text\n\n```python\nx = 1\nassert x == 2\n```\n")
    with pytest.raises(AssertionError) as failure:
        run(group)
    assert (str(failure.traceback[-1].path), failure.traceback[-1].lineno + 1) == ("a.md", 5)


def test_blocks_share_nothing_unless_one_continues() -> None:
    text = "```python\nx = 1\n```\n```python\n# continues\nassert x\n```\n```python\nx\n```\n"
    first, second = blocks_of("a.md", text)
    run(first)
    with pytest.raises(NameError):
        run(second)


def test_a_block_that_is_not_run_must_still_compile() -> None:
    (group,) = blocks_of("a.md", "<!-- not run: needs a server -->\n\n```python\nundefined\n```\n")
    run(group)
    (group,) = blocks_of(
        "a.md", "<!-- not run: needs a server -->\n```python\nis not python\n```\n"
    )
    with pytest.raises(SyntaxError):
        run(group)


def test_a_block_without_a_reason_not_to_be_run_is_run() -> None:
    (group,) = blocks_of("a.md", "<!-- not run: -->\n```python\nundefined\n```\n")
    with pytest.raises(NameError):
        run(group)


def test_a_block_in_a_list_is_read_without_its_indent() -> None:
    (group,) = blocks_of("a.md", "- item\n\n  ```python\n  if True:\n      x = 1\n  ```\n")
    assert group[0].code == ["if True:", "    x = 1"]


def test_other_blocks_are_not_python() -> None:
    assert blocks_of("a.md", "```\nno\n```\n```sh\nls\n```\n") == []


def test_a_block_that_is_not_closed_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"a\.md:1"):
        blocks_of("a.md", "```python\nx = 1\n")
