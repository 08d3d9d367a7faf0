from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from minibroker_client.exceptions import NotFound, PreconditionFailed

if TYPE_CHECKING:
    from minibroker_client.protocol.channel import ProtocolChannel

    from .pair import Pair


def test_everything_is_declared_bound_and_deleted(pair: Pair, channel: ProtocolChannel) -> None:
    channel.declare_exchange("s", "topic", durable=True, auto_delete=False, internal=False)
    channel.declare_exchange("t", "headers")
    channel.bind_exchange("t", "s", "a.#", {"x": 1})
    channel.bind_queue("q", "t", "", {"x-match": "all", "k": "v"})
    pair.publish(channel, b"1", exchange="s", routing_key="a.b", properties={"headers": {"k": "v"}})
    assert channel.declare_queue("q", passive=True).message_count == 1
    assert channel.purge_queue("q") == 1
    channel.unbind_queue("q", "t", "", {"x-match": "all", "k": "v"})
    channel.unbind_exchange("t", "s", "a.#", {"x": 1})
    channel.delete_exchange("t")
    channel.delete_exchange("s", if_unused=True)
    pair.publish(channel, b"2")
    assert channel.delete_queue("q") == 1


def test_the_broker_names_a_queue_without_a_name(channel: ProtocolChannel) -> None:
    name, ready, consumers = channel.declare_queue(exclusive=True, auto_delete=True)
    assert name.startswith("amq.gen-")
    assert (ready, consumers) == (0, 0)


def test_arguments_and_headers_keep_their_types(pair: Pair, channel: ProtocolChannel) -> None:
    headers = {
        "i": -5, "f": 0.5, "s": "é", "b": b"\xff", "t": True, "n": None, "l": [1, ["x"]],
        "d": {"k": Decimal("1.5")}, "when": datetime(2020, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    pair.publish(channel, b"", properties={"headers": headers, "timestamp": 5})
    got = channel.get("q").delivery
    assert got.properties.headers == headers
    assert got.properties.timestamp == datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)


def test_errors_have_code_and_method(channel: ProtocolChannel) -> None:
    with pytest.raises(PreconditionFailed, match="durable") as caught:
        channel.declare_queue("q", durable=True)
    assert caught.value.method == "queue.declare"


def test_what_is_not_there_is_not_found(channel: ProtocolChannel) -> None:
    with pytest.raises(NotFound):
        channel.declare_exchange("nowhere", passive=True)
