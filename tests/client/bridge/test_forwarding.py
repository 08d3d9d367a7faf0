"""One link at work: what it forwards, deletes, tries again and tells."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker import Broker
from minibroker.gate import MEMORY
from minibroker.profile import PROFILES
from minibroker_client.bridge.forwarding import Forwarder
from minibroker_client.bridge.transforms import HOPS

from .conftest import Side, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minibroker_client.bridge import BridgeLink

    from ..resilience.proxy import Proxy

    MakeLink = Callable[..., BridgeLink]

NUMBERS = [b"%d" % number for number in range(300)]


@contextmanager
def running(link: BridgeLink, **more: Any) -> Iterator[Forwarder]:
    """A forwarder in a thread of its own."""
    forwarder = Forwarder(link, **more)
    thread = threading.Thread(target=forwarder.run)
    thread.start()
    try:
        yield forwarder
    finally:
        forwarder.stop()
        thread.join(20)
        assert not thread.is_alive()
        forwarder._held._check()


def test_messages_go_in_order_and_are_deleted_then(near: Side, far: Side, link: MakeLink) -> None:
    near.publish(*NUMBERS)
    with running(link(confirm_window=7)) as forwarder:
        until(lambda: forwarder.health().forwarded == 300)
        near.publish(b"later")
        until(lambda: forwarder.health().forwarded == 301)
        until(lambda: forwarder.health().lag == 0)
        assert forwarder.health().state == "running"
    assert far.bodies() == [*NUMBERS, b"later"]
    assert near.count() == 0
    health = forwarder.health()
    assert (health.state, health.errors, health.repeated) == ("stopped", 0, 0)


def test_what_is_not_confirmed_stays_at_the_source(
    near: Side, far: Side, link: MakeLink, proxy: Proxy, scheme: str
) -> None:
    near.publish(b"1", b"2")
    with running(link(target=proxy.url(scheme))) as forwarder:
        until(lambda: forwarder.health().forwarded == 2)
        proxy.deaf = True
        near.publish(b"3", b"4")
        until(lambda: forwarder._target.unconfirmed == 2)
        until(lambda: forwarder.health().lag == 2)
        assert forwarder.health().forwarded == 2
        proxy.deaf = False
        proxy.cut()
        until(lambda: forwarder.health().forwarded == 4)
        assert forwarder.health().repeated == 2
    assert far.bodies() == [b"1", b"2", b"3", b"4"]
    assert near.count() == 0


def test_stopped_before_a_confirm_it_leaves_the_message(
    near: Side, link: MakeLink, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minibroker_client.bridge.forwarding.PATIENCE", 0.1)
    monkeypatch.setattr("minibroker_client.transport.socketed.PATIENCE", 0.1)
    with running(link(target=proxy.url())) as forwarder:
        until(lambda: forwarder.health().state == "running")
        proxy.deaf = True
        near.publish(b"1")
        until(lambda: near.count() == 0)
    assert near.bodies() == [b"1"]


def test_a_target_that_is_lost_again_and_again_gets_all_in_order(
    near: Side, far: Side, link: MakeLink, proxy: Proxy, scheme: str
) -> None:
    near.publish(*NUMBERS)
    with running(link(target=proxy.url(scheme), confirm_window=20)) as forwarder:
        for number in range(1, 5):
            until(lambda number=number: forwarder.health().forwarded >= number * 50)  # type: ignore[misc]  # a lambda's default
            proxy.cut_after = 500
        until(lambda: forwarder.health().forwarded == 300)
        health = forwarder.health()
    assert health.errors >= 1
    assert health.last_error is not None
    assert "to " in health.last_error
    messages = far.take()
    seen = dict.fromkeys(message.body for message in messages)
    assert list(seen) == NUMBERS
    ids = {(message.body, message.properties.message_id) for message in messages}
    assert len(ids) == 300
    assert near.count() == 0


def test_a_source_that_is_lost_gives_the_same_again(
    near: Side, far: Side, link: MakeLink, proxy: Proxy, scheme: str
) -> None:
    far.publish(*NUMBERS)  # the proxy is in front of it, so this time it is the source
    made = link(source=proxy.url(scheme), target=near.where, confirm_window=20)
    with running(made) as forwarder:
        for number in (1, 2):
            until(lambda number=number: forwarder.health().forwarded >= number * 50)  # type: ignore[misc]  # a lambda's default
            proxy.cut_back_after = 500
        until(lambda: far.count() == 0 and forwarder.health().lag == 0)
    messages = near.take()
    assert list(dict.fromkeys(message.body for message in messages)) == NUMBERS
    assert len({(each.body, each.properties.message_id) for each in messages}) == 300


def test_a_side_that_is_away_is_waited_for_and_told(
    near: Side, far: Side, link: MakeLink, proxy: Proxy
) -> None:
    proxy.refusing = True
    near.publish(b"1")
    with running(link(target=proxy.url())) as forwarder:
        until(lambda: forwarder.health().errors > 1)
        health = forwarder.health()
        assert (health.state, health.lag) == ("retrying", 1)
        assert f"to {proxy.url()}" in str(health.last_error)
        near.publish(b"2")
        until(lambda: forwarder.health().lag == 2)
        proxy.refusing = False
        until(lambda: forwarder.health().forwarded == 2)
        assert forwarder.health().state == "running"
        assert forwarder.health().since >= health.since
    assert far.bodies() == [b"1", b"2"]


def test_a_queue_that_is_not_there_yet_is_waited_for(near: Side, far: Side, link: MakeLink) -> None:
    with running(link(queue="later", routing_key="q")) as forwarder:
        until(lambda: "no queue 'later'" in str(forwarder.health().last_error))
        near.raw.declare_queue("later")
        near.publish(b"1", key="later")
        until(lambda: forwarder.health().forwarded == 1)
        near.raw.delete_queue("later")
        until(lambda: forwarder.health().state == "retrying")
    assert far.bodies() == [b"1"]


class Taken:
    """What a slow consumer of the queue `full` has got."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.bodies: list[bytes] = []

    def look(self) -> list[bytes]:
        """Take what is there; all that was taken."""
        self.bodies += self.side.bodies("full")
        return self.bodies


def test_a_source_that_is_lost_while_the_target_is_away_is_told_too(
    near: Side, link: MakeLink, proxy: Proxy
) -> None:
    proxy.refusing = True
    made = link(target=proxy.url(), interval_start=0.2, interval_max=0.2, jitter=0)
    with running(made) as forwarder:
        until(lambda: "to amqp://" in str(forwarder.health().last_error))
        near.raw.delete_queue("q")
        until(lambda: "no queue 'q'" in str(forwarder.health().last_error))


def full(far: Side) -> None:
    """A queue that takes two messages and refuses more."""
    far.raw.declare_queue("full", arguments={"x-max-length": 2, "x-overflow": "reject-publish"})


def test_a_message_that_is_refused_is_tried_again_in_order(
    near: Side, far: Side, link: MakeLink
) -> None:
    full(far)
    near.publish(*NUMBERS[:20])
    with running(link(routing_key="full", confirm_window=1)) as forwarder:
        taken = Taken(far)
        until(lambda: "refused" in str(forwarder.health().last_error))
        assert forwarder.health().state == "retrying"
        until(lambda: len(taken.look()) == 20)
        until(lambda: forwarder.health().forwarded == 20)
    assert taken.bodies == NUMBERS[:20]
    assert near.count() == 0


def test_what_is_confirmed_behind_a_refused_one_is_not_published_again(
    near: Side, far: Side, link: MakeLink
) -> None:
    full(far)
    near.publish(*NUMBERS[:5], key="q")
    with running(link(routing_keys={"q": "full"})) as forwarder:
        until(lambda: forwarder.health().errors)
        until(lambda: forwarder.health().forwarded == 2)
        until(lambda: forwarder.health().lag == 3)
        taken = Taken(far)
        until(lambda: len(taken.look()) == 5)
        until(lambda: forwarder.health().forwarded == 5)
    assert taken.bodies == NUMBERS[:5]


def test_a_target_that_takes_no_messages_is_waited_for(
    near: Side, far: Side, link: MakeLink
) -> None:
    with far.where.host.guard:
        far.where.host.gate.shut(MEMORY, lambda: "")
    near.publish(b"1")
    with running(link()) as forwarder:
        until(lambda: "memory" in str(forwarder.health().last_error))
        with far.where.host.guard:
            far.where.host.gate.open(MEMORY)
        until(lambda: forwarder.health().forwarded == 1)
    assert far.bodies() == [b"1"]


# -- messages that cannot be delivered


@pytest.fixture
def lettered(near: Side) -> str:
    """A queue of the source whose refused messages go to `dead`."""
    near.raw.declare_queue("dead")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    near.raw.declare_queue("lettered", arguments=arguments)
    return "lettered"


MIXED = {"routing_keys": {"bad": "nowhere", "good": "q"}}


def test_an_unroutable_message_is_tried_until_it_can_be_routed(
    near: Side, far: Side, link: MakeLink
) -> None:
    near.publish(b"1")
    with running(link(routing_key="nowhere")) as forwarder:
        until(lambda: "no queue takes a message" in str(forwarder.health().last_error))
        until(lambda: forwarder.health().lag == 1)
        far.raw.declare_queue("nowhere")
        until(lambda: forwarder.health().forwarded == 1)
    assert far.bodies("nowhere") == [b"1"]
    assert near.count() == 0


@pytest.mark.parametrize("policy", ["drop", "dead-letter"])
def test_an_unroutable_message_can_be_given_up(
    near: Side, far: Side, link: MakeLink, proxy: Proxy, lettered: str, policy: Any
) -> None:
    for key, body in (("q", b"1"), ("nowhere", b"2"), ("nowhere", b"3"), ("q", b"4")):
        near.publish(body, key=lettered, headers={"to": key})
    near.raw.declare_exchange("e")
    far.raw.declare_exchange("by", "headers")
    far.raw.bind_queue("q", "by", "", {"x-match": "all", "to": "q"})
    made = link(queue=lettered, target=proxy.url(), exchange="by", unroutable=policy)
    with running(made) as forwarder:
        until(lambda: forwarder.health().forwarded == 2)
        until(lambda: near.count(lettered) == 0 and forwarder.health().lag == 0)
        health = forwarder.health()
    assert far.bodies() == [b"1", b"4"]
    counted = (health.dropped, health.dead_lettered)
    assert counted == ((2, 0) if policy == "drop" else (0, 2))
    assert "NO_ROUTE" in str(health.last_error)
    assert near.bodies("dead") == ([] if policy == "drop" else [b"2", b"3"])


@pytest.fixture
def small() -> Iterator[Side]:
    """A target that takes no message of more than 100 bytes."""
    with Broker(profile=replace(PROFILES["rabbitmq-4.2"], max_message_size=100)) as broker:
        side = Side(broker)
        with side.connection:
            yield side


@pytest.mark.parametrize("policy", ["drop", "dead-letter"])
@pytest.mark.parametrize("how", ["memory", "amqp", "minibroker"])
def test_a_message_that_is_too_large_can_be_given_up(
    near: Side, small: Side, link: MakeLink, lettered: str, policy: Any, how: str
) -> None:
    bodies = [b"1", b"2" * 200, b"3", b"4" * 200, b"5"]
    near.publish(*bodies, key=lettered)
    with small.where.listen() as server:
        where = {"memory": small.where, "amqp": server.url, "minibroker": server.native_url}[how]
        made = link(queue=lettered, target=where, routing_key="q", unfit=policy)
        with running(made) as forwarder:
            until(lambda: near.count(lettered) == 0 and forwarder.health().lag == 0)
            health = forwarder.health()
    assert (health.forwarded, health.dropped + health.dead_lettered) == (3, 2)
    assert "larger than" in str(health.last_error)
    assert near.bodies("dead") == ([] if policy == "drop" else [bodies[1], bodies[3]])
    assert list(dict.fromkeys(small.bodies())) == [b"1", b"3", b"5"]


def test_a_message_that_is_too_large_is_told_while_it_is_in_the_way(
    near: Side, small: Side, link: MakeLink
) -> None:
    near.publish(b"1", b"2" * 200, b"3")
    with small.where.listen() as server, running(link(target=server.url)) as forwarder:
        until(lambda: "larger than" in str(forwarder.health().last_error))
        until(lambda: forwarder.health().errors > 3)
        until(lambda: forwarder.health().forwarded == 1)
        until(lambda: forwarder.health().lag == 2)
        assert forwarder.health().state == "retrying"


@pytest.mark.parametrize("policy", ["retry", "drop", "dead-letter"])
def test_a_message_that_cannot_be_written_in_the_targets_terms_is_unfit(
    near: Side, far: Side, link: MakeLink, lettered: str, policy: Any
) -> None:
    # Between brokers of one process anything passes.
    for body, headers in ((b"1", {}), (b"2", {"x": object()}), (b"3", {})):
        near.publish(body, key=lettered, headers=headers)
    with far.where.listen() as server:
        made = link(queue=lettered, target=server.url, routing_key="q", unfit=policy)
        with running(made) as forwarder:
            until(lambda: forwarder.health().forwarded == (1 if policy == "retry" else 2))
            until(lambda: "to amqp://" in str(forwarder.health().last_error))
            until(lambda: forwarder.health().lag == (2 if policy == "retry" else 0))
    assert far.bodies() == ([b"1"] if policy == "retry" else [b"1", b"3"])
    assert near.bodies("dead") == ([b"2"] if policy == "dead-letter" else [])


# -- loops, filters, rates


def test_what_is_filtered_or_comes_back_is_deleted_and_counted(
    near: Side, far: Side, link: MakeLink
) -> None:
    near.publish(b"1", headers={"go": True})
    near.publish(b"2")
    near.publish(b"3", headers={"go": True, HOPS: ["up"]})
    near.publish(b"4", headers={"go": True})
    with running(link(match_headers={"go": True})) as forwarder:
        until(lambda: forwarder.health().forwarded == 2)
    health = forwarder.health()
    assert (health.filtered, health.looped, near.count()) == (1, 1, 0)
    assert far.bodies() == [b"1", b"4"]


def test_no_more_goes_than_the_rate_allows(near: Side, far: Side, link: MakeLink) -> None:
    now = [0.0]
    near.publish(*NUMBERS)
    with running(link(rate=10, burst=3), clock=lambda: now[0]) as forwarder:
        for passed, sent in ((0.0, 3), (0.1, 4), (0.4, 7), (9.9, 10)):
            now[0] = passed
            until(lambda sent=sent: forwarder.health().forwarded == sent)  # type: ignore[misc]  # a lambda's default
    assert far.bodies() == NUMBERS[:10]
    assert near.count() == 290


def test_what_ends_it_by_a_bug_is_told(link: MakeLink, monkeypatch: pytest.MonkeyPatch) -> None:
    forwarder = Forwarder(link())

    def broken() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(forwarder, "_measure", broken)
    with pytest.raises(ZeroDivisionError):
        forwarder.run()
    health = forwarder.health()
    assert (health.state, health.last_error) == ("failed", "ZeroDivisionError: a bug")
