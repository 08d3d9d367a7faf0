"""Names of one run, and their symbols."""

from __future__ import annotations

from minibroker.differential.names import Names


def test_names_become_symbols_at_any_depth() -> None:
    names = Names("p1-", "me", "/v")
    text = "NOT_FOUND - no queue 'p1-q' in vhost '/v', access refused for user 'me'"
    assert names.symbolic([{"a": text, "n": 1}, ("me", None)]) == [
        {
            "a": "NOT_FOUND - no queue '~q' in vhost '<vhost>', access refused for user '<user>'",
            "n": 1,
        },
        ["<user>", None],
    ]


def test_what_the_server_makes_is_numbered() -> None:
    names = Names("p1-")
    shown = names.symbolic(["amq.gen-Xy_1", "amq.gen-2", "amq.ctag-z", "amq.gen-Xy_1"])
    assert shown == ["<queue-1>", "<queue-2>", "<tag-1>", "<queue-1>"]
    assert names.symbolic("no queue 'amq.rabbitmq.reply-to.g2d/=+x.' here") == (
        "no queue '<reply-1>' here"
    )
    assert names.symbolic("amq.rabbitmq.reply-to") == "amq.rabbitmq.reply-to"


def test_symbols_become_names_again() -> None:
    names = Names("p1-", "me")
    names.symbolic("amq.gen-Xy_1")
    assert names.actual({"queue": "<queue-1>", "to": ["~q", "<user>", "<tag-1>", 5]}) == {
        "queue": "amq.gen-Xy_1",
        "to": ["p1-q", "me", "<tag-1>", 5],
    }
