"""MiniBroker: an embeddable message broker with RabbitMQ's behaviour.

`Broker` is what an application embeds; `minibroker_client` is how it usually talks to it.
"""

from __future__ import annotations

from .access import Permissions, TopicPermissions
from .broker import Broker
from .clock import Clock, ManualClock, SystemClock
from .message import Message
from .profile import PROFILES, Profile
from .properties import PLAIN, Properties
from .version import __version__

__all__ = [
    "PLAIN",
    "PROFILES",
    "Broker",
    "Clock",
    "ManualClock",
    "Message",
    "Permissions",
    "Profile",
    "Properties",
    "SystemClock",
    "TopicPermissions",
    "__version__",
]
