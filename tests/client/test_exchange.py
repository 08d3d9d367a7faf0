from __future__ import annotations

import pickle

import pytest

from minibroker_client import Channel, Connection, Exchange, Queue, binding
from minibroker_client.exceptions import NotBoundError, NotFound, PreconditionFailed
from minibroker_client.exchange import maybe_delivery_mode


def test_an_exchange_is_durable_and_direct_unless_told_otherwise(channel: Channel) -> None:
    Exchange("e")(channel).declare()
    channel.declare_exchange("e", "direct", durable=True)
    other = Exchange(
        "o", "topic", durable=False, auto_delete=True, arguments={"alternate-exchange": "e"}
    )
    other(channel).declare()
    channel.declare_exchange(
        "o", "topic", durable=False, auto_delete=True, arguments={"alternate-exchange": "e"}
    )


def test_an_exchange_that_exists_with_other_properties_is_refused(channel: Channel) -> None:
    Exchange("e")(channel).declare()
    with pytest.raises(PreconditionFailed, match="inequivalent arg 'type' for exchange 'e'"):
        Exchange("e", "fanout")(channel).declare()


def test_passive_only_looks(connection: Connection) -> None:
    with pytest.raises(NotFound):
        Exchange("e", passive=True)(connection).declare()
    with pytest.raises(NotFound):
        Exchange("e")(connection).declare(passive=True)
    Exchange("e")(connection).declare(channel=connection.channel())


@pytest.mark.parametrize(
    "exchange", [Exchange(""), Exchange("amq.x"), Exchange("e", no_declare=True)]
)
def test_some_exchanges_are_never_declared(channel: Channel, exchange: Exchange) -> None:
    exchange(channel).declare()
    with pytest.raises(NotFound):
        channel.declare_exchange(exchange.name or "none", passive=True)


def test_exchanges_can_be_bound_to_each_other(channel: Channel) -> None:
    source, target = Exchange("s", "topic")(channel), Exchange("t", "fanout")(channel)
    queue = Queue("q", target)(channel)
    source.declare()
    queue.declare()
    target.bind_to(source, "a.#")
    source.publish("1", "a.b")
    target.unbind_from("s", "a.#")
    source.publish("2", "a.b")
    assert channel.purge_queue("q") == 1


def test_a_binding_binds_and_unbinds_with_its_own_arguments(channel: Channel) -> None:
    exchange = Exchange("h", "headers")
    one = exchange.binding("", {"a": 1}, {"a": 1})
    queue = Queue("q", [one])(channel)
    queue.declare()
    bound = exchange(channel)
    bound.publish(bound.Message("x", headers={"a": 1}))
    one.unbind(queue)
    bound.publish(bound.Message("x", headers={"a": 1}))
    assert queue.purge() == 1
    assert repr(one) == "<binding: h->>"


def test_a_binding_without_an_exchange_declares_nothing(channel: Channel) -> None:
    binding().declare(channel)
    assert binding(routing_key="k").as_dict(recurse=True)["exchange"] is None
    assert repr(binding(routing_key="k")) == "<binding: ->k>"


def test_a_binding_is_shown_as_a_dict() -> None:
    one = binding(Exchange("e"), "k")
    assert one.as_dict()["exchange"] is one.exchange
    assert one.as_dict(recurse=True)["exchange"]["name"] == "e"


def test_messages_are_published_as_they_are(channel: Channel) -> None:
    exchange = Exchange("e", delivery_mode="transient")(channel)
    queue = Queue("q", exchange, "k")(channel)
    queue.declare()
    exchange.publish("text", "k")
    exchange.publish(b"bytes", "k")
    own = exchange.Message(
        b"{}",
        2,
        {"correlation_id": "c"},
        priority=4,
        content_type="application/json",
        headers={"h": 1},
    )
    exchange.publish(own, "k")
    text, raw, full = (queue.get() for _ in range(3))
    assert text is not None
    assert raw is not None
    assert full is not None
    assert (text.body, text.content_encoding) == (b"text", "utf-8")
    assert (raw.body, raw.content_type, raw.properties) == (b"bytes", None, {"delivery_mode": 1})
    assert full.payload == {}
    assert full.headers == {"h": 1}
    assert full.properties == {"delivery_mode": 2, "priority": 4, "correlation_id": "c"}


def test_a_message_can_be_published_to_another_exchange(channel: Channel) -> None:
    queue = Queue("q")(channel)
    queue.declare()
    Exchange("e")(channel).publish(b"1", "q", exchange="amq.direct")
    assert queue.get() is None


def test_immediate_is_refused(channel: Channel) -> None:
    with pytest.raises(NotImplementedError, match="immediate"):
        Exchange("")(channel).publish(b"", "q", immediate=True)


def test_a_used_exchange_is_not_deleted_if_unused(connection: Connection) -> None:
    exchange = Exchange("e")
    Queue("q", exchange)(connection).declare()
    with pytest.raises(PreconditionFailed):
        exchange(connection).delete(if_unused=True)
    exchange(connection).delete()
    with pytest.raises(NotFound):
        exchange(connection).declare(passive=True)


def test_an_unbound_exchange_can_do_nothing() -> None:
    with pytest.raises(NotBoundError, match="Exchange e"):
        Exchange("e").declare()


def test_exchanges_are_equal_by_value() -> None:
    assert Exchange("e", "topic") == Exchange("e", "topic")
    assert Exchange("e", "topic") != Exchange("e", "fanout")
    assert Exchange("e") != "e"
    assert hash(Exchange("e", "topic")) == hash(Exchange("e"))


def test_a_pickled_exchange_comes_back_unbound(channel: Channel) -> None:
    exchange = Exchange("e", "topic", durable=False)(channel)
    copy = pickle.loads(pickle.dumps(exchange))
    assert copy == exchange
    assert not copy.is_bound


def test_it_shows_its_name_and_type(channel: Channel) -> None:
    assert repr(Exchange("e")) == "<unbound Exchange e(direct)>"
    assert repr(Exchange("")(channel)) == "<Exchange ''(direct) bound to chan:1>"


def test_a_declaration_that_may_go_by_itself_is_not_cached() -> None:
    assert Exchange("e").can_cache_declaration
    assert not Exchange("e", auto_delete=True).can_cache_declaration


def test_a_subclass_sets_defaults() -> None:
    class Events(Exchange):
        type = "topic"
        durable = False

    assert Events("e").as_dict() == Exchange("e", "topic", durable=False).as_dict()


def test_delivery_modes_have_names() -> None:
    assert maybe_delivery_mode(None) == 2
    assert maybe_delivery_mode("transient") == 1
    assert maybe_delivery_mode(1) == 1
    assert maybe_delivery_mode("slow", {"slow": 7}) == 7
    with pytest.raises(ValueError, match="'lasting'"):
        maybe_delivery_mode("lasting")
