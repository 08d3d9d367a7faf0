"""The fanout exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker.exchanges import Exchange


@pytest.mark.semantics(47)
def test_a_fanout_exchange_matches_every_binding_whatever_the_keys(
    declare: Callable[..., Exchange],
    bind: Callable[..., bool],
    matched: Callable[..., list[str]],
) -> None:
    exchange, a, b = declare("fanout"), declare(name="a"), declare(name="b")
    bind(exchange, b, "k")
    bind(exchange, a, "#", {"x-match": "nonsense"})
    assert matched(exchange, "k") == ["b", "a"]
    assert matched(exchange, "") == ["b", "a"]
    assert matched(exchange, "one", "two") == ["b", "a"]
