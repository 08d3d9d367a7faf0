"""The MiniBroker client: Kombu's manners, for brokers in this process and elsewhere.

The names here are the usual ones; the modules are called as in Kombu (`minibroker_client.pools`,
`minibroker_client.mixins` …).
"""

from __future__ import annotations

from .channel import Channel
from .common import Broadcast, eventloop, maybe_declare, uuid
from .connection import BrokerConnection, Connection
from .entity import Exchange, Queue, binding
from .exceptions import MiniBrokerClientError
from .link import register_failover_strategy
from .message import Message
from .messaging import Consumer, Producer
from .parameters import parse_url
from .pools import connections, producers
from .serialization import disable_insecure_serializers, enable_insecure_serializers

__all__ = [
    "Broadcast",
    "BrokerConnection",
    "Channel",
    "Connection",
    "Consumer",
    "Exchange",
    "Message",
    "MiniBrokerClientError",
    "Producer",
    "Queue",
    "binding",
    "connections",
    "disable_insecure_serializers",
    "enable_insecure_serializers",
    "eventloop",
    "maybe_declare",
    "parse_url",
    "producers",
    "register_failover_strategy",
    "uuid",
]
