"""Repairing: what is lost is said, all else is kept, and a power cut does no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faulty import FaultyFiles, PowerCut
from minibroker import Broker, ManualClock
from minibroker.errors import LogDamaged, LogVersionUnknown
from minibroker.inspection import Repair, check, dump, repair
from minibroker.journal.checkpoint import checkpoint_name
from minibroker.queues import Stream

from .logs import (
    MemoryArchive,
    checkpoint_of,
    contents_of,
    counted,
    damaged,
    opened,
    publish,
    segments_of,
    sparse_of,
)

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = b"repaired........"
Contents = dict[str, bytes]


def repaired(contents: Contents) -> tuple[Repair, FaultyFiles]:
    """What a repair said, and the files after it, which a check finds whole."""
    files = FaultyFiles(contents)
    done = repair(files, MemoryArchive(files), IDENTITY)
    assert check(files).problems == []
    return done, files


def message_at(contents: Contents, number: int, key: str) -> tuple[str, int]:
    """File and offset of the record of a message."""
    found = [
        (each["file"], each["offset"])
        for each in dump(FaultyFiles(contents), everything=True)
        if each.get("routing_key") == key and each.get("kind") == "message"
    ]
    return found[number]


def test_a_whole_log_is_left_alone(whole: Contents) -> None:
    done, files = repaired(whole)
    assert done.problems == []
    assert done.lines() == []
    assert files.count == 0


def test_a_damaged_message_is_the_only_one_lost(running: Contents) -> None:
    before = counted(FaultyFiles(running))
    file, offset = message_at(running, 4, "new")
    done, files = repaired(damaged(running, file, offset + 80))
    assert "queue 'new' in vhost '/': 1 message lost" in done.lost
    assert counted(files) == {**before, "new": before["new"] - 1}


def test_a_damaged_message_before_the_checkpoint_is_the_only_one_lost(whole: Contents) -> None:
    before = counted(FaultyFiles(whole))
    (*_, offset) = (
        each["offset"]
        for each in dump(FaultyFiles(whole), everything=True)
        if each["file"] == sparse_of(whole)
    )
    done, files = repaired(damaged(whole, sparse_of(whole), offset + 80))
    assert done.lost == ["queue 'jobs' in vhost '/': 1 message lost"]
    assert counted(files) == {**before, "jobs": before["jobs"] - 1}


def test_a_damaged_frame_header_loses_nothing(running: Contents) -> None:
    before = counted(FaultyFiles(running))
    file, offset = message_at(running, 4, "new")
    _, files = repaired(damaged(running, file, offset - 20))
    assert counted(files) == before


def test_a_damaged_segment_header_loses_nothing(running: Contents) -> None:
    before = counted(FaultyFiles(running))
    for name in segments_of(running):
        _, files = repaired(damaged(running, name, 20))
        assert counted(files) == before


def test_a_damaged_index_loses_nothing(whole: Contents) -> None:
    before = counted(FaultyFiles(whole))
    name = sparse_of(whole)
    _, files = repaired(damaged(whole, name, len(whole[name]) - 30))
    assert counted(files) == before


def test_a_missing_segment_loses_what_was_in_it_and_says_so(whole: Contents) -> None:
    before = counted(FaultyFiles(whole))
    name = sparse_of(whole)
    done, files = repaired({each: data for each, data in whole.items() if each != name})
    lost = before["jobs"] - counted(files)["jobs"]
    assert lost > 0
    assert f"queue 'jobs' in vhost '/': {lost} messages lost" in done.lost


def test_a_damaged_checkpoint_is_used_as_far_as_it_is_whole(whole: Contents) -> None:
    before = counted(FaultyFiles(whole))
    name = checkpoint_of(whole)
    for offset in range(0, len(whole[name]), 53):
        done, files = repaired(damaged(whole, name, offset))
        after = counted(files)
        assert done.lost or after == before
        assert sum(name in after for name in before) >= len(before) - 1, f"offset {offset}"


def test_a_checkpoint_that_was_cut_is_completed_from_the_log(running: Contents) -> None:
    name = checkpoint_of(running)
    done, files = repaired({**running, name: running[name][:500]})
    assert counted(files)["new"] == counted(FaultyFiles(running))["new"]
    assert any("checkpoint" in what for what in done.lost)


def test_without_a_checkpoint_the_log_is_replayed_from_its_beginning(tmp_path: Path) -> None:
    with opened(tmp_path, segment_size=1 << 20) as broker:
        channel = broker.connect().channel()
        channel.declare_queue("jobs", durable=True)
        publish(channel, "jobs", 5)
    contents = contents_of(tmp_path)
    del contents[checkpoint_of(contents)]
    assert check(FaultyFiles(contents)).problems == []  # nothing is missing
    assert counted(FaultyFiles(contents)) == {"jobs": 5}


def test_without_checkpoint_and_beginning_the_unknown_queues_are_told(whole: Contents) -> None:
    done, files = repaired(
        {name: data for name, data in whole.items() if name != checkpoint_of(whole)}
    )
    assert any("cannot be restored" in what for what in done.lost)
    assert any("places that are not known" in what for what in done.lost)
    assert counted(files) == {}


def test_an_older_checkpoint_is_used_if_the_newest_is_damaged(whole: Contents) -> None:
    before = counted(FaultyFiles(whole))
    newer = checkpoint_name(int(checkpoint_of(whole)[:20]) + 500)
    done, files = repaired({**whole, newer: b"nothing of a checkpoint"})
    assert done.problems[0].file == newer
    assert done.lost == []
    assert counted(files) == before


def test_two_brokers_files_mixed_keep_those_of_the_checkpoint(
    whole: Contents, tmp_path: Path
) -> None:
    before = counted(FaultyFiles(whole))
    with opened(tmp_path) as broker:
        channel = broker.connect().channel()
        channel.declare_queue("foreign", durable=True)
        publish(channel, "foreign", 60)
        broker.sync()
        foreign = {each.name: each.read_bytes() for each in tmp_path.glob("*.segment")}
    done, files = repaired({**foreign, **whole})
    assert any("another broker" in problem.what for problem in done.problems)
    assert counted(files) == before


def test_offsets_of_a_stream_move_up_where_one_is_lost(whole: Contents) -> None:
    file, offset = message_at(whole, 2, "events")
    done, files = repaired(damaged(whole, file, offset + 50))
    assert "stream 'events' in vhost '/': 1 message lost" in done.lost
    assert (
        "stream 'events' in vhost '/': the 2 oldest offsets move up to close the gap" in done.lost
    )
    with Broker(data=files, clock=ManualClock()) as broker:
        broker._check()
        stream = broker.vhosts["/"].queues["events"]
        assert isinstance(stream, Stream)
        assert (stream.offsets.first, stream.offsets.next) == (1, 6)
        assert stream.size == 10
        bodies = [(entry.seq, entry.message.body) for entry in map(stream.offsets.at, range(1, 6))]
    assert bodies == [(1, b"e0"), (2, b"e1"), (3, b"e3"), (4, b"e4"), (5, b"e5")]


def test_settings_priorities_and_what_exchanges_hold_are_kept(whole: Contents) -> None:
    file, offset = message_at(whole, 0, "votes")
    _, files = repaired(damaged(whole, file, offset + 50))
    clock = ManualClock()
    with Broker(data=files, clock=clock) as broker:
        host = broker.vhosts["/"]
        assert broker.vhosts["other"].limits.queues == 10
        assert [policy.name for policy in host.policies.list()] == ["short"]
        assert broker.users.get("guest").topics["/"][0].exchange == "amq.topic"
        channel = broker.connect().channel()
        got = [channel.get("urgent") for _ in range(6)]
        assert [each.entry.message.body for each in got if each] == [
            b"u3", b"u2", b"u1", b"u5", b"u0", b"u4",
        ]  # fmt: skip
        jobs = host.queues["jobs"].message_count
        clock.advance(2000)
        assert host.queues["jobs"].message_count == jobs + 6


def test_everything_removed_is_in_the_archive_with_a_report(whole: Contents) -> None:
    contents = damaged(whole, sparse_of(whole), 100)
    files = FaultyFiles(contents)
    archive = MemoryArchive(files)
    done = repair(files, archive, IDENTITY)
    assert archive.kept == contents
    assert archive.text.splitlines() == done.lines()
    assert not contents.keys() & files.contents().keys()


def test_a_dry_run_says_the_same_and_changes_nothing(whole: Contents) -> None:
    contents = damaged(whole, sparse_of(whole), 100)
    files = FaultyFiles(contents)
    archive = MemoryArchive(files)
    planned = repair(files, archive, IDENTITY, dry_run=True)
    assert files.count == 0
    assert archive.kept == {}
    assert planned.lines() == repaired(contents)[0].lines()


def test_a_repaired_log_goes_on(whole: Contents) -> None:
    _, files = repaired(damaged(whole, sparse_of(whole), 100))
    before = counted(files)
    with Broker(data=files, clock=ManualClock(), segment_size=4096) as broker:
        publish(broker.connect().channel(), "jobs", 50)
    assert counted(files) == {**before, "jobs": before["jobs"] + 50}
    assert check(files).problems == []


@pytest.mark.parametrize("how", [None, "all"])
def test_a_power_cut_at_any_point_is_repaired_by_repairing_again(
    whole: Contents, how: str | None
) -> None:
    contents = damaged(whole, sparse_of(whole), 100)
    _, files = repaired(contents)
    wanted, steps = counted(files), FaultyFiles(contents)
    repair(steps, MemoryArchive(steps), IDENTITY)
    for stop in range(steps.count):
        files = FaultyFiles(contents)
        files.stop_at(stop)
        with pytest.raises(PowerCut):
            repair(files, MemoryArchive(files), IDENTITY)
        left = files.after_power_cut(stop, how)
        assert contents.items() <= left.contents().items() or _is_complete(left), f"step {stop}"
        repair(left, MemoryArchive(left), b"repaired again..")
        assert counted(left) == wanted, f"step {stop}: {files.history}"


def _is_complete(files: FaultyFiles) -> bool:
    """Whether the new log is there, whatever there is besides."""
    names = [name for name in files.contents() if name.endswith(".checkpoint")]
    done = repair(files, MemoryArchive(files), b"looked at.......", dry_run=True)
    return len(names) >= 1 and not any(" lost" in what for what in done.lost)


@pytest.mark.parametrize("kind", ["create", "write", "sync", "rename"])
def test_a_full_disk_leaves_the_old_log_as_it_was(whole: Contents, kind: str) -> None:
    contents = damaged(whole, sparse_of(whole), 100)
    files = FaultyFiles(contents)
    files.fail(kinds=[kind])
    with pytest.raises(OSError, match="No space"):
        repair(files, MemoryArchive(files), IDENTITY)
    assert contents.items() <= files.contents().items()


def test_a_newer_version_is_not_touched(whole: Contents) -> None:
    name = checkpoint_of(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minibroker.journal.checkpoint.VERSION", 0)
        files = FaultyFiles(whole)
        with pytest.raises(LogVersionUnknown, match=name):
            repair(files, MemoryArchive(files), IDENTITY)
    assert files.count == 0


def test_a_broker_refuses_what_is_repaired_here(whole: Contents) -> None:
    with pytest.raises(LogDamaged):
        counted(FaultyFiles(damaged(whole, sparse_of(whole), 100)))
