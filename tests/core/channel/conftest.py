"""A queue to consume from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from minibroker.channel import Channel


@pytest.fixture
def q(channel: Channel) -> Channel:
    """`channel`, with a queue `q`."""
    channel.declare_queue("q")
    return channel
