"""A new log from a state: the same broker comes out of it, and no file has its name yet."""

from __future__ import annotations

from faulty import FaultyFiles
from minibroker.inspection.rebuild import Left, left_of, rebuild
from minibroker.inspection.salvage import Salvage, salvage
from minibroker.journal import open_storage

from .logs import checkpoint_of, counted

IDENTITY = b"rebuilt........."
START = 1 << 20
Contents = dict[str, bytes]


def rebuilt(contents: Contents) -> tuple[Salvage, dict[int, Left], list[str], FaultyFiles]:
    """A log, rebuilt beside itself."""
    files = FaultyFiles(contents)
    found = salvage(files, checkpoint_of(contents))
    log = found.survey.log()
    left = left_of(found.state, log)
    names = rebuild(found.state, left, log, START, IDENTITY)
    log.close()
    return found, left, names, files


def test_everything_is_written_under_temporary_names(running: Contents) -> None:
    _, _, names, files = rebuilt(running)
    assert {name: data for name, data in files.contents().items() if name in running} == running
    assert files.contents().keys() - running.keys() == {f"{name}.tmp" for name in names}
    assert names[0] == f"{START:020d}.segment"
    assert names[-1].endswith(".checkpoint")
    assert files.opened == []


def test_the_same_broker_comes_out_of_it(running: Contents) -> None:
    found, _, names, files = rebuilt(running)
    new = FaultyFiles({name: files.contents()[f"{name}.tmp"] for name in names})
    assert counted(new.after_kill()) == counted(FaultyFiles(running))
    state = open_storage(new, bytes(16)).state
    for what in ("vhosts", "exchanges", "queues", "bindings", "users", "permissions", "policies"):
        assert getattr(state, what) == getattr(found.state, what), what
    for number, place in found.state.places.items():
        other = state.places[number]
        assert (other.last_seq, other.expiring) == (place.last_seq, place.expiring)
        assert other.rows.keys() == place.rows.keys()
        assert (other.first, other.size) == (place.first, place.size)


def test_only_messages_that_somebody_needs_are_copied(running: Contents) -> None:
    _, left, names, files = rebuilt(running)
    entries = sum(len(each) for one in left.values() for each in one.entries.values())
    assert entries > 50
    size = sum(len(files.contents()[f"{name}.tmp"]) for name in names)
    assert size < sum(map(len, running.values()))


def test_a_log_without_messages_needs_no_segment() -> None:
    files = FaultyFiles()
    found = salvage(files, None)
    log = found.survey.log()
    assert rebuild(found.state, {}, log, 4096, IDENTITY) == ["00000000000000004096.checkpoint"]
    log.close()
