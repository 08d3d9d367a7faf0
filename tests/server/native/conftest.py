from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .native_pair import NativeClient

if TYPE_CHECKING:
    from minibroker import Broker


@pytest.fixture
def native(broker: Broker) -> NativeClient:
    """A native client with channel 1 open, and queue `q`."""
    client = NativeClient(broker).open(1)
    client.declare()
    return client
