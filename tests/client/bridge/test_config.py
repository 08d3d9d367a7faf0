"""Links from a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from minibroker_client.bridge.config import link_from, read_links
from minibroker_client.bridge.link import LinkError

FILE = """
[[link]]
name = "up"
from = "memory://a"
queue = "out"
to = ["memory://b", "memory://c"]
exchange = "readings"
rate = 100
deny_headers = ["x-secret"]
queue_arguments = { x-max-length = 1000, x-overflow = "reject-publish" }

[link.routing_keys]
"sensor.*" = "edge.sensor"

[[link]]
name = "down"
from = "memory://b"
queue = "commands"
to = "memory://a"
exchange = ""
"""


def test_a_file_has_several_links(tmp_path: Path) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(FILE)
    up, down = read_links(path)
    assert (up.name, up.source, up.target) == ("up", "memory://a", ["memory://b", "memory://c"])
    assert (up.rate, up.routing_keys, up.deny_headers) == (
        100, {"sensor.*": "edge.sensor"}, ["x-secret"],
    )  # fmt: skip
    assert up.queue_arguments == {"x-max-length": 1000, "x-overflow": "reject-publish"}
    assert (down.name, down.queue, down.exchange) == ("down", "commands", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[link]\n", "bridge.toml: "),
        ("\x00", "bridge.toml: "),
        ("", "bridge.toml: no [[link]]"),
        ("link = 3", "no [[link]]"),
        ("link = [3]", "bridge.toml: a link is a table, not 3"),
        ("links = 3", "unknown key 'links' (there is: [[link]])"),
        ('[[link]]\nname = "up"', "link 'up': 'from' is missing"),
        ('[[link]]\nsource = "memory://"', "a link: unknown setting 'source' ("),
        (
            '[[link]]\nfrom = "memory://"\nqueue = "q"\nto = "x://"\nexchange = ""',
            "to: no transport",
        ),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bridge.toml"
    path.write_text(text)
    with pytest.raises(LinkError) as caught:
        read_links(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_links(tmp_path / "none.toml")


def test_a_link_can_be_made_of_a_table() -> None:
    table = {"from": "memory://a", "queue": "q", "to": "memory://b", "exchange": ""}
    assert link_from(table).source == "memory://a"
