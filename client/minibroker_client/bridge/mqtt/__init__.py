"""`mqtt://`, `mqtts://`: an end of a bridge, by paho-mqtt. Not a transport for anything else.

MQTT gives no lease, takes nothing back and has no queues, so a link's other end keeps what waits.
"""

from __future__ import annotations

from .connection import transport

__all__ = ["transport"]
