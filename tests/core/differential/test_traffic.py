"""Messages, consumers and channels of programs."""

from __future__ import annotations

from random import Random

import pytest

from minibroker.differential.draft import Draft
from minibroker.differential.generate import TRAFFIC
from minibroker.differential.traffic import REPLY_TO, Traffic

MANY = 300


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(Draft(Random(1), "classic"))


def test_everything_it_can_do_is_done(traffic: Traffic) -> None:
    traffic.cancel()
    assert traffic.draft.done == [], "there is nobody to cancel"
    for _ in range(MANY):
        for name in TRAFFIC:
            getattr(traffic, name)()
    done = {each.method for each in traffic.draft.done}
    assert {"basic.cancel", "basic.recover-async", "connection.drop", "tx.rollback"} <= done
    assert any(each.raw for each in traffic.draft.done)


def test_a_question_is_answered(traffic: Traffic) -> None:
    traffic.reply_to()
    consumed, asked, got, answered, *_ = traffic.draft.done
    assert consumed.arguments["queue"] == REPLY_TO
    assert asked.properties["reply_to"] == REPLY_TO
    assert got.arguments["queue"] == asked.arguments["routing_key"]
    assert answered.arguments["routing_key"] == "<reply-1>"


def test_transactions_end_mostly_where_they_began(traffic: Traffic) -> None:
    for _ in range(MANY):
        traffic.transact()
    without = len(traffic.draft.done)
    assert 0 < without < 0.2 * MANY
    traffic.draft.add("tx.select", (2, 5))
    traffic.transact()
    assert (traffic.draft.done[-1].connection, traffic.draft.done[-1].channel) == (2, 5)


def test_consumer_tags_are_hardly_ever_used_twice(traffic: Traffic) -> None:
    for _ in range(MANY):
        traffic.consume()
    tags = [tag for _, _, tag in traffic.draft.tags]
    assert 0.9 * len(tags) < len(set(tags)) < len(tags)
