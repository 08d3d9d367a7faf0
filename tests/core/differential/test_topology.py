"""Declarations and bindings of programs."""

from __future__ import annotations

from random import Random

import pytest

from minibroker.differential.draft import Draft
from minibroker.differential.generate import TOPOLOGY
from minibroker.differential.queues import QueueMaker
from minibroker.differential.topology import Topology

MANY = 300


@pytest.fixture
def topology() -> Topology:
    random = Random(1)
    return Topology(Draft(random, "classic"), QueueMaker(random, "classic"))


def test_everything_it_can_do_is_done(topology: Topology) -> None:
    topology.unbind()
    assert topology.draft.done == [], "there is nothing to take back"
    for _ in range(MANY):
        for name in TOPOLOGY:
            getattr(topology, name)()
    assert {each.method for each in topology.draft.done} == {
        "exchange.bind", "exchange.declare", "exchange.delete", "exchange.unbind", "queue.bind",
        "queue.declare", "queue.delete", "queue.purge", "queue.unbind",
    }  # fmt: skip


def test_no_binding_outlives_the_queues_and_exchanges_of_a_program(topology: Topology) -> None:
    for _ in range(MANY):
        topology.exchange_bind()
    for each in topology.draft.done:
        assert not each.arguments["destination"].startswith("amq.")


def test_a_headers_exchange_is_bound_with_arguments(topology: Topology) -> None:
    topology.draft.types = {"~x1": "headers"}
    topology.draft.add("exchange.declare", exchange="~x1")
    for _ in range(MANY):
        topology.queue_bind()
    bound = [each.arguments for each in topology.draft.done[1:]]
    assert all("arguments" in each for each in bound if each["exchange"] == "~x1")
    assert not all("arguments" in each for each in bound)


def test_an_unbind_is_mostly_of_what_was_bound(topology: Topology) -> None:
    topology.draft.add("queue.bind", queue="~q1", exchange="amq.topic", nowait=True)
    for _ in range(MANY):
        topology.unbind()
    unbound = [each.arguments for each in topology.draft.done[1:]]
    assert unbound.count({"queue": "~q1", "exchange": "amq.topic"}) > 0.7 * MANY
