"""A program in the making."""

from __future__ import annotations

from random import Random

import pytest

from minibroker.differential.draft import PAUSE, Draft

MANY = 300


@pytest.fixture
def draft() -> Draft:
    return Draft(Random(1), "classic")


def test_what_is_done_is_kept_in_order(draft: Draft) -> None:
    draft.add("tx.select", (0, 2))
    draft.put("basic.publish", (1, 1), {"exchange": ""}, body="m", times=2)
    draft.add("tx.commit")
    assert [str(each) for each in draft.done[:2]] == [
        "0.2 tx.select()",
        "1.1 basic.publish(exchange='', body='m', times=2)",
    ]
    assert draft.done[2].connection in {0, 1, 2}


def test_what_lives_briefly_is_waited_for() -> None:
    draft = Draft(Random(1), "brief")
    draft.add("tx.select", (0, 2))
    selected, pause = draft.done
    assert (selected.more, pause.method, pause.times) == (True, "pause", PAUSE)


def test_names_are_mostly_of_what_there_is(draft: Draft) -> None:
    assert "amq.direct" in {draft.exchange() for _ in range(MANY)}
    assert "~q1" in {draft.queue() for _ in range(MANY)}
    draft.add("queue.declare", queue="~q7")
    draft.add("exchange.declare", exchange="~x7")
    queues = [draft.queue() for _ in range(MANY)]
    exchanges = [draft.exchange() for _ in range(MANY)]
    assert queues.count("~q7") > 0.8 * MANY
    assert exchanges.count("~x7") > 0.8 * MANY
    assert {"~missing", "<queue-1>"} <= set(queues)
    assert {"~missing", "amq.topic"} <= set(exchanges)


def test_a_topic_exchange_has_patterns(draft: Draft) -> None:
    assert "a.#" in {draft.key("amq.topic") for _ in range(MANY)}
    assert "a.#" not in {draft.key("amq.direct") for _ in range(MANY)}


def test_a_flag_is_set_now_and_then(draft: Draft) -> None:
    assert draft.flag("passive", 100) == {"passive": True}
    assert draft.flag("passive", 0) == {}


def test_what_has_something_to_settle_is_busy(draft: Draft) -> None:
    draft.receiving = [(2, 9)]
    assert [draft.busy_channel() for _ in range(MANY)].count((2, 9)) > 0.9 * MANY
