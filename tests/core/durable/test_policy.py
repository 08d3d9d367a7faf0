"""What `fsync` may say."""

from __future__ import annotations

import pytest

from minibroker.durable.policy import SyncPolicy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("always", SyncPolicy(always=True, interval=None)),
        ("never", SyncPolicy(always=False, interval=None)),
        ("interval:100ms", SyncPolicy(always=False, interval=0.1)),
        ("interval:1m30s", SyncPolicy(always=False, interval=90)),
    ],
)
def test_always_never_or_an_interval(text: str, policy: SyncPolicy) -> None:
    assert SyncPolicy.parse(text) == policy


@pytest.mark.parametrize(
    "text",
    ["", "Always", "interval", "interval:", "interval:0ms", "interval:-1s", "interval:x", "1s", 5],
)
def test_anything_else_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"fsync must be 'always'.*, not {text!r}"):
        SyncPolicy.parse(text)
