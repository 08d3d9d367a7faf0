"""What a link is told, and what it refuses."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from minibroker import Broker
from minibroker_client.bridge.link import BridgeLink, LinkError
from minibroker_client.transport import register
from minibroker_client.transport.base import Capabilities

USUAL: dict[str, Any] = {
    "source": "memory://a", "queue": "q", "target": "memory://b", "exchange": "e",
}  # fmt: skip


def test_without_a_name_it_is_called_by_all_that_it_links() -> None:
    named = BridgeLink(**USUAL)
    assert named.name.startswith("q->e-")
    assert named.name == BridgeLink(**USUAL).name
    assert BridgeLink(**{**USUAL, "exchange": ""}).name.startswith("q->default-")
    assert named.name != BridgeLink(**{**USUAL, "target": "memory://c"}).name
    assert BridgeLink(**USUAL, name="up").name == "up"


class Unconfirming:
    """A transport that never says what it took."""

    default_port = None
    capabilities = Capabilities(exchange_types=frozenset({"direct"}))


transport = Unconfirming()


def test_a_target_that_does_not_confirm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "unconfirming", sys.modules[__name__])
    register("unconfirming", "unconfirming")
    assert BridgeLink(**{**USUAL, "source": "unconfirming://a"}).queue == "q"
    with pytest.raises(LinkError, match="to: unconfirming://a/+ does not confirm what it takes"):
        BridgeLink(**{**USUAL, "target": "unconfirming://a"})


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("name", 3, "name is 3, not a text"),
        ("queue", "", "queue is '', not the name of a queue"),
        ("queue", None, "queue is None"),
        ("exchange", None, "exchange is None"),
        ("routing_key", 5, "routing_key is 5"),
        ("source", "", "from is '', not a URL"),
        ("source", 7, "from is 7, not a URL"),
        ("target", "nonsense://x", "to: no transport for URL scheme 'nonsense'"),
        ("routing_keys", ["a"], "routing_keys is ['a'], not a table"),
        ("routing_keys", {"a": 1}, "not a table of texts"),
        ("match_headers", 1, "match_headers is 1, not a table"),
        ("queue_arguments", 1, "queue_arguments is 1, not a table"),
        ("deny_headers", "x-a", "deny_headers is 'x-a', not a list of texts"),
        ("opposite", [1], "opposite is [1], not a list of texts"),
        ("rate", 0, "rate is 0, not a number above 0"),
        ("rate", "fast", "rate is 'fast', not a number of 0 or more"),
        ("lag_interval", 0, "lag_interval is 0"),
        ("burst", 0.5, "burst is 0.5, not a number of 1 or more"),
        ("confirm_window", 0, "confirm_window is 0"),
        ("confirm_window", 1.5, "confirm_window is 1.5, not a whole number"),
        ("interval_max", -1, "interval_max is -1"),
        ("jitter", 2, "jitter is 2, not a number from 0 to 1"),
        ("jitter", True, "jitter is True"),
        ("unroutable", "burn", "unroutable is 'burn', not one of retry, drop, dead-letter"),
        ("unfit", "", "unfit is ''"),
    ],
)
def test_what_is_wrong_is_named_with_its_value(setting: str, value: object, said: str) -> None:
    with pytest.raises(LinkError, match="^link ") as caught:
        BridgeLink(**{**USUAL, setting: value})
    assert said in str(caught.value)


def test_a_burst_is_a_tenth_of_a_second_unless_it_is_said() -> None:
    assert BridgeLink(**USUAL, rate=50).tokens() == 5
    assert BridgeLink(**USUAL, rate=2).tokens() == 1
    assert BridgeLink(**USUAL, rate=2, burst=9).tokens() == 9


def test_the_waits_are_those_of_the_settings() -> None:
    link = BridgeLink(
        **USUAL, interval_start=1, interval_step=2, interval_max=4, jitter=0
    )  # fmt: skip
    waits = link.retry_policy().intervals()
    assert [next(waits) for _ in range(4)] == [1, 3, 4, 4]


def test_a_link_goes_back_when_it_leads_between_the_same_brokers() -> None:
    up, down = (
        BridgeLink(**USUAL),
        BridgeLink(**{**USUAL, "source": "memory://b", "target": "memory://a"}),
    )
    assert up.goes_back(down)
    assert not up.goes_back(up)
    with Broker() as one, Broker() as two:
        up = BridgeLink(**{**USUAL, "source": one, "target": two})
        assert up.goes_back(BridgeLink(**{**USUAL, "source": two, "target": one}))
        assert not up.goes_back(down)
