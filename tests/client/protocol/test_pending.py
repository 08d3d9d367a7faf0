from __future__ import annotations

import pytest

from minibroker_client.protocol.pending import Pending


def test_an_answer_is_converted_and_told() -> None:
    told: list[Pending] = []
    pending = Pending("queue.declare", lambda answer: answer + 1)
    pending.callback = lambda: told.append(pending)
    assert not pending.done
    pending.succeed(1)
    assert pending.result() == 2
    assert told == [pending]


def test_an_answer_without_a_conversion_is_itself() -> None:
    pending = Pending("basic.qos")
    pending.succeed("ok")
    assert pending.result() == "ok"


def test_an_error_is_raised_and_comes_too_late_after_an_answer() -> None:
    pending = Pending("basic.get")
    pending.fail(KeyError("x"))
    with pytest.raises(KeyError):
        pending.result()
    done = Pending("basic.get")
    done.succeed(1)
    done.fail(KeyError("x"))
    assert done.result() == 1
