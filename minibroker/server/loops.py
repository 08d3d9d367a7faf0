"""Which event loop a server of its own runs on: uvloop's where it is installed."""

from __future__ import annotations

import asyncio

__all__ = ["new_event_loop"]


def new_event_loop(uvloop: bool | None = None) -> asyncio.AbstractEventLoop:
    """A new loop. `uvloop`: True for uvloop's, False for asyncio's, None for the one there is.

    Raises ImportError that says what to install when uvloop is asked for and not there.
    """
    if uvloop is False:
        return asyncio.new_event_loop()
    try:
        import uvloop as installed  # noqa: PLC0415 -- an optional dependency
    except ImportError:
        if uvloop:
            raise ImportError("uvloop is not installed: pip install 'minibroker[speed]'") from None
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = installed.new_event_loop()
    return loop
