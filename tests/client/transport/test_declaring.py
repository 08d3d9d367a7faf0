from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker_client.transport.declaring import Declarations, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker import Broker
    from minibroker.channel import Channel


class Recorder(Declarations):
    """Notes the AMQP method of each call and makes it."""

    def __init__(self, inner: Channel) -> None:
        self.inner = inner
        self.methods: list[str] = []

    def call(self, method: str, function: Callable, *args: object, **kwargs: object) -> object:  # type: ignore[override, type-arg]  # a test needs no more
        self.methods.append(method)
        return function(*args, **kwargs)


@pytest.fixture
def recorder(broker: Broker) -> Recorder:
    return Recorder(broker.connect().channel())


def test_each_method_goes_to_the_broker_by_its_amqp_name(recorder: Recorder) -> None:
    recorder.declare_exchange("e", "fanout", durable=True, auto_delete=False, internal=True)
    recorder.declare_exchange("f")
    assert recorder.declare_queue("q", durable=True) == ("q", 0, 0)
    recorder.bind_exchange("e", "f", "k")
    recorder.bind_queue("q", "e", "", {"a": 1})
    recorder.inner.publish("f", "k", b"")
    assert recorder.purge_queue("q") == 1
    recorder.unbind_queue("q", "e", "", {"a": 1})
    recorder.unbind_exchange("e", "f", "k")
    assert recorder.delete_queue("q", if_unused=True, if_empty=True) == 0
    recorder.delete_exchange("e", if_unused=True)
    assert recorder.methods == [
        "exchange.declare", "exchange.declare", "queue.declare", "exchange.bind", "queue.bind",
        "queue.purge", "queue.unbind", "exchange.unbind", "queue.delete", "exchange.delete",
    ]  # fmt: skip


def test_arguments_are_copied() -> None:
    arguments = {"a": 1}
    copy = table(arguments)
    assert copy == arguments
    assert copy is not arguments
    assert table(None) is None


def test_how_to_call_is_for_the_subclass() -> None:
    with pytest.raises(NotImplementedError):
        Declarations().call("queue.declare", print)
