"""Each language: its client does the same as all others, and sees the same on both brokers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ..servers import AmqpServer
from .languages import Language, run
from .scenarios import SCENARIOS, Scenario

Command = Sequence[str | Path]
Name = Callable[[str], str]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def test_a_client_sees_what_the_contract_says(
    program: Command,
    language: Language,
    scenario: Scenario,
    amqp_server: AmqpServer,
    name: Name,
    tmp_path: Path,
) -> None:
    if scenario.name in language.without:
        pytest.skip(language.without[scenario.name])
    prefix = name("c")
    printed = run([*program, scenario.name, amqp_server.url, prefix], tmp_path)
    expected = scenario.sees(prefix)
    for header in language.unsent:
        expected.get("headers", {}).pop(header, None)
    assert json.loads(printed) == expected


def test_many_messages_go_through_a_queue_in_order(
    program: Command, language: Language, amqp_server: AmqpServer, name: Name, tmp_path: Path
) -> None:
    """One connection publishes with confirms, another consumes with acks, at the same time."""
    number = language.volume
    printed = run([*program, "volume", amqp_server.url, name("v"), str(number)], tmp_path)
    assert json.loads(printed) == {"received": number, "in_order": True}
