"""Two ledgers told as one."""

from __future__ import annotations

from minibroker.message import Message
from minibroker.properties import PLAIN
from minibroker.queues import Entry
from minibroker.queues.ledgers import both


class Told:
    """A ledger that writes down what it hears."""

    def __init__(self, name: str, heard: list[tuple[str, str]]) -> None:
        self.name = name
        self.heard = heard

    def entered(self, entry: Entry) -> None:
        self.heard.append((self.name, "entered"))

    def handed(self, entry: Entry) -> None:
        self.heard.append((self.name, "handed"))

    def left(self, entry: Entry) -> None:
        self.heard.append((self.name, "left"))


def test_where_there_is_one_it_is_that_one_and_where_there_is_none_none() -> None:
    ledger = Told("a", [])
    assert both(ledger, None) is ledger
    assert both(None, ledger) is ledger
    assert both(None, None) is None


def test_both_are_told_and_of_an_entry_that_enters_the_second_first() -> None:
    heard: list[tuple[str, str]] = []
    ledger = both(Told("counts", heard), Told("keeps", heard))
    assert ledger is not None
    entry = Entry(None, Message("", "", PLAIN, b""), 1)  # type: ignore[arg-type]  # nobody looks
    ledger.entered(entry)
    ledger.handed(entry)
    ledger.left(entry)
    assert heard[:2] == [("keeps", "entered"), ("counts", "entered")]
    assert sorted(heard[2:]) == [
        ("counts", "handed"),
        ("counts", "left"),
        ("keeps", "handed"),
        ("keeps", "left"),
    ]
