"""Declaring again what is there: the same passes, anything else is refused by name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibroker.arguments import (
    QueueDeclaration,
    check_equivalent_exchange,
    check_equivalent_queue,
)
from minibroker.errors import PreconditionFailed
from minibroker.exchanges.exchange import ExchangeDeclaration
from minibroker.fields import same_value
from minibroker.profile import get_profile

if TYPE_CHECKING:
    from minibroker.fields import FieldValue, Table

V4_2, V4_3 = get_profile("rabbitmq-4.2"), get_profile("rabbitmq-4.3")


def exchange(**changes: object) -> ExchangeDeclaration:
    return replace(ExchangeDeclaration("x", "direct"), **changes)  # type: ignore[arg-type]  # names of fields


def difference(current: Table, requested: Table) -> str | None:
    queue = QueueDeclaration("q", durable=True, arguments=current)
    try:
        check_equivalent_queue(queue, replace(queue, arguments=requested), V4_2)
    except PreconditionFailed as error:
        return str(error).removeprefix("inequivalent arg ")
    return None


@pytest.mark.semantics(29)
@pytest.mark.parametrize(
    ("change", "name"), [({"durable": True}, "durable"), ({"auto_delete": True}, "auto_delete")]
)
def test_a_queue_with_another_property_is_refused(change: dict[str, bool], name: str) -> None:
    current = QueueDeclaration("q", vhost="v")
    requested = replace(current, **change)  # type: ignore[arg-type]  # names of fields
    with pytest.raises(PreconditionFailed) as caught:
        check_equivalent_queue(current, requested, V4_2)
    assert str(caught.value) == (
        f"inequivalent arg '{name}' for queue 'q' in vhost 'v': "
        "received 'true' but current is 'false'"
    )


@pytest.mark.semantics(33)
def test_an_exclusive_queue_is_not_durable_so_asking_for_that_makes_no_difference() -> None:
    current = QueueDeclaration("q", exclusive=True)
    check_equivalent_queue(current, replace(current, durable=True), V4_2)


@pytest.mark.semantics(29)
@pytest.mark.parametrize(
    ("current", "requested", "text"),
    [
        ({"x-message-ttl": 1000}, {"x-message-ttl": 2000},
         "'x-message-ttl' for queue 'q' in vhost '/': received '2000' but current is '1000'"),
        ({"x-message-ttl": 1000}, {},
         "'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value "
         "'1000' of type 'signedint'"),
        ({}, {"x-message-ttl": 2**40},
         "'x-message-ttl' for queue 'q' in vhost '/': received the value '1099511627776' of type "
         "'long' but current is none"),
        ({}, {"x-dead-letter-exchange": "dlx"},
         "'x-dead-letter-exchange' for queue 'q' in vhost '/': received the value 'dlx' of type "
         "'longstr' but current is none"),
        ({"x-single-active-consumer": True}, {"x-single-active-consumer": False},
         "'x-single-active-consumer' for queue 'q' in vhost '/': received 'false' but current is "
         "'true'"),
        ({}, {"x-queue-type": "quorum"},
         "'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type "
         "'longstr' but current is none"),
        ({"x-queue-type": "quorum"}, {"x-queue-type": "classic"},
         "'x-queue-type' for queue 'q' in vhost '/': received 'classic' but current is 'quorum'"),
        ({"x-overflow": b"drop"}, {},
         "'x-overflow' for queue 'q' in vhost '/': received none but current is the value 'drop' "
         "of type 'binary'"),
        ({"x-max-length": 1}, {"x-max-length": 1.0},
         "'x-max-length' for queue 'q' in vhost '/': received '1.0' but current is '1'"),
        ({"x-max-length": 1}, {"x-max-length": None},
         "'x-max-length' for queue 'q' in vhost '/': received none but current is '1'"),
        ({"x-max-length": 1}, {"x-max-length": "1"},
         "'x-max-length' for queue 'q' in vhost '/': received '1' but current is '1'"),
    ],
)  # fmt: skip
def test_a_queue_with_another_argument_is_refused_with_both_values(
    current: Table, requested: Table, text: str
) -> None:
    assert difference(current, requested) == text


@pytest.mark.semantics(30)
@pytest.mark.parametrize(
    "key",
    ["x-expires", "x-message-ttl", "x-max-length", "x-max-length-bytes", "x-max-priority"],
)
def test_the_known_arguments_are_compared(key: str) -> None:
    assert difference({key: 1}, {key: 1}) is None
    assert difference({key: 1}, {key: 2}) is not None


@pytest.mark.semantics(30)
def test_of_a_quorum_queue_its_own_arguments_are_compared() -> None:
    quorum = {"x-queue-type": "quorum"}
    assert difference({**quorum, "x-delivery-limit": 1}, quorum) is not None
    assert difference(quorum, {**quorum, "x-max-priority": 1}) is None
    queue = QueueDeclaration("q", durable=True, arguments=quorum)
    other = replace(queue, arguments={**quorum, "x-delayed-retry-min": 1})
    check_equivalent_queue(queue, other, V4_2)
    with pytest.raises(PreconditionFailed, match="x-delayed-retry-min"):
        check_equivalent_queue(queue, other, V4_3)


@pytest.mark.semantics(30)
def test_unknown_arguments_are_not_compared() -> None:
    assert difference({"x-mine": 1}, {"x-mine": 2, "other": []}) is None


@pytest.mark.semantics(31)
@pytest.mark.parametrize(
    ("current", "requested"),
    [
        ({}, {"x-queue-type": "classic"}),
        ({"x-queue-type": "classic"}, {}),
        ({"x-max-length": 5}, {"x-max-length": 5}),
        ({"x-message-ttl": 2**40}, {"x-message-ttl": 2**40}),
    ],
)
def test_no_queue_type_is_classic_and_integers_compare_by_value(
    current: Table, requested: Table
) -> None:
    assert difference(current, requested) is None


@pytest.mark.semantics(31)
def test_a_decimal_is_no_integer() -> None:
    assert difference({"x-max-length": 5}, {"x-max-length": Decimal(5)}) is not None


VALUES = st.none() | st.booleans() | st.integers(0, 3) | st.floats(0, 3) | st.sampled_from("0123")


@given(VALUES, VALUES)
def test_two_values_of_an_argument_are_equivalent_when_they_are_the_same(
    a: FieldValue, b: FieldValue
) -> None:
    assert (difference({"x-max-length": a}, {"x-max-length": b}) is None) == same_value(a, b)


@pytest.mark.semantics(29)
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"type": "fanout"}, "'type' for exchange 'x' in vhost '/': received 'fanout' but current "
         "is 'direct'"),
        ({"durable": True}, "'durable' for exchange 'x' in vhost '/': received 'true' but current "
         "is 'false'"),
        ({"auto_delete": True}, "'auto_delete' for exchange 'x' in vhost '/': received 'true' but "
         "current is 'false'"),
        ({"internal": True}, "'internal' for exchange 'x' in vhost '/': received 'true' but "
         "current is 'false'"),
        ({"arguments": {"alternate-exchange": "ae"}}, "'alternate-exchange' for exchange 'x' in "
         "vhost '/': received the value 'ae' of type 'longstr' but current is none"),
    ],
)  # fmt: skip
def test_an_exchange_declared_as_another_is_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        check_equivalent_exchange(exchange(), exchange(**change))
    assert str(caught.value) == f"inequivalent arg {text}"


@pytest.mark.semantics(30)
def test_an_exchange_compares_no_argument_but_the_alternate_exchange() -> None:
    same: Table = {"alternate-exchange": "ae"}
    check_equivalent_exchange(
        exchange(arguments={**same, "x-a": 1}), exchange(arguments={**same, "x-b": 2}), "v"
    )


@pytest.mark.semantics(31)
def test_relaxed_checks_let_a_quorum_queue_be_declared_as_a_classic_one() -> None:
    quorum = QueueDeclaration("q", durable=True, arguments={"x-queue-type": "quorum"})
    classic = QueueDeclaration("q", arguments={"x-queue-type": "classic"})
    with pytest.raises(PreconditionFailed, match="inequivalent"):
        check_equivalent_queue(quorum, classic, V4_2)
    relaxed = replace(V4_2, quorum_relaxed_redeclare=True)
    check_equivalent_queue(quorum, classic, relaxed)
    with pytest.raises(PreconditionFailed, match="x-queue-type"):
        check_equivalent_queue(classic, replace(quorum, durable=False), relaxed)
    with pytest.raises(PreconditionFailed, match="durable"):
        check_equivalent_queue(quorum, QueueDeclaration("q"), relaxed)
    shorter = replace(classic, arguments={"x-queue-type": "classic", "x-max-length": 5})
    with pytest.raises(PreconditionFailed, match="x-max-length"):
        check_equivalent_queue(quorum, shorter, relaxed)
