"""Everything before `connection.open-ok`: version, login, tuning, virtual host.

Knows no socket. A step that is not in `STEPS` may not come. Source: AMQP 0-9-1 section 2.2.4,
RabbitMQ's `rabbit_reader` for the texts, RabbitMQ documentation, "Authentication Notifications".
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import NotAllowed
from ...fields import Table
from ...version import __version__
from ...wire.amqp import spec
from ...wire.amqp.constants import LAST_CHANNEL, PROTOCOL_HEADER
from ..sasl import LoginRefused, authenticate, mechanisms
from .states import OPEN, OPENING, STARTING, TUNING, State

if TYPE_CHECKING:
    from ...profile import Profile
    from .connection import AMQPConnection

__all__ = ["STEPS", "greet", "server_properties"]

HEADERS = {
    PROTOCOL_HEADER,
    b"AMQP\x01\x01\x00\x09",  # 0-9
    b"AMQP\x01\x01\x09\x01",  # 0-9-1 as some write it
}
AMQP_1_SASL = b"AMQP\x03\x01\x00\x00"
CAPABILITIES = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
)


def server_properties(profile: Profile) -> Table:
    """What the server says of itself; product and version are those of the profile (13)."""
    return {
        "capabilities": dict.fromkeys(CAPABILITIES, True),
        "cluster_name": "minibroker@localhost",
        "copyright": "MiniBroker, under the MIT licence",
        "information": f"MiniBroker {__version__}, profile {profile.name}",
        "platform": f"Python {platform.python_version()}",
        "product": profile.product,
        "version": profile.version,
    }


def greet(connection: AMQPConnection, header: bytes) -> None:
    """The first eight bytes: begin, or say what is spoken here and hang up (1)."""
    if header in HEADERS:
        connection.state = STARTING
        properties = server_properties(connection.broker.profile)
        offered = mechanisms(connection.peer).encode()
        connection.send(0, spec.ConnectionStart(0, 9, properties, offered, b"en_US"))
        return
    spoken = PROTOCOL_HEADER
    if connection.broker.profile.prefers_amqp_1 and not (
        header[:6] == b"AMQP\x00\x00" and header[6] >= 9
    ):
        spoken = AMQP_1_SASL
    connection.write(spoken)
    connection.hang_up(f"it speaks another protocol: {header!r}")


def _start_ok(connection: AMQPConnection, method: spec.ConnectionStartOk) -> None:
    connection.client_properties = method.client_properties
    capabilities = method.client_properties.get("capabilities")
    if isinstance(capabilities, dict):
        connection.capabilities = frozenset(name for name, on in capabilities.items() if on is True)
    broker = connection.broker
    try:
        connection.user = authenticate(
            method.mechanism, method.response, broker.users, connection.peer
        )
    except LoginRefused as error:
        connection.refuse_login(error)
        return
    settings = connection.settings
    connection.state = TUNING
    connection.send(
        0, spec.ConnectionTune(settings.channel_max, settings.frame_max, settings.heartbeat)
    )


def _tune_ok(connection: AMQPConnection, method: spec.ConnectionTuneOk) -> None:
    settings = connection.settings
    least = connection.broker.profile.frame_min
    _negotiated("frame_max", least, settings.frame_max, method.frame_max)
    _negotiated("channel_max", 1, settings.channel_max, method.channel_max)
    connection.tuned(method.channel_max or LAST_CHANNEL, method.frame_max, method.heartbeat)
    connection.state = OPENING


def _negotiated(name: str, least: int, offered: int, value: int) -> None:
    if value and value < least:
        raise NotAllowed(
            f"negotiated {name} = {value} is lower than the minimum allowed value ({least})"
        )
    if offered and (value == 0 or value > offered):
        raise NotAllowed(
            f"negotiated {name} = {value} is higher than the maximum allowed value ({offered})"
        )


def _open(connection: AMQPConnection, method: spec.ConnectionOpen) -> None:
    connection.attach(method.virtual_host)
    connection.state = OPEN
    connection.send(0, spec.ConnectionOpenOk())


STEPS: dict[tuple[State, type], Callable[[AMQPConnection, Any], None]] = {
    (STARTING, spec.ConnectionStartOk): _start_ok,
    (TUNING, spec.ConnectionTuneOk): _tune_ok,
    (OPENING, spec.ConnectionOpen): _open,
}
"""What may come in which state, and what it does."""
