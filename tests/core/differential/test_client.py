"""One connection of a program."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from minibroker.differential.address import Address
from minibroker.differential.client import Client
from minibroker.differential.names import Names
from minibroker.differential.program import Operation
from minibroker.differential.typed import Json

from .conftest import PREFIX


@pytest.fixture
def client(address: Address) -> Iterator[Client]:
    client = Client(address, Names(PREFIX))
    yield client
    if client.link is not None:
        client.link.close()


def do(client: Client, method: str, channel: int = 1, **fields: Any) -> list[Json]:
    """The events that an operation leads to, on its channel and on channel 0."""
    content = {name: fields.pop(name) for name in ("body", "raw", "times") if name in fields}
    assert client.perform(Operation(0, channel, method, fields, **content))
    for _ in range(3):
        deadline = monotonic() + 10
        while client.busy:
            assert monotonic() < deadline
            client.read(deadline)
        client.ask()
    found = []
    for number in (channel, 0):
        view = client.channels.get(number)
        if view is not None:
            found += [each.event for each in view.came if each.queue is None]
            view.came = [each for each in view.came if each.queue is not None]
    return found


def names(events: list[Json]) -> list[str]:
    return [each["method"] for each in events]


def test_a_channel_is_opened_when_it_is_needed(client: Client) -> None:
    assert do(client, "queue.declare", queue="~q") == [
        {
            "method": "queue.declare-ok",
            "queue": f"{PREFIX}q",
            "message_count": 0,
            "consumer_count": 0,
        }
    ]
    assert names(do(client, "queue.declare", queue="~none", passive=True)) == ["channel.close"]
    assert not client.channels[1].open
    assert names(do(client, "basic.get", queue="~q")) == ["basic.get-empty"]
    assert names(do(client, "channel.close")) == ["channel.close-ok"]
    assert names(do(client, "channel.open")) == ["channel.open-ok"]
    assert names(do(client, "channel.flow")) == ["channel.flow-ok"]


def test_a_connection_is_opened_when_it_is_needed(client: Client) -> None:
    assert names(do(client, "channel.flow", active=False)) == [
        "connection.close",
        "end of connection",
    ]
    assert client.link is None
    assert names(do(client, "tx.select")) == ["tx.select-ok"]
    assert names(do(client, "connection.close", 0)) == ["connection.close-ok"]
    assert client.link is None
    assert do(client, "connection.drop", 0) == []
    assert client.link is None
    client.ask()
    client.close()
    client.read(monotonic() + 1)


def test_a_raw_operation_does_not_open_its_channel(client: Client) -> None:
    assert names(do(client, "basic.ack", 7, delivery_tag=1, raw=True)) == [
        "connection.close",
        "end of connection",
    ]


def test_deliveries_are_settled_by_what_the_client_has(client: Client) -> None:
    do(client, "queue.declare", queue="~q")
    do(client, "confirm.select")
    do(client, "basic.publish", routing_key="~q", body="m", times=3)
    view = client.channels[1]
    assert view.acked == [1, 2, 3]
    do(client, "basic.consume", queue="~q", consumer_tag="t", arguments=[["x-priority", ["b", 1]]])
    assert [each["body"] for each in view.take_deliveries()["~q"]] == ["m1", "m2", "m3"]
    assert not client.perform(Operation(0, 1, "basic.ack", {"delivery_tag": ["oldest", 3]}))
    do(client, "basic.ack", delivery_tag=["oldest", 1])
    assert view.unsettled == [1, 3]
    do(client, "basic.recover", requeue=True)
    assert len(view.take_deliveries()["~q"]) == 2
    assert names(do(client, "basic.cancel", consumer_tag="t")) == ["basic.cancel-ok"]
    do(client, "basic.consume", queue="~q", consumer_tag="u", no_ack=True, nowait=True)
    assert view.consumers == {"u": ("~q", True)}
    do(client, "basic.publish", routing_key="~q")
    assert list(view.take_deliveries()) == ["~q"]


def test_what_does_not_come_is_recorded(client: Client) -> None:
    do(client, "confirm.select")
    view = client.channels[1]
    view.count_publish()
    view.awaiting.append("tx.commit-ok")
    client.closing = True
    client.give_up()
    assert [each.event["method"] for each in view.came] == ["nothing came"]
    assert [each.event["method"] for each in client.channels[0].came] == ["no end came"]
    assert not client.busy
    assert client.link is None
