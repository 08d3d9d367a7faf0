"""Methods of any kind with any fields, drawn by Hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from minibroker.wire.amqp.spec import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minibroker.wire.amqp.spec import MethodRecord

__all__ = ["SHORT_TEXTS", "domains", "numbers", "records"]


def _fits(text: str) -> bool:
    return len(text.encode()) <= 255


SHORT_TEXTS = st.text(max_size=255).filter(_fits) | st.text(max_size=8)


def numbers(bits: int) -> st.SearchStrategy[int]:
    """Unsigned numbers, the largest ones often."""
    return st.integers(0, 2**bits - 1) | st.sampled_from([0, 1, 2**bits - 1])


def domains(tables: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    """A strategy for the values of each domain of AMQP."""
    return {
        "bit": st.booleans(),
        "octet": numbers(8),
        "short": numbers(16),
        "long": numbers(32),
        "longlong": numbers(64),
        "shortstr": SHORT_TEXTS,
        "longstr": st.binary(max_size=40),
        "table": tables,
    }


def records(
    record: type[MethodRecord], by_domain: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[MethodRecord]:
    """Methods of one kind."""
    fields = [word for word, reserved in LAYOUTS[record][2]._fields if not reserved]
    return st.builds(record, *(by_domain[word] for word in fields))
