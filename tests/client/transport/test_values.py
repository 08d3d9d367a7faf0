from __future__ import annotations

from minibroker import Message, Properties
from minibroker.queues.entry import Entry
from minibroker_client.transport.values import Declared, Fetched, Returned


def test_the_answer_to_a_declaration_can_be_unpacked() -> None:
    name, messages, consumers = Declared("q", 2, 1)
    assert (name, messages, consumers) == ("q", 2, 1)


def test_the_records_of_a_transport_pass_unchanged() -> None:
    message = Message("e", "k", Properties(type="t"), b"b")
    entry = Entry(None, message, 1)  # type: ignore[arg-type]  # no queue is looked at
    assert Fetched(entry, 0).delivery.message.properties.type == "t"
    assert Returned(message, 312, "NO_ROUTE").message.routing_key == "k"
