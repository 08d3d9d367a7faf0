from __future__ import annotations

from minibroker_client.topology import Binding, Topology


def filled() -> Topology:
    topology = Topology()
    topology.exchanges = {"a": {"type": "topic"}, "b": {"type": "fanout"}}
    topology.queues = {"q": {"name": "q", "auto_delete": True}, "amq.gen-1": {"name": ""}}
    for binding in (
        Binding(True, "q", "a", "k", {"x": [1]}),
        Binding(True, "amq.gen-1", "a", "k", None),
        Binding(False, "b", "a", "", None),
    ):
        topology.bindings[binding] = None
    return topology


def test_the_same_binding_is_recorded_once() -> None:
    topology = filled()
    topology.bindings[Binding(True, "q", "a", "k", {"x": [1]})] = None
    assert len(topology.bindings) == 3


def test_steps_are_calls_with_their_arguments() -> None:
    topology = filled()
    assert list(topology.exchange_steps()) == [
        ("declare_exchange", {"name": "a", "type": "topic"}),
        ("declare_exchange", {"name": "b", "type": "fanout"}),
    ]
    first, _, third = topology.binding_steps()
    assert first == (
        "bind_queue",
        {"queue": "q", "exchange": "a", "routing_key": "k", "arguments": {"x": [1]}},
    )
    assert third[0] == "bind_exchange"
    assert (third[1]["destination"], third[1]["source"]) == ("b", "a")


def test_what_is_deleted_is_forgotten_with_its_bindings() -> None:
    topology = filled()
    topology.forget_queue("q")
    topology.forget_exchange("b")
    assert [each.destination for each in topology.bindings] == ["amq.gen-1"]
    topology.forget_exchange("a")
    topology.forget_exchange("nowhere")
    assert not topology.bindings
    assert list(topology.queues) == ["amq.gen-1"]


def test_an_auto_delete_queue_goes_with_its_last_consumer() -> None:
    topology = filled()
    topology.consumer_left("amq.gen-1")
    topology.consumer_left("q")
    topology.consumer_left("unknown")
    assert list(topology.queues) == ["amq.gen-1"]


def test_a_queue_that_gets_another_name_keeps_its_bindings() -> None:
    topology = filled()
    topology.rename("amq.gen-1", "amq.gen-2")
    assert [each.destination for each in topology.bindings] == ["q", "amq.gen-2", "b"]
    assert topology.queues["amq.gen-2"] == {"name": ""}
