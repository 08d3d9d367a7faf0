"""Tables and properties to encode, and what they are after a way over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from minibroker import Properties
from minibroker.properties import FIELDS

ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
# A day from the ends, so that every zone can say them. The year 2106 is where pamqp begins to take
# seconds for milliseconds.
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001 -- the zones are added
NEAR_MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2106, 1, 1), timezones=ZONES)  # noqa: DTZ001 -- the zones are added

INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)
SIMPLE = st.none() | st.booleans() | INTEGERS | st.text(max_size=8)
NAMES = st.text(max_size=5)


def decimals(least: int, scales: int) -> st.SearchStrategy[Decimal]:
    """From `least` digits to 31 bits of them, with up to `scales` places behind the point."""
    return st.builds(
        lambda number, scale: Decimal(f"{number}E-{scale}"),
        st.integers(least, 2**31 - 1),
        st.integers(0, scales),
    )


def tables(*leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Tables of such values, with tables and arrays in them."""
    values = st.recursive(
        st.one_of(*leaves),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
        max_leaves=4,
    )
    return st.dictionaries(NAMES, values, max_size=3)


TABLES = tables(
    SIMPLE,
    st.floats(allow_nan=False),
    st.binary(max_size=8),
    st.binary(max_size=8).map(bytearray),
    decimals(-(2**31) + 1, 255),
    st.integers(-9, 9).map(lambda number: Decimal(f"{number}E3")),
    MOMENTS,
    st.tuples(SIMPLE, SIMPLE),
)


def properties(
    headers: st.SearchStrategy[Any],
    moments: st.SearchStrategy[datetime],
    texts: st.SearchStrategy[str],
) -> st.SearchStrategy[Properties]:
    """Properties of which any may be absent."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "headers": headers,
        "delivery_mode": st.sampled_from([1, 2]),
        "priority": st.integers(0, 255),
        "timestamp": moments,
    }
    each = {name: st.none() | kinds.get(name, texts) for name in FIELDS}
    return st.builds(Properties, **each)


def carried(value: Any) -> Any:
    """What is read after `value` was written."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0)
    if isinstance(value, Mapping):
        return {name: carried(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [carried(each) for each in value]
    return bytes(value) if isinstance(value, bytearray) else value


@st.composite
def damaged(draw: st.DrawFn, encoded: st.SearchStrategy[bytes]) -> bytes:
    """An encoding with some bytes changed, cut out or put in."""
    data = bytearray(draw(encoded))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(data)
