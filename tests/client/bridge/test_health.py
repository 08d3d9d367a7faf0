"""What a link says of itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from minibroker_client.bridge.health import Health

THEN = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
LATER = datetime(2026, 5, 1, 12, 0, 9, tzinfo=UTC)


def test_since_is_when_the_state_changed() -> None:
    health = Health("up", since=THEN)
    assert not health.now_in("starting", LATER)
    assert health.since == THEN
    assert health.now_in("running", LATER)
    assert (health.state, health.since) == ("running", LATER)


def test_the_last_error_stays_with_its_time() -> None:
    health = Health("up")
    health.went_wrong("one", THEN)
    health.went_wrong("two", LATER)
    health.now_in("running")
    assert (health.errors, health.last_error, health.last_error_at) == (2, "two", LATER)


def test_a_copy_does_not_change() -> None:
    health = Health("up")
    copy = health.copy()
    health.forwarded = 3
    assert copy.forwarded == 0


def test_it_goes_into_json() -> None:
    health = Health("up", since=THEN)
    assert json.loads(json.dumps(health.as_dict()))["since"] == "2026-05-01T12:00:00+00:00"
    assert health.as_dict()["last_error_at"] is None
    health.went_wrong("no", LATER)
    assert health.as_dict()["last_error_at"] == "2026-05-01T12:00:09+00:00"


def test_as_text_it_names_the_error_only_while_there_is_one() -> None:
    health = Health("up", since=THEN)
    assert str(health).endswith("0 forwarded, lag ?")
    health.lag = 7
    health.went_wrong("it is away")
    health.now_in("retrying", THEN)
    assert str(health).endswith("lag 7, last error: it is away")
    health.now_in("running", THEN)
    assert str(health).endswith("0 forwarded, lag 7")
