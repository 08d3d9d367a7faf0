"""Declarations of queues for programs."""

from __future__ import annotations

from random import Random

import pytest

from minibroker.differential.queues import QueueMaker

MANY = 1000


@pytest.mark.parametrize("flavour", ["classic", "quorum", "brief"])
def test_a_queue_is_mostly_declared_with_its_own_settings(flavour: str) -> None:
    maker = QueueMaker(Random(1), flavour)
    made = [maker.declare() for _ in range(MANY)]
    usual = max(map(repr, made), key=[repr(each) for each in made].count)
    assert [repr(each) for each in made].count(usual) > MANY / 8
    assert {"~q1", "~q2", ""} <= {each["queue"] for each in made}
    assert any(each.get("passive") for each in made)


def test_flavours_differ_in_what_the_queues_are() -> None:
    def arguments(flavour: str) -> str:
        return repr([QueueMaker(Random(n), flavour).declare() for n in range(MANY)])

    assert "x-delivery-limit" in arguments("quorum")
    assert "['x-message-ttl', ['I', 1]]" in arguments("brief")
    assert "['x-message-ttl', ['I', 1]]" not in arguments("classic")


def test_a_server_named_queue_is_exclusive_for_nobody_could_delete_it() -> None:
    maker = QueueMaker(Random(1), "classic")
    made = [each for each in (maker.declare() for _ in range(MANY)) if each["queue"] == ""]
    assert made
    assert all(each["exclusive"] and not each.get("nowait") for each in made)
