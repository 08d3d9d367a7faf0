"""The basic properties, decoded."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from minibroker import PLAIN, Properties
from minibroker.properties import FIELDS

if TYPE_CHECKING:
    from minibroker.fields import Table

HEADERS: Table = {"n": 1}


def test_a_property_is_absent_unless_it_is_given() -> None:
    assert all(getattr(PLAIN, name) is None for name in FIELDS)
    assert PLAIN.as_dict() == {}
    assert Properties() == PLAIN


def test_the_fourteen_properties_of_amqp_without_cluster_id_are_in_its_order() -> None:
    assert list(inspect.signature(Properties).parameters) == list(FIELDS)
    assert len(FIELDS) == 13


def test_properties_are_the_same_when_their_values_are() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    one = Properties("text/plain", headers=HEADERS, timestamp=noon)
    assert one == Properties(content_type="text/plain", headers={"n": 1}, timestamp=noon)
    assert one != Properties("text/plain", headers={"n": 2}, timestamp=noon)
    assert one != "text/plain"
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_a_copy_has_the_changes_and_the_original_has_not() -> None:
    original = Properties(priority=3, headers=HEADERS)
    copy = original.replace(priority=None, app_id="a")
    assert copy.as_dict() == {"headers": HEADERS, "app_id": "a"}
    assert original.as_dict() == {"priority": 3, "headers": HEADERS}
    with pytest.raises(TypeError):
        original.replace(nonsense=1)


def test_the_text_of_properties_shows_those_that_are_present() -> None:
    assert repr(PLAIN) == "Properties()"
    assert repr(Properties(priority=0, type="t")) == "Properties(priority=0, type='t')"


def test_only_delivery_mode_2_is_persistent() -> None:
    assert Properties(delivery_mode=2).persistent
    assert not Properties(delivery_mode=1).persistent
    assert not Properties(delivery_mode=3).persistent
    assert not PLAIN.persistent


@pytest.mark.parametrize(
    "properties",
    [
        Properties(headers=HEADERS),
        Properties(reply_to="q"),
        Properties(reply_to=""),
        Properties(expiration=""),
        Properties(user_id=""),
        Properties(delivery_mode=3),
        Properties(delivery_mode=0),
    ],
)
def test_what_a_rule_of_the_broker_depends_on_is_inspected(properties: Properties) -> None:
    assert properties.inspect


def test_what_is_only_carried_is_not_inspected() -> None:
    assert not PLAIN.inspect
    assert not Properties(headers={}).inspect
    carried = Properties(
        "text/plain",
        "gzip",
        delivery_mode=2,
        priority=9,
        correlation_id="c",
        message_id="m",
        timestamp=datetime(2026, 11, 23, tzinfo=UTC),
        type="t",
        app_id="a",
    )
    assert not carried.inspect
