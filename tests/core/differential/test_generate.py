"""Programs from seeds."""

from __future__ import annotations

from collections import Counter

from minibroker.differential.events import method_called
from minibroker.differential.generate import generate
from minibroker.differential.typed import encode_properties, encode_table

PROGRAMS = [generate(seed) for seed in range(600)]
OPERATIONS = [each for program in PROGRAMS for each in program.operations]
WITHOUT_METHOD = {"connection.drop", "pause"}


def test_a_seed_gives_the_same_program_every_time() -> None:
    assert generate(7) == PROGRAMS[7]
    assert generate(7) != generate(8)


def test_every_operation_can_be_sent() -> None:
    for each in OPERATIONS:
        if each.method in WITHOUT_METHOD:
            continue
        fields = dict(each.arguments)
        encode_table(fields.pop("arguments", []))
        if isinstance(fields.get("delivery_tag"), list):
            fields["delivery_tag"] = 1
        method_called(each.method)(**fields)
        encode_properties(each.properties)


def test_everything_that_a_client_can_do_is_tried() -> None:
    done = Counter(each.method for each in OPERATIONS)
    assert set(done) == {
        "access.request", "basic.ack", "basic.cancel", "basic.consume", "basic.get", "basic.nack",
        "basic.publish", "basic.qos", "basic.recover", "basic.recover-async", "basic.reject",
        "channel.close", "channel.flow", "channel.open", "confirm.select", "connection.close",
        "connection.drop", "exchange.bind", "exchange.declare", "exchange.delete",
        "exchange.unbind", "pause", "queue.bind", "queue.declare", "queue.delete", "queue.purge",
        "queue.unbind", "tx.commit", "tx.rollback", "tx.select",
    }  # fmt: skip
    flags = {(each.method, name) for each in OPERATIONS for name in each.arguments}
    for flag in ("passive", "durable", "exclusive", "auto_delete", "nowait"):
        assert ("queue.declare", flag) in flags
    for flag in ("no_ack", "exclusive", "no_local", "nowait", "arguments"):
        assert ("basic.consume", flag) in flags
    assert ("basic.publish", "mandatory") in flags
    assert ("exchange.declare", "internal") in flags


def test_nothing_is_published_where_others_listen() -> None:
    exchanges = {
        each.arguments["exchange"] for each in OPERATIONS if each.method == "basic.publish"
    }
    assert {each for each in exchanges if each.startswith("amq.")} <= {"amq.direct", "amq.none"}


def test_what_lives_for_a_millisecond_is_given_time_to_die() -> None:
    brief = [each for each in PROGRAMS if any(op.method == "pause" for op in each.operations)]
    assert 5 < len(brief) < 60
    for program in brief:
        assert {each.more for each in program.operations[::2]} == {True}
        assert {each.method for each in program.operations[1::2]} == {"pause"}
