"""One connection to an MQTT server, by paho without its threads. Knows no link.

Everything happens in `pump`, which `Heard` is told of by paho.
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from ... import exceptions
from ...remote.transport import needed
from ...transport.dialling import explained, shown, tls_context
from .heard import Heard
from .settings import MQTT5

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...transport.base import Address
    from .settings import Settings

__all__ = ["PORT", "PORT_TLS", "Wire"]

PORT, PORT_TLS = 1883, 8883
KEEPALIVE = 30
"""Seconds without anything after which the server is asked whether it is there."""
PATIENCE = 5.0
"""Seconds that it has for an answer while connecting."""
STEP = 0.5
"""Seconds that `pump` waits at most before it looks whether it has to keep the connection alive."""
BATCH = 100
"""Packets that are read at most before anything else happens."""
UNSUPPORTED, REFUSED = {1, 0x84}, {0x86, 0x87}
"""Reason codes of an answer to the connect."""


class Wire:
    """Once lost it stays lost. One thread at a time."""

    def __init__(self, address: Address, settings: Settings) -> None:
        """Connects, or raises why not."""
        self._paho = needed("paho.mqtt.client", "mqtt")
        self._error = needed("paho.mqtt.exception", "mqtt").MQTTException
        self._types = needed("paho.mqtt.packettypes", "mqtt").PacketTypes
        self._properties = needed("paho.mqtt.properties", "mqtt").Properties
        self._settings = settings
        self.where = shown(address)
        self.is_mqtt5 = settings.protocol == MQTT5
        self._heard = heard = Heard(self.where, settings)
        self.messages = heard.messages
        self.answers = heard.answers
        self._later: deque[tuple[int, tuple[Any, ...]]] = deque()
        """Publishes that the server has no room for yet."""
        self._selector = selectors.DefaultSelector()
        self._wanted = selectors.EVENT_READ
        self.client = self._made()
        try:
            self._connect(address)
        except BaseException:
            self.close()
            raise

    def _made(self) -> Any:
        paho, settings = self._paho, self._settings
        version = paho.MQTTv5 if self.is_mqtt5 else paho.MQTTv311
        keeps = {} if self.is_mqtt5 else {"clean_session": settings.side == "to"}
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, settings.client_id, protocol=version,
            manual_ack=True, reconnect_on_failure=False, **keeps,
        )  # fmt: skip
        self._heard.listen_to(client)
        client.on_socket_open = lambda _client, _data, sock: self._opened(sock)
        client.on_socket_close = lambda _client, _data, sock: self._closed(sock)
        client.max_inflight_messages = 0  # no limit of paho's, which cannot be set once connected
        return client

    def _connect(self, address: Address) -> None:
        client, settings = self.client, self._settings
        patience = address.connect_timeout or PATIENCE
        client.connect_timeout = patience
        if address.userid:
            client.username_pw_set(address.userid, address.password)
        if settings.ssl:
            context = tls_context(settings.ssl)
            client.tls_set_context(context)
            if not context.check_hostname:
                client.tls_insecure_set(True)
        port = address.port or (PORT_TLS if settings.ssl else PORT)
        keepalive = KEEPALIVE if address.heartbeat is None else int(address.heartbeat)
        more = self._greetings() if self.is_mqtt5 else {}
        try:
            client.connect(address.hostname or "localhost", port, keepalive, **more)
        except OSError as error:
            raise explained(error, f"cannot connect to {self.where}") from error
        heard = self._heard
        self.until(lambda: heard.greeting is not None, patience, "does not answer the connect")
        self._greeted()

    def _greetings(self) -> dict[str, Any]:
        settings = self._settings
        properties = self._properties(self._types.CONNECT)
        if settings.side == "from":
            properties.SessionExpiryInterval = settings.state_expiry
            properties.ReceiveMaximum = settings.window
        return {"clean_start": settings.side == "to", "properties": properties}

    def _greeted(self) -> None:
        assert self._heard.greeting is not None
        code, text = self._heard.greeting
        if not code:
            return
        said = f"{self.where} refuses the connection: {text}"
        if code in UNSUPPORTED:
            raise exceptions.NotSupported(f"{said} (protocol {self._settings.protocol})")
        if code in REFUSED:
            raise exceptions.AccessRefused(said)
        raise exceptions.ConnectionForced(said)

    def _opened(self, sock: Any) -> None:
        self._selector.register(sock, selectors.EVENT_READ)

    def _closed(self, sock: Any) -> None:
        self._selector.unregister(sock)

    @property
    def kept(self) -> bool:
        """Whether the server has kept what came while this client was away."""
        return self._heard.kept

    @property
    def closed(self) -> bool:
        """Whether it is over with it."""
        return self.client.socket() is None

    def pump(self, seconds: float) -> bool:
        """Deal with what is there, or comes within so many seconds; whether there was anything.

        Raises why the connection is lost.
        """
        client, heard = self.client, self._heard
        before = heard.events
        sock = client.socket()
        if sock is None:
            raise self._why()
        pending = getattr(sock, "pending", None)  # of TLS
        waits = pending is not None and pending() > 0
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
        if wanted != self._wanted:
            self._selector.modify(sock, wanted)
            self._wanted = wanted
        ready = 0
        for _, mask in self._selector.select(0 if waits else min(seconds, STEP)):
            ready |= mask
        if waits or ready & selectors.EVENT_READ:
            self._read()
        if ready & selectors.EVENT_WRITE:
            client.loop_write()
        while self._later and len(heard.sent) < heard.room:
            number, packet = self._later.popleft()
            self._send(number, packet)
        client.loop_misc()
        if client.socket() is None and heard.events == before:
            raise self._why()
        return heard.events > before

    def _read(self) -> None:
        client, heard = self.client, self._heard
        try:
            for _ in range(BATCH):
                before = heard.events
                client.loop_read()
                if heard.events == before:
                    return
        except (self._error, ValueError) as error:  # what cannot be decoded
            self._heard.lost = exceptions.FrameInvalid(
                f"{self.where} sent what is not MQTT: {error}"
            )
            client.disconnect()

    def until(self, condition: Callable[[], bool], seconds: float, otherwise: str = "") -> None:
        """Pump until it holds. `TimeoutError` after so many seconds."""
        end = time.monotonic() + seconds
        while not condition():
            left = end - time.monotonic()
            if left < 0:
                raise TimeoutError(f"{self.where} {otherwise}")
            self.pump(left)

    def subscribe(self, topic_filter: str, patience: float | None) -> None:
        """Read what matches, at least once each. What is there already stays as it is.

        `AccessRefused` or `NotSupported` when the server will not have it.
        """
        heard = self._heard
        heard.granted = None
        self._subscribe(topic_filter)
        seconds = patience or PATIENCE
        self.until(lambda: heard.granted is not None, seconds, "does not answer the subscription")
        said = f"{self.where}: subscription to {topic_filter!r}"
        if heard.granted != 1:
            if not heard.granted:
                raise exceptions.NotSupported(f"{said}: it gives messages at most once")
            raise exceptions.AccessRefused(f"{said} is refused (reason {heard.granted:#x})")

    def nudge(self, topic_filter: str) -> None:
        """Have the server look at what it has queued for this client.

        Mosquitto 2.0.11 forgets that when an ack comes while it is busy writing: the rest of a
        backlog then stays there until the next subscription, or the next connection.
        """
        # Without MQTT 5 a subscription brings retained messages again: to one where there are none.
        self._subscribe(topic_filter if self.is_mqtt5 else f"$nudge/{self._settings.client_id}")

    def _subscribe(self, topic_filter: str) -> None:
        if self.is_mqtt5:
            module = needed("paho.mqtt.subscribeoptions", "mqtt")
            # 1: retained messages come when the subscription is new, not at each reconnect.
            options = module.SubscribeOptions(1, False, True, 1)
            self.client.subscribe(topic_filter, options=options)
        else:
            self.client.subscribe(topic_filter, 1)

    def publish(self, number: int, topic: str, body: bytes, retain: bool, fields: Any) -> None:
        """Publish at least once; the number names it in `answers`.

        `ValueError` for what is too large.
        """
        heard, made = self._heard, None
        if self.is_mqtt5 and fields:
            made = self._properties(self._types.PUBLISH)
            for name, value in fields.items():
                setattr(made, name, value)
        if heard.max_packet is not None:
            size = len(topic.encode()) + len(body) + len(made.pack() if made else b"\0") + 9
            if size > heard.max_packet:
                raise ValueError(f"a packet of {size} bytes is too large for {self.where}")
        packet = topic, body, 1, retain, made
        if self._later or len(heard.sent) >= heard.room:
            self._later.append((number, packet))
        else:
            self._send(number, packet)

    def _send(self, number: int, packet: tuple[Any, ...]) -> None:
        info = self.client.publish(*packet)
        if info.rc != self._paho.MQTT_ERR_SUCCESS:
            raise self._why()
        self._heard.sent[info.mid] = number

    def ack(self, number: int) -> None:
        """Say of a message that it need not come again."""
        if self.client.ack(number, 1) != self._paho.MQTT_ERR_SUCCESS:
            raise self._why()

    def close(self) -> None:
        """Say good-bye and close. The server keeps what the settings say."""
        sock = self.client.socket()
        if sock is not None:
            self.client.disconnect()
            sock.close()
        self._selector.close()

    def _why(self) -> Exception:
        return self._heard.lost or exceptions.ConnectionLost(
            f"{self.where}: the connection is closed"
        )
