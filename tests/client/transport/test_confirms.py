from __future__ import annotations

from minibroker_client.transport.confirms import Confirms


def test_a_publish_waits_until_it_is_answered() -> None:
    confirms = Confirms()
    confirms.published(1)
    assert confirms.waits(1)
    confirms.answered(1, multiple=False, ok=True)
    assert not confirms.waits(1)
    assert confirms.take(1)


def test_multiple_answers_all_up_to_a_number() -> None:
    confirms = Confirms()
    for number in (1, 2, 3):
        confirms.published(number)
    confirms.answered(2, multiple=True, ok=False)
    assert [confirms.waits(number) for number in (1, 2, 3)] == [False, False, True]
    assert not confirms.take(1)
    assert not confirms.take(2)


def test_an_answer_is_taken_once() -> None:
    confirms = Confirms()
    confirms.published(1)
    confirms.answered(1, multiple=False, ok=False)
    assert not confirms.take(1)
    assert confirms.take(1)
