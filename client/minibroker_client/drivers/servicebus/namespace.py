"""A namespace of Service Bus: its queues, and the connections to those that are used.

Queues are made and deleted over HTTPS, which emulators do not have and for which a policy needs the
right to manage. Without it they have to be there; in an emulator they may come by themselves.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ...remote.driver import DriverError
from ...remote.transport import needed
from .links import Azure, Link, Sender
from .messages import queue_name
from .receiving import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...transport.base import Address

__all__ = ["Namespace"]

logger = logging.getLogger(__name__)
SHORTEST_LOCK = 5.0
"""Seconds for which the service locks a message at least."""
MOST_DELIVERIES = 2000
"""As many as the service can have: how many are too many is for `x-delivery-limit` to say."""
PEEKED = 1000
"""Messages that are counted at most where only peeking can count them."""
UNUSED = 120.0
"""Seconds after which the links of a queue that is not used are closed."""
IDENTITY = "DefaultAzureCredential"


class Namespace:
    """One client of a namespace. Thread-safe."""

    def __init__(
        self,
        address: Address,
        prefix: str,
        creates: bool,
        lock_seconds: float,
        named: Callable[[str, str], str] = queue_name,
    ) -> None:
        """Queues that are made here are locked for so long, or for the service's shortest time.

        `named` gives the name of a queue there, from its own and the prefix.
        """
        self.azure = Azure()
        self.prefix = prefix
        self._named = named
        self.lock_seconds = max(lock_seconds, SHORTEST_LOCK)
        self.client, self.admin = _connected(self.azure, address, creates)
        self._senders: dict[str, Link] = {}
        self._receivers: dict[str, Link] = {}
        self._names: dict[str, str] = {}
        """Queues by their names there in lower case."""
        self._lock = threading.Lock()

    def name(self, queue: str) -> str:
        """What a queue is called there."""
        return self._named(queue, self.prefix)

    def sender(self, queue: str) -> Sender:
        """The one that sends to a queue."""

        def make() -> Sender:
            name = self.name(queue)
            # Only what is known to come is waited for. It is also how long a write may take.
            return Sender(self.azure, lambda: self.client.get_queue_sender(name, socket_timeout=1))

        found: Sender = self._link(self._senders, queue, make)
        return found

    def receiver(self, queue: str) -> Receiver:
        """The one that receives from a queue."""

        def make() -> Receiver:
            get, name = self.client.get_queue_receiver, self.name(queue)
            return Receiver(self.azure, lambda: get(name, socket_timeout=1))

        found: Receiver = self._link(self._receivers, queue, make)
        return found

    def _link(self, links: dict[str, Link], queue: str, make: Callable[[], Link]) -> Any:
        old = []
        with self._lock:
            link = links.get(queue)
            if link is None:
                now = time.monotonic()
                # Each is a connection.
                unused = [name for name, each in links.items() if now - each.used > UNUSED]
                old = [links.pop(name) for name in unused]
                link = links[queue] = make()
        for each in old:
            each.close()
        return link

    def claim(self, queue: str) -> str:
        """Let a queue have its name there; which one has it, as case makes no difference there."""
        return self._names.setdefault(self.name(queue).lower(), queue)

    def create(self, queue: str) -> None:
        """Create a queue where that can be done; one that is there stays as it is."""
        if self.admin is None:
            return
        name = self.name(queue)
        lock = timedelta(seconds=self.lock_seconds)
        core = self.azure.core
        try:
            self.admin.create_queue(name, lock_duration=lock, max_delivery_count=MOST_DELIVERIES)
        except core.ResourceExistsError:
            pass
        except core.HttpResponseError as error:
            if error.status_code not in {401, 403}:
                raise DriverError(f"Service Bus: queue {name!r}: {error}") from error
            logger.info("azureservicebus:// may not create queues: they have to be there")
            self.admin = None
        except core.AzureError as error:
            raise DriverError(f"Service Bus: queue {name!r}: {error}") from error

    def delete(self, queue: str) -> bool:
        """Delete a queue; whether that can be done."""
        if self.admin is None:
            return False
        try:
            self.admin.delete_queue(self.name(queue))
        except self.azure.core.ResourceNotFoundError:
            pass
        except self.azure.core.AzureError as error:
            raise DriverError(f"Service Bus: queue {queue!r}: {error}") from error
        return True

    def size(self, queue: str) -> int:
        """How many messages are ready or leased by anybody. `QueueGone` when there is no queue.

        Without the right to manage at most `PEEKED` are counted.
        """
        if self.admin is not None:
            properties: Any = self.azure.ask(
                self.admin.get_queue_runtime_properties, self.name(queue)
            )
            return int(properties.active_message_count)
        count, first = 0, 1
        receiver = self.receiver(queue)
        while count < PEEKED and (found := receiver.peek(first, 250)):
            first = found[-1].sequence_number + 1
            count += sum(_is_active(message) for message in found)
        return count

    def forget(self, queue: str) -> None:
        """Close what leads to a queue, which is deleted."""
        with self._lock:
            links = [self._senders.pop(queue, None), self._receivers.pop(queue, None)]
            self._names.pop(self.name(queue).lower(), None)
        for link in links:
            if link is not None:
                link.close()

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            links = [*self._senders.values(), *self._receivers.values()]
            self._senders, self._receivers = {}, {}
        for link in links:
            link.close()
        if self.admin is not None:
            self.admin.close()


def _is_active(message: Any) -> bool:
    """Whether a peeked message is neither scheduled nor deferred."""
    if message.state.value:
        return False
    due = (message.raw_amqp_message.annotations or {}).get(b"x-opt-scheduled-enqueue-time")
    return due is None or int(due) <= time.time() * 1000


def _connected(azure: Azure, address: Address, creates: bool) -> tuple[Any, Any]:
    """The library's client, and the one for management, where it can be used."""
    settings = {
        # The client's own options say how often to try again; a put must not happen twice.
        "retry_total": 0,
        "try_timeout": address.connect_timeout or 10,
    }
    management = needed("azure.servicebus.management", "azure").ServiceBusAdministrationClient
    if address.userid == IDENTITY:
        credential = needed("azure.identity", "azure").DefaultAzureCredential()
        host = address.hostname
        client = azure.bus.ServiceBusClient(host, credential, **settings)
        return client, management(host, credential) if creates else None
    text, is_emulator = _connection_string(address)
    try:
        client = azure.bus.ServiceBusClient.from_connection_string(text, **settings)
    except ValueError as error:
        raise ValueError(f"azureservicebus:// {error}") from error
    if is_emulator or not creates:
        return client, None
    return client, management.from_connection_string(text)


def _connection_string(address: Address) -> tuple[str, bool]:
    """That of the library, and whether it is for an emulator, which has no management."""
    given = {name.lower(): value for name, value in parse_qsl(address.query)}
    is_emulator = given.get("usedevelopmentemulator", "").lower() == "true"
    port = f":{address.port}" if address.port else ""
    parts = [
        f"Endpoint=sb://{address.hostname or 'localhost'}{port}",
        f"SharedAccessKeyName={address.userid or ''}",
        f"SharedAccessKey={address.password or ''}",
    ]
    if is_emulator:
        parts.append("UseDevelopmentEmulator=true")
    return ";".join(parts) + ";", is_emulator
