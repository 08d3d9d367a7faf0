"""Programs performed on a broker."""

from __future__ import annotations

from typing import Any

import pytest

from minibroker.differential.address import Address
from minibroker.differential.execute import Patience, execute
from minibroker.differential.program import Program
from minibroker.differential.typed import Json
from minibroker.differential.watch import Watch

from .conftest import PREFIX


def op(method: str, connection: int = 0, channel: int = 1, **arguments: Any) -> Json:
    content = {
        name: arguments.pop(name)
        for name in ("body", "more", "properties", "times")
        if name in arguments
    }
    return {"on": [connection, channel], "do": method, "arguments": arguments, **content}


@pytest.fixture
def run(address: Address, watch: Watch) -> Any:
    def run(*operations: Json, patience: Patience | None = None) -> list[Json]:
        program = Program.from_json({"operations": list(operations)})
        return execute(program, address, watch, PREFIX, patience or Patience())

    return run


QUEUE = op("queue.declare", queue="~q")
PUBLISH = op("basic.publish", routing_key="~q", body="m")


def test_what_an_operation_leads_to_is_its_observation(run: Any) -> None:
    declared, published, consumed, acked, closed, _, left = run(
        QUEUE, PUBLISH, op("basic.consume", 1, queue="~q", consumer_tag="t"),
        op("basic.ack", 1, delivery_tag=["oldest", 0]),
    )  # fmt: skip
    assert declared == {
        "0.1": [
            {
                "method": "queue.declare-ok",
                "queue": "~q",
                "message_count": 0,
                "consumer_count": 0,
            }
        ],
        "queues": {"~q": [0, 0]},
    }
    assert published == {"queues": {"~q": [1, 0]}}
    assert consumed["queues"] == {"~q": [0, 1]}
    assert consumed["1.1"] == [{"method": "basic.consume-ok", "consumer_tag": "t"}]
    (delivery,) = consumed["1.1 from ~q"]
    assert (delivery["delivery_tag"], delivery["body"]) == (1, "m")
    assert acked == {}
    assert closed == {"0.0": [{"method": "connection.close-ok"}]}
    assert left == {"left in ~q": [{"method": "basic.get-empty"}]}


def test_confirms_returns_and_cancels_are_told(run: Any) -> None:
    full = [["x-max-length", ["I", 1]], ["x-overflow", ["S", "reject-publish"]]]
    records = run(
        op("queue.declare", queue="~q", arguments=full), op("confirm.select"),
        {**PUBLISH, "times": 3},
        op("basic.publish", routing_key="~none", mandatory=True),
        op("basic.consume", 1, queue="~q", consumer_tag="t"), op("queue.delete", queue="~q"),
    )  # fmt: skip
    assert records[2] == {"0.1 acked": [1], "0.1 nacked": [2, 3], "queues": {"~q": [1, 0]}}
    assert records[3]["0.1"][0]["reply_text"] == "NO_ROUTE"
    assert records[3]["0.1 acked"] == [4]
    assert records[5]["1.1 cancelled"] == ["t"]
    assert records[5]["queues"] == {"~q": "none"}


def test_operations_can_follow_at_once(run: Any) -> None:
    first, second, third, *_ = run(
        {**QUEUE, "more": True}, {**PUBLISH, "more": True}, op("pause", times=1)
    )
    assert (first, second) == ({}, {})
    assert third["queues"] == {"~q": [1, 0]}


def test_what_cannot_be_settled_is_left_out(run: Any) -> None:
    assert run(op("basic.ack", delivery_tag=["newest", 0]))[0] == {"left out": True}


def test_a_dropped_connection_gives_back_what_it_had(run: Any) -> None:
    records = run(
        QUEUE, PUBLISH, op("basic.get", 1, queue="~q"), op("connection.drop", 1, 0),
        patience=Patience(pause=0.001),
    )  # fmt: skip
    assert records[2]["queues"] == {"~q": [0, 0]}
    assert records[3] == {"queues": {"~q": [1, 0]}}


def test_channels_that_compete_end_one_after_the_other(run: Any) -> None:
    records = run(
        QUEUE,
        op("basic.consume", 1, 1, queue="~q"),
        PUBLISH,
        op("basic.consume", 1, 2, queue="~q", no_ack=True),
        op("connection.close", 1, 0),
    )
    assert "1.1 from ~q" in records[2]
    # It comes back from the first one to the second one, and there it is not acked.
    assert records[4]["queues"] == {"~q": [0, 0]}
    assert records[4]["1.1"] == [{"method": "channel.close-ok"}]


def test_what_comes_to_a_connection_that_ends_is_not_compared(run: Any) -> None:
    records = run(
        QUEUE,
        PUBLISH,
        op("basic.consume", queue="~q"),
        op("basic.consume", 0, 2, queue="~q"),
        op("channel.open"),
    )
    assert records[4]["0.0"][0]["reply_code"] == 504
    assert not any("from" in key for key in records[4])


def test_names_that_the_server_makes_are_followed(run: Any) -> None:
    records = run(
        op("queue.declare", queue="", exclusive=True),
        op("basic.publish", routing_key="<queue-1>", body="m"),
        op("exchange.declare", exchange="~x"),
    )
    assert records[0]["0.1"][0]["queue"] == "<queue-1>"
    assert records[1]["queues"] == {"<queue-1>": [1, 0]}
    assert records[-2]["queues"] == {"<queue-1>": "none"}
    assert records[-1] == {"exchanges": ["~x"]}


def test_quorum_queues_are_waited_for(run: Any) -> None:
    quorum = op(
        "queue.declare", queue="~q", durable=True, arguments=[["x-queue-type", ["S", "quorum"]]]
    )
    assert run(quorum, {**PUBLISH, "times": 5})[1]["queues"] == {"~q": [5, 0]}


def test_nothing_stays_behind(run: Any, address: Address, watch: Watch) -> None:
    run(op("queue.declare", queue="~q", durable=True), op("exchange.declare", exchange="~x"))
    assert watch.counts([f"{PREFIX}q"], []) == {f"{PREFIX}q": None}
    assert not watch.exists(f"{PREFIX}x")


def test_an_answer_that_does_not_come_is_not_waited_for(run: Any) -> None:
    records = run(
        op("channel.flow"),
        op("basic.consume", queue="amq.rabbitmq.reply-to", no_ack=True),
        patience=Patience(timeout=0.0),
    )
    assert all(isinstance(each, dict) for each in records)
