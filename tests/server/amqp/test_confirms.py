"""The answers to publishers: each publish is answered once and rightly, in few frames."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minibroker.server.amqp.confirms import Confirms
from minibroker.wire.amqp.spec import BasicAck, BasicNack


class Publisher:
    """Reads answers as a client does: `multiple` means all that are outstanding."""

    def __init__(self) -> None:
        self.outstanding: set[int] = set()
        self.answered: dict[int, bool] = {}

    def hear(self, answers: list[BasicAck | BasicNack]) -> None:
        """Note what is said, which has to be of something that was published."""
        for answer in answers:
            tag = answer.delivery_tag
            if answer.multiple:
                meant = {each for each in self.outstanding if each <= tag}
            else:
                assert tag in self.outstanding, f"{tag} is answered twice"
                meant = {tag}
            assert meant, f"{answer} says nothing"
            for each in meant:
                self.answered[each] = isinstance(answer, BasicAck)
            self.outstanding -= meant


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, bool, bool]]:
    """Publishes, and the answers of a broker to them: out of order, single or up to a tag."""
    steps: list[tuple[str, int, bool, bool]] = []
    published = 0
    open_tags: list[int] = []
    for _ in range(draw(st.integers(1, 30))):
        kind = draw(st.sampled_from(["publish", "publish", "one", "one", "many", "take"]))
        if kind == "publish":
            published += 1
            open_tags.append(published)
            steps.append(("publish", published, False, True))
        elif kind == "take" or not open_tags:
            steps.append(("take", 0, False, True))
        else:
            tag = draw(st.sampled_from(open_tags))
            ok = draw(st.sampled_from([True, True, False]))
            steps.append(("answer", tag, kind == "many", ok))
            done = [each for each in open_tags if each <= tag] if kind == "many" else [tag]
            open_tags = [each for each in open_tags if each not in done]
    return steps


@given(histories())
def test_each_publish_is_answered_once_and_as_it_was(
    steps: list[tuple[str, int, bool, bool]],
) -> None:
    confirms, client = Confirms(), Publisher()
    expected: dict[int, bool] = {}
    for kind, tag, multiple, ok in [*steps, ("take", 0, False, True)]:
        if kind == "publish":
            client.outstanding.add(tag)
        elif kind == "answer":
            confirms.add(tag, multiple, ok)
            meant = [each for each in client.outstanding if each <= tag] if multiple else [tag]
            expected.update({each: ok for each in meant if each not in expected})
        else:
            client.hear(confirms.take())
            assert client.answered == expected
    assert confirms.take() == []


def test_answers_in_order_are_one_frame() -> None:
    confirms = Confirms()
    for tag in range(1, 101):
        confirms.add(tag, multiple=False, ok=True)
    assert confirms.take() == [BasicAck(100, multiple=True)]
    confirms.add(101, multiple=False, ok=True)
    assert confirms.take() == [BasicAck(101)]


def test_an_ack_never_covers_what_is_not_answered_yet() -> None:
    confirms = Confirms()
    for tag in (2, 4, 3):
        confirms.add(tag, multiple=False, ok=True)
    assert confirms.take() == [BasicAck(2), BasicAck(4), BasicAck(3)]
    confirms.add(1, multiple=False, ok=True)
    assert confirms.take() == [BasicAck(1)]
    confirms.add(5, multiple=False, ok=True)
    confirms.add(6, multiple=False, ok=True)
    assert confirms.take() == [BasicAck(6, multiple=True)]


def test_a_nack_ends_a_run_of_acks() -> None:
    confirms = Confirms()
    for tag, ok in ((1, True), (2, True), (3, False), (4, True)):
        confirms.add(tag, multiple=False, ok=ok)
    assert confirms.take() == [
        BasicAck(2, multiple=True), BasicNack(3, multiple=False, requeue=False), BasicAck(4)
    ]  # fmt: skip


def test_a_nack_of_many_is_one_frame() -> None:
    confirms = Confirms()
    confirms.add(1, multiple=False, ok=True)
    confirms.add(5, multiple=True, ok=False)
    confirms.add(6, multiple=False, ok=True)
    assert confirms.take() == [BasicAck(1), BasicNack(5, multiple=True, requeue=False), BasicAck(6)]


def test_acks_up_to_a_tag_go_on_behind_those_that_came_early() -> None:
    confirms = Confirms()
    confirms.add(4, multiple=False, ok=True)
    confirms.add(6, multiple=False, ok=True)
    assert confirms.take() == [BasicAck(4), BasicAck(6)]
    confirms.add(3, multiple=True, ok=True)
    confirms.add(5, multiple=False, ok=True)
    confirms.add(7, multiple=False, ok=True)
    assert confirms.take() == [BasicAck(3, multiple=True), BasicAck(5), BasicAck(7)]
