"""The table of methods: ids, names, defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker.wire.amqp import spec
from minibroker.wire.amqp.spec import BY_ID, LAYOUTS, method_name

if TYPE_CHECKING:
    from minibroker.wire.amqp.spec import MethodRecord


def test_each_record_is_found_by_its_ids_and_listed() -> None:
    assert {ids[:2]: record for record, ids in LAYOUTS.items()} == BY_ID
    assert {record.__name__ for record in LAYOUTS} <= set(spec.__all__)
    assert len(BY_ID) == 66


@pytest.mark.parametrize("record", LAYOUTS, ids=lambda record: record.__name__)
def test_the_name_of_a_method_is_that_of_its_record(record: type[MethodRecord]) -> None:
    class_id, method_id, layout = LAYOUTS[record]
    name = method_name(class_id, method_id)
    assert name.replace("-", "").replace(".", "") == record.__name__.lower()
    carried = [word for word, reserved in layout._fields if not reserved]
    assert len(carried) == len(record._fields)  # type: ignore[attr-defined]  # a NamedTuple


def test_a_method_that_there_is_not_is_named_by_its_ids() -> None:
    assert method_name(60, 40) == "basic.publish"
    assert method_name(1, 2) == "1.2"
