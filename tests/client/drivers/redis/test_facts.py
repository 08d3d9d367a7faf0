from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts_contract import FactsContract
from .conftest import declare, outgoing

if TYPE_CHECKING:
    from .conftest import Opened


class TestFactsInRedis(FactsContract):
    """Those of the contract."""


def test_put_tells_the_same_version(opened: Opened) -> None:
    one, other = opened(), opened()
    declare(one)
    assert one.put([outgoing()]).version == one.facts.version()
    other.facts.add("k", "v")
    assert one.put([outgoing(), outgoing()]).version == one.facts.version() != b""


def test_places_with_different_prefixes_do_not_see_each_other(opened: Opened) -> None:
    one = opened()
    other = opened(prefix=f"{one.prefix}:more")
    one.facts.add("k", "v")
    assert other.facts.load() == {}
