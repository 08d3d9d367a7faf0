"""What is in a log, as values that JSON can have."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from faulty import FaultyFiles
from minibroker.inspection import dump
from minibroker.store import record

from .logs import PERSISTENT, checkpoint_of, contents_of, damaged, opened, segments_of

if TYPE_CHECKING:
    from pathlib import Path

Contents = dict[str, bytes]


def shown(contents: Contents, kind: str | None = None, **options: Any) -> list[dict[str, Any]]:
    """What is dumped, once through JSON; all of it or one kind."""
    found = [json.loads(json.dumps(each)) for each in dump(FaultyFiles(contents), **options)]
    return [each for each in found if kind in {None, each.get("kind")}]


def test_the_newest_checkpoint_comes_first_and_then_the_log_from_there_on(
    running: Contents,
) -> None:
    name = checkpoint_of(running)
    files = [each["file"] for each in shown(running)]
    assert files[0] == name
    assert {each for each in files if each != name} == {
        each for each in segments_of(running) if each[:20] >= name[:20]
    }
    assert files == sorted(files, key=lambda each: each != name)


def test_with_everything_the_whole_log_is_shown(running: Contents) -> None:
    assert {each["file"] for each in shown(running, everything=True)} == running.keys()


def test_what_there_is_is_shown_by_name(whole: Contents) -> None:
    queues = {each["name"]: each for each in shown(whole, "queue_added")}
    assert queues["events"]["arguments"] == {"x-queue-type": "stream"}
    assert queues["votes"]["type"] == "quorum"
    bound = {(each["source"], each["destination"]) for each in shown(whole, "bound")}
    assert bound == {("later", "jobs"), ("logs", "jobs"), ("logs", "votes")}
    assert {each["vhost"] for each in shown(whole, "limits_set")} == {None, "/", "other"}
    assert shown(whole, "loose")[0]["seqs"]


def test_a_message_is_shown_with_its_properties_and_places(running: Contents) -> None:
    message = shown(running, "message")[0]
    assert message["exchange"] == ""
    assert message["routing_key"] == "new"
    assert message["properties"] == {"delivery_mode": 2}
    (new,) = (each for each in shown(running, "queue_added") if each["name"] == "new")
    ((place, seq, time),) = (each.values() for each in message["places"])
    assert (place, time) == (new["place"], None)
    assert base64.b64decode(message["body"]) == (b"%06d" % (seq - 1)).ljust(64, b".")
    assert message["size"] == 100


def test_the_body_is_cut_to_as_many_bytes_as_wanted(running: Contents) -> None:
    message = shown(running, "message", body_bytes=3)[0]
    assert base64.b64decode(message["body"]) == b"000"
    assert message["size"] == 100


def test_the_position_of_a_record_is_that_in_the_log(running: Contents) -> None:
    for each in shown(running, "message", everything=True):
        found = record.parse(running[each["file"]], each["offset"])
        assert found is not None
        assert each["position"] >= int(each["file"][:20])


def test_damage_is_told_and_what_is_behind_it_is_shown(running: Contents) -> None:
    last = shown(running, "message")[-1]
    broken = shown(running, "message")[2]
    found = shown(damaged(running, broken["file"], broken["offset"] + 60))
    (hole,) = (each for each in found if "damaged" in each)
    assert (hole["file"], hole["offset"]) == (broken["file"], broken["offset"])
    assert hole["skipped"] > 100
    assert last in found
    assert broken not in found


def test_a_compressed_body_is_shown_as_it_was(tmp_path: Path) -> None:
    with opened(tmp_path, compress="lz4") as broker:
        channel = broker.connect().channel()
        channel.declare_queue("jobs", durable=True)
        channel.publish("", "jobs", b"z" * 3000, PERSISTENT)
    contents = contents_of(tmp_path)
    (message,) = shown(contents, "message", everything=True, body_bytes=5000)
    assert base64.b64decode(message["body"]) == b"z" * 3000
