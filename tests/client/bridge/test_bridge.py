"""Several links at once, and links both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker_client.bridge import Bridge, BridgeLink, LinkError
from minibroker_client.bridge.bridge import with_opposites

from .conftest import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Side

    MakeLink = Callable[..., BridgeLink]


def test_links_that_go_back_are_each_others_opposite(near: Side, far: Side, link: MakeLink) -> None:
    up, down = link(), link(name="down", source=far.where, target=near.where, opposite=["other"])
    made = with_opposites((up, down, link(name="also")))
    assert [each.opposite for each in made] == [["down"], ["other", "up", "also"], ["down"]]


def test_two_links_of_one_name_are_refused(link: MakeLink) -> None:
    with pytest.raises(LinkError, match="two links are called 'up'"):
        Bridge(link(), link())
    with pytest.raises(LinkError, match="needs a link"):
        Bridge()


def test_both_ways_there_are_no_loops(near: Side, far: Side, link: MakeLink) -> None:
    for side in (near, far):
        side.raw.declare_exchange("all", "fanout")
        for queue in ("out", "q"):
            side.raw.declare_queue(queue, durable=True)
            side.raw.bind_queue(queue, "all")
    up = link(queue="out", exchange="all")
    down = link(name="down", source=far.where, target=near.where, queue="out", exchange="all")
    with Bridge(up, down) as bridge:
        near.publish(b"1", b"2", exchange="all")
        far.publish(b"3", exchange="all")
        until(lambda: [each.forwarded for each in bridge.health().values()] == [2, 1])
        until(lambda: [each.looped for each in bridge.health().values()] == [1, 2])
    assert sorted(near.bodies()) == sorted(far.bodies()) == [b"1", b"2", b"3"]
    assert (near.count("out"), far.count("out")) == (0, 0)


def test_a_bridge_starts_once_and_tells_when_it_has_ended(near: Side, link: MakeLink) -> None:
    bridge = Bridge(link(), link(name="second"))
    assert bridge.join(0)
    with bridge:
        with pytest.raises(RuntimeError, match="started before"):
            bridge.start()
        assert not bridge.join(0)
    assert bridge.stop(0)
    assert [each.state for each in bridge.health().values()] == ["stopped", "stopped"]
