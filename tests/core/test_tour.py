"""The tour: it runs, it tells what it received, and it notices what is not as told."""

from __future__ import annotations

import pytest

from minibroker.tour import SCENES, Tour, run


@pytest.fixture
def lines() -> list[str]:
    return []


def test_everything_in_the_tour_happens_as_told(lines: list[str]) -> None:
    assert run(lines.append) == []
    assert lines[-1].strip() == "Everything happened as told."


def test_the_tour_goes_through_all_scenes(lines: list[str]) -> None:
    run(lines.append)
    titles = [line.strip().partition(". ")[2] for line in lines if line.startswith("\n")]
    assert titles[:-1] == list(SCENES)


@pytest.mark.parametrize("title", SCENES)
def test_each_scene_stands_by_itself(title: str, lines: list[str]) -> None:
    tour = Tour(lines.append)
    with tour.broker:
        SCENES[title](tour)
        tour.broker._check()
    assert tour.surprises == []
    assert lines


def test_what_is_not_as_told_is_shown_and_remembered(
    monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    def wrong(tour: Tour) -> None:
        tour.show("the consumer got", ["a"], ["a", "b"])
        tour.show("left", [], [])

    monkeypatch.setitem(SCENES, "wrong", wrong)
    assert run(lines.append) == ["the consumer got: a instead of a, b"]
    assert any("expected" in line for line in lines)
    assert lines[-1].strip() == "the consumer got: a instead of a, b"
