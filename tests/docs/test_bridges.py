"""The programs of docs/bridges.md between all transports, and its file."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from minibroker import Broker
from minibroker_client.bridge import Bridge, BridgeLink, Health, read_links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..interop.servers import AmqpServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bridges.md").read_text(encoding="utf-8")
FORWARD, BOTH_WAYS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
OURS = 'CENTRAL = "memory://central"'
THEIRS = 'NORTH, SOUTH = "memory://north", "memory://south"'
WHERE = ["memory", "file", "minibroker-native", "amqp", "rabbitmq"]


@pytest.fixture(params=WHERE)
def url(
    request: pytest.FixtureRequest, tmp_path: Path, amqp_servers: Callable[[str], AmqpServer]
) -> Iterator[str]:
    """The URL of a broker that nobody else uses, or of a RabbitMQ."""
    if request.param == "rabbitmq":
        yield amqp_servers("rabbitmq").url
    elif request.param == "file":
        yield f"file://{tmp_path}/central"
    elif request.param == "memory":
        yield f"memory://{tmp_path.name}"
    else:
        with Broker() as broker, broker.listen() as server:
            yield server.url if request.param == "amqp" else server.native_url


def test_messages_reach_any_transport(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert FORWARD.count(OURS) == 1
    program = FORWARD.replace(OURS, f"CENTRAL = {url!r}")
    exec(compile(program, "In process", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("where", ["amqp", "native", "file"])
def test_there_are_no_loops_between_any_transports(where: str, tmp_path: Path) -> None:
    assert BOTH_WAYS.count(THEIRS) == 1
    with Broker() as broker, broker.listen() as server:
        south = {"amqp": server.url, "native": server.native_url, "file": f"file://{tmp_path}/s"}
        program = BOTH_WAYS.replace(THEIRS, f"NORTH, SOUTH = 'memory://n', {south[where]!r}")
        exec(compile(program, "Both ways", "exec"), {"__name__": "__main__"})


def test_the_file_of_the_page_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    path = tmp_path / "bridge.toml"
    path.write_text(text, encoding="utf-8")
    up, down = read_links(path)
    assert (up.name, up.unfit, down.opposite) == ("edge-7-up", "dead-letter", ["edge-7-up"])
    assert list(Bridge(up, down).health()) == ["edge-7-up", "edge-7-down"]


def test_the_page_names_every_setting_and_every_number() -> None:
    """Those that it leaves to their docstrings are named here."""
    left = {
        "source_options", "target_options", "burst", "interval_step", "source", "target",
    }  # fmt: skip
    names = {each.name for each in (*fields(BridgeLink), *fields(Health))}
    assert {name for name in names - left if not re.search(rf"\b{name}\b", PAGE)} == set()
