"""The two ends of a link, each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from minibroker.gate import MEMORY
from minibroker_client.bridge.ends import (
    EndFailed,
    SourceEnd,
    TargetBlocked,
    TargetEnd,
    UnfitMessage,
)
from minibroker_client.bridge.transforms import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker_client.bridge import BridgeLink
    from minibroker_client.transport.base import Returned

    from .conftest import Side

    MakeLink = Callable[..., BridgeLink]


def outgoing(key: str = "q", **values: Any) -> Outgoing:
    return Outgoing(1, key, b"x", values)


def test_a_source_reads_up_to_what_is_asked_for_and_acks_up_to_a_tag(
    near: Side, link: MakeLink
) -> None:
    near.publish(b"1", b"2", b"3", b"4")
    source = SourceEnd(link())
    source.open()
    source.take(3)
    assert [each.message.body for each in source.inbox] == [b"1", b"2", b"3"]
    source.ack(source.inbox[1].tag)
    source.close()
    assert near.bodies() == [b"3", b"4"]
    assert not source.is_open


def test_a_source_declares_its_queue_when_it_is_told_how(near: Side, link: MakeLink) -> None:
    arguments = {"x-max-length": 2, "x-overflow": "drop-head"}
    source = SourceEnd(link(queue="bounded", queue_arguments=arguments))
    source.open()
    source.close()
    near.publish(b"1", b"2", b"3", key="bounded")
    assert near.bodies("bounded") == [b"2", b"3"]


def test_a_source_without_its_queue_says_so(link: MakeLink) -> None:
    source = SourceEnd(link(queue="none"))
    with pytest.raises(EndFailed, match=r"from memory://.*no queue 'none'"):
        source.open()
    assert not source.is_open
    for use in (
        source.waiting,
        lambda: source.take(1),
        lambda: source.wait(0),
        lambda: source.ack(1),
    ):
        with pytest.raises(EndFailed, match=r"closed|not open"):
            use()
    with pytest.raises(EndFailed):
        source.dead_letter(1)


def test_a_source_whose_queue_is_deleted_fails(near: Side, link: MakeLink) -> None:
    source = SourceEnd(link())
    source.open()
    near.raw.delete_queue("q")
    with pytest.raises(EndFailed, match="queue 'q' was deleted"):
        source.wait(1)
    with pytest.raises(EndFailed, match="no queue 'q'"):
        source.waiting()


def test_a_source_counts_what_is_not_settled(near: Side, link: MakeLink) -> None:
    source = SourceEnd(link(confirm_window=1))  # a prefetch of 2
    source.open()
    near.publish(b"1", b"2", b"3", b"4")
    assert source.waiting() == 4
    source.take(3)
    source.ack(1)
    assert source.waiting() == 3
    source.dead_letter(2)
    assert source.waiting() == 2
    source.close()


def test_a_target_confirms_and_returns(far: Side, link: MakeLink) -> None:
    returned: list[Returned] = []
    target = TargetEnd(link(), returned.append)
    target.open()
    taken, lost = outgoing(), outgoing("nowhere")
    for each in (taken, lost):
        target.publish(each)
    target.wait(0, 10)
    assert [target.channel.answer(each.number) for each in (taken, lost)] == [True, True]
    assert [each.message.routing_key for each in returned] == ["nowhere"]
    assert target.unconfirmed == 0
    target.look()
    target.close()
    assert target.unconfirmed == 0
    with pytest.raises(EndFailed, match="not open"):
        target.publish(taken)
    with pytest.raises(EndFailed, match="closed"):
        target.look()
    with pytest.raises(EndFailed, match="not open"):
        target.wait(0, 0)


def test_a_target_without_its_exchange_says_so(link: MakeLink) -> None:
    with pytest.raises(EndFailed, match=r"to memory://.*no exchange 'none'"):
        TargetEnd(link(exchange="none"), lambda _: None).open()


def test_options_that_a_transport_does_not_take_are_told(tmp_path: Any, link: MakeLink) -> None:
    made = link(source=f"file://{tmp_path}/d", source_options={"fsync": "sometimes"})
    with pytest.raises(EndFailed, match="sometimes"):
        SourceEnd(made).open()


def test_a_target_that_takes_no_messages_is_blocked_and_nothing_is_published(
    far: Side, link: MakeLink
) -> None:
    target = TargetEnd(link(), lambda _: None)
    target.open()
    with far.where.host.guard:
        far.where.host.gate.shut(MEMORY, lambda: "")
    made = outgoing()
    with pytest.raises(TargetBlocked, match="memory"):
        target.publish(made)
    assert (made.number, target.unconfirmed, far.count()) == (0, 0, 0)
    with far.where.host.guard:
        far.where.host.gate.open(MEMORY)
    target.publish(made)
    target.close()
    assert far.count() == 1


def test_what_amqp_cannot_carry_is_unfit(far: Side, link: MakeLink) -> None:
    with far.where.listen() as server:
        target = TargetEnd(link(target=server.url), lambda _: None)
        target.open()
        with pytest.raises(UnfitMessage, match="to amqp://"):
            target.publish(outgoing(headers={"x": object()}))
        target.publish(outgoing())
        target.wait(0, 10)
        target.close()
    assert far.count() == 1
