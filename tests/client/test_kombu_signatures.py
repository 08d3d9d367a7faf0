"""The client's parameters against Kombu's: each difference is one that is meant."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

import pytest

import minibroker_client
from minibroker_client import common, mixins, pools, simple
from minibroker_client.connection_pool import ConnectionPool

kombu = pytest.importorskip("kombu")
for module in ("common", "mixins", "pools", "simple"):
    importlib.import_module(f"kombu.{module}")

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGE_PROPERTIES = {
    "correlation_id", "reply_to", "message_id", "type", "timestamp", "user_id", "app_id",
}  # fmt: skip
EXCHANGE_KEYWORDS = {
    "arguments", "durable", "passive", "auto_delete", "delivery_mode", "no_declare",
}  # fmt: skip
QUEUE_KEYWORDS = {
    "queue_arguments", "binding_arguments", "consumer_arguments", "durable", "exclusive",
    "auto_delete", "no_ack", "alias", "no_declare", "expires", "message_ttl", "max_length",
    "max_length_bytes", "max_priority",
}  # fmt: skip
# What only old brokers and other transports need.
CONNECTION_GONE = {"insist", "login_method", "uri_prefix", "credential_provider"}

# Ours, Kombu's, what only Kombu has, what only we have. Kombu's `**kwargs` are spelled out here.
CASES: list[tuple[Callable[..., Any], Callable[..., Any], set[str], set[str]]] = [
    (
        minibroker_client.Producer.publish,
        kombu.Producer.publish,
        {"properties"},
        MESSAGE_PROPERTIES,
    ),
    (minibroker_client.Producer.__init__, kombu.Producer.__init__, set(), set()),
    (minibroker_client.Consumer.__init__, kombu.Consumer.__init__, set(), set()),
    (minibroker_client.Consumer.qos, kombu.Consumer.qos, set(), set()),
    (
        minibroker_client.Exchange.__init__,
        kombu.Exchange.__init__,
        {"kwargs"},
        EXCHANGE_KEYWORDS,
    ),
    (minibroker_client.Exchange.declare, kombu.Exchange.declare, set(), set()),
    (minibroker_client.Exchange.bind_to, kombu.Exchange.bind_to, {"kwargs"}, set()),
    (minibroker_client.Exchange.unbind_from, kombu.Exchange.unbind_from, set(), set()),
    (minibroker_client.Exchange.publish, kombu.Exchange.publish, set(), set()),
    (
        minibroker_client.Exchange.Message,
        kombu.Exchange.Message,
        {"kwargs"},
        {"priority", "content_type", "content_encoding", "headers"},
    ),
    (minibroker_client.Queue.__init__, kombu.Queue.__init__, {"kwargs"}, QUEUE_KEYWORDS),
    (minibroker_client.Queue.declare, kombu.Queue.declare, set(), set()),
    (minibroker_client.Queue.queue_declare, kombu.Queue.queue_declare, set(), set()),
    (minibroker_client.Queue.bind_to, kombu.Queue.bind_to, set(), set()),
    (minibroker_client.Queue.get, kombu.Queue.get, set(), set()),
    (minibroker_client.Queue.consume, kombu.Queue.consume, set(), set()),
    (minibroker_client.Queue.delete, kombu.Queue.delete, set(), set()),
    (minibroker_client.binding.__init__, kombu.binding.__init__, set(), set()),
    (
        minibroker_client.Connection.__init__,
        kombu.Connection.__init__,
        {*CONNECTION_GONE, "kwargs"},
        set(),
    ),
    (
        minibroker_client.Connection.ensure_connection,
        kombu.Connection._ensure_connection,
        set(),
        set(),
    ),
    (minibroker_client.Connection.ensure, kombu.Connection.ensure, set(), {"jitter"}),
    (minibroker_client.Connection.autoretry, kombu.Connection.autoretry, set(), set()),
    (minibroker_client.Connection.as_uri, kombu.Connection.as_uri, {"getfields"}, set()),
    (
        minibroker_client.Connection.drain_events,
        kombu.Connection.drain_events,
        {"kwargs"},
        {"timeout"},
    ),
    (minibroker_client.Connection.SimpleQueue, kombu.Connection.SimpleQueue, set(), set()),
    (minibroker_client.Connection.Pool, kombu.Connection.Pool, {"kwargs"}, set()),
    (minibroker_client.Message.__init__, kombu.Message.__init__, {"kwargs"}, set()),
    (minibroker_client.Message.ack_log_error, kombu.Message.ack_log_error, set(), set()),
    (simple.SimpleQueue.__init__, kombu.simple.SimpleQueue.__init__, set(), set()),
    (simple.SimpleQueue.put, kombu.simple.SimpleQueue.put, set(), set()),
    (simple.SimpleQueue.get, kombu.simple.SimpleQueue.get, set(), set()),
    (common.maybe_declare, kombu.common.maybe_declare, set(), set()),
    (common.eventloop, kombu.common.eventloop, set(), set()),
    (common.drain_consumer, kombu.common.drain_consumer, set(), set()),
    (common.itermessages, kombu.common.itermessages, set(), set()),
    (common.collect_replies, kombu.common.collect_replies, set(), set()),
    (common.send_reply, kombu.common.send_reply, set(), set()),
    (common.Broadcast.__init__, kombu.common.Broadcast.__init__, set(), set()),
    (common.insured, kombu.common.insured, set(), set()),
    (pools.set_limit, kombu.pools.set_limit, set(), set()),
    (ConnectionPool.acquire, kombu.connection.ConnectionPool.acquire, set(), set()),
    (ConnectionPool.resize, kombu.connection.ConnectionPool.resize, set(), set()),
    (mixins.ConsumerMixin.consume, kombu.mixins.ConsumerMixin.consume, set(), set()),
]


@pytest.mark.parametrize(("ours", "theirs", "gone", "new"), CASES, ids=lambda case: str(case)[:60])
def test_parameters_are_kombus_but_for_the_differences_that_are_meant(
    ours: Callable[..., Any], theirs: Callable[..., Any], gone: set[str], new: set[str]
) -> None:
    mine, kombus = (
        list(inspect.signature(ours).parameters),
        list(inspect.signature(theirs).parameters),
    )
    assert set(kombus) - set(mine) == gone
    assert set(mine) - set(kombus) == new
    assert [name for name in mine if name in kombus] == [name for name in kombus if name in mine]


def test_positional_arguments_are_kombus_wherever_both_have_them() -> None:
    for ours, theirs in (
        (minibroker_client.Producer.publish, kombu.Producer.publish),
        (minibroker_client.Consumer.__init__, kombu.Consumer.__init__),
        (minibroker_client.Queue.__init__, kombu.Queue.__init__),
        (minibroker_client.Exchange.__init__, kombu.Exchange.__init__),
    ):
        mine = [
            name
            for name, parameter in inspect.signature(ours).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        kombus = [
            name
            for name, parameter in inspect.signature(theirs).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        assert mine[: len(kombus)] == kombus


MODULES = [
    "common", "compression", "connection", "entity", "exceptions", "message", "messaging", "mixins",
    "pools", "serialization", "simple",
]  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_the_modules_are_called_as_in_kombu(name: str) -> None:
    importlib.import_module(f"minibroker_client.{name}")


def test_the_names_of_a_message_are_kombus() -> None:
    ours, theirs = set(dir(minibroker_client.Message)), set(dir(kombu.Message))
    assert {name for name in theirs - ours if not name.startswith("_")} == set()
    assert "_reraise_error" in ours
