"""What came, as JSON."""

from __future__ import annotations

import pytest

from minibroker.differential.events import as_event, method_called, name_of, reply_of
from minibroker.differential.typed import Json, encode_properties
from minibroker.wire.amqp import spec


def test_methods_have_names() -> None:
    assert name_of(spec.QueueDeclareOk()) == "queue.declare-ok"
    assert method_called("basic.recover-async") is spec.BasicRecoverAsync
    assert reply_of("basic.get") == "basic.get-ok"
    assert reply_of("basic.publish") is None
    with pytest.raises(ValueError, match=r"no method 'basic\.push'"):
        method_called("basic.push")


def test_a_close_names_the_method_that_failed() -> None:
    assert as_event(spec.ChannelClose(404, "no", 50, 10)) == {
        "method": "channel.close",
        "reply_code": 404,
        "reply_text": "no",
        "failed": "queue.declare",
    }


def test_content_is_shown_and_a_long_body_by_its_hash() -> None:
    event = as_event(spec.BasicGetOk(1), encode_properties({"priority": 1}), b"caf\xc3\xa9")
    assert (event["properties"], event["body"]) == ({"priority": 1}, "caf\u00e9")
    body = as_event(spec.BasicGetOk(1), encode_properties({}), b"x" * 200)["body"]
    assert body.startswith("x" * 100 + "... (200 bytes, sha256 ")


def test_the_time_of_a_death_is_left_out() -> None:
    def headers(death: Json) -> Json:
        encoded = encode_properties({"headers": [["x-death", death], ["t", ["T", 5]]]})
        return as_event(spec.BasicGetOk(1), encoded)["properties"]["headers"]

    death = ["A", [["F", [["count", ["l", 1]], ["time", ["T", 1_700_000_000]]]], ["I", 1]]]
    timeless = ["A", [["F", [["count", ["l", 1]], ["time", "<time>"]]], ["I", 1]]]
    assert headers(death) == [["x-death", timeless], ["t", ["T", 5]]]
    assert headers(["S", "x"]) == [["x-death", ["S", "x"]], ["t", ["T", 5]]]
