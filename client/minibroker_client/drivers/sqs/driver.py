"""The driver for SQS: boto3's client, ten messages a request. Thread-safe, as that is."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from ...remote.driver import (
    MIB,
    DriverError,
    Facts,
    Features,
    Leased,
    Outgoing,
    Put,
    QueueInfo,
    Refused,
)
from ...remote.local_facts import LocalFacts
from ...remote.transport import RemoteTransport, needed
from .kombu_envelope import KombuForm
from .messages import entry_of, fifo_id, leased_of, queue_name
from .tags import Tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...transport.base import Address

__all__ = ["FEATURES", "SQSDriver", "transport"]

AT_ONCE = 10
"""Messages in one request."""
RETENTION = 1_209_600
"""Seconds that SQS keeps a message: 14 days, the most that it can."""
LONGEST_LEASE = 43_200
MOST_BYTES = MIB
"""Of the messages of one request together."""
FEATURES = Features(
    fenced=False,
    wake_up=True,
    longest_wait=20.0,
    max_message_size=MIB,
    batch=AT_ONCE,
    refresh=5.0,
)
_GONE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


class SQSDriver:
    """One client of SQS."""

    features = FEATURES

    def __init__(self, address: Address) -> None:
        """Host and port are an endpoint other than Amazon's, user and password its keys.

        Options: `lease`, `region`, `prefix` (of the names of queues), `create` (False: nothing is
        made or deleted in SQS, and what is declared is known to this process only), `envelope`;
        with that also Kombu's `queue_name_prefix`, `sqs_base64_encoding` and `visibility_timeout`.
        """
        boto3 = needed("boto3", "sqs")
        self.errors = needed("botocore.exceptions", "sqs")
        options = address.options
        self.lease_seconds = float(options.get("lease", 30))
        if not 1 <= self.lease_seconds <= LONGEST_LEASE:
            raise ValueError(f"lease is 1 to {LONGEST_LEASE} seconds, not {self.lease_seconds:g}")
        self.kombu = KombuForm.asked_for(options)
        self.prefix = _prefix(address)
        self.creates = bool(options.get("create", True))
        self.urls: dict[str, str] = {}
        self._turn = 0
        endpoint = _endpoint(address)
        config = needed("botocore.config", "sqs").Config(
            connect_timeout=address.connect_timeout or 60,
            read_timeout=60,
            retries={"max_attempts": 2, "mode": "standard"},
        )
        try:
            self.client = boto3.client(
                "sqs",
                endpoint_url=endpoint,
                region_name=options.get("region") or ("us-east-1" if endpoint else None),
                aws_access_key_id=address.userid,
                aws_secret_access_key=address.password,
                config=config,
            )
        except self.errors.BotoCoreError as error:
            raise ValueError(f"sqs:// {error}") from error
        prefix = self.prefix if self.kombu is None else self.kombu.queue_name("", self.prefix)
        self.facts: Facts = Tags(self._call, self.client, prefix)
        if not self.creates:
            self.facts = LocalFacts.of((endpoint, address.userid, self.prefix))

    def _call(self, function: Any, **arguments: Any) -> Any:
        try:
            return function(**arguments)
        except (self.errors.ClientError, self.errors.BotoCoreError) as error:
            raise DriverError(f"SQS: {error}") from error

    def _call_of(self, queue: str, function: Any, **arguments: Any) -> Any:
        """The same; None where the queue is not there any more."""
        try:
            return function(**arguments)
        except self.errors.ClientError as error:
            if not _is_gone(error):
                raise DriverError(f"SQS: {error}") from error
            self.urls.pop(queue, None)
            return None
        except self.errors.BotoCoreError as error:
            raise DriverError(f"SQS: {error}") from error

    # -- queues

    def _name(self, queue: str) -> str:
        if self.kombu is not None:
            return self.kombu.queue_name(queue, self.prefix)
        return queue_name(queue, self.prefix)

    def know(self, queue: QueueInfo) -> None:
        """Nothing to know before it is used."""

    def declare(self, queue: QueueInfo) -> None:
        """Create the queue; one that is there stays as it is."""
        if not self.creates:
            return
        name = self._name(queue.name)
        visibility = int(self.lease_seconds) if self.kombu is None else self.kombu.visibility
        attributes = {
            "VisibilityTimeout": str(visibility),
            "MessageRetentionPeriod": str(RETENTION),
        }
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        if self._url(queue.name) is None:
            made = self._call(self.client.create_queue, QueueName=name, Attributes=attributes)
            self.urls[queue.name] = made["QueueUrl"]

    def _url(self, queue: str) -> str | None:
        """Where a queue is, None where it is not."""
        url = self.urls.get(queue)
        if url is None:
            name = self._name(queue)
            try:
                url = self.client.get_queue_url(QueueName=name)["QueueUrl"]
            except self.errors.ClientError as error:
                if _is_gone(error):
                    return None
                raise DriverError(f"SQS: queue {name}: {error}") from error
            except self.errors.BotoCoreError as error:
                raise DriverError(f"SQS: {error}") from error
            self.urls[queue] = url
        return url

    def delete(self, queue: str) -> None:
        """Delete the queue. SQS takes up to a minute, in which it cannot be made again."""
        url = self._url(queue)
        if url is not None and self.creates:
            self._call(self.client.delete_queue, QueueUrl=url)
        self.urls.pop(queue, None)

    def size(self, queue: str) -> int:
        """About how many are ready (ApproximateNumberOfMessages)."""
        url = self._url(queue)
        if url is None:
            return 0
        name = "ApproximateNumberOfMessages"
        ask = self.client.get_queue_attributes
        found = self._call_of(queue, ask, QueueUrl=url, AttributeNames=[name])
        return 0 if found is None else int(found["Attributes"][name])

    def purge(self, queue: str) -> int:
        """Receive and delete what is ready: PurgeQueue would also delete what others have."""
        count = 0
        while leased := self._receive(queue, AT_ONCE, 0):
            count += len(leased) - len(self.ack(leased))
        return count

    # -- messages

    def put(self, batch: Sequence[Outgoing]) -> Put:
        """SendMessageBatch, for each queue in order."""
        answer = Put()
        now = time.time_ns() // 1_000_000
        written = entry_of if self.kombu is None else self.kombu.entry_of
        for queue in dict.fromkeys(each.queue for each in batch):
            url = self._url(queue)
            entries = []
            for index, each in enumerate(batch):
                if each.queue == queue:
                    entry = {"Id": str(index), **written(each, now)}
                    if queue.endswith(".fifo"):
                        entry["MessageDeduplicationId"] = fifo_id(
                            each.message.properties.message_id or secrets.token_hex(16)
                        )
                    entries.append(entry)
            for some in _in_tens(entries):
                self._send(queue, url, some, answer)
        return answer

    def _send(
        self, queue: str, url: str | None, entries: list[dict[str, Any]], answer: Put
    ) -> None:
        fitting = [entry for entry in entries if _bytes_of(entry) <= MOST_BYTES]
        for entry in entries:
            if entry not in fitting:
                text = f"the message is over {MOST_BYTES} bytes as SQS counts them"
                answer.refused.append(Refused(int(entry["Id"]), text))
        if not fitting:
            return
        sent = None
        if url is not None:
            send = self.client.send_message_batch
            sent = self._call_of(queue, send, QueueUrl=url, Entries=fitting)
        if sent is None:
            reason = f"queue {queue!r} is not there in SQS"
            answer.refused += [Refused(int(entry["Id"]), reason) for entry in fitting]
            return
        for failed in sent.get("Failed", ()):
            text = f"SQS: {failed.get('Code')}: {failed.get('Message')}"
            if not failed.get("SenderFault", True):
                raise DriverError(text)
            answer.refused.append(Refused(int(failed["Id"]), text))

    def lease(self, wanted: Sequence[tuple[str, int]], wait: float) -> list[Leased]:
        """ReceiveMessage: of each queue without waiting, then of one in turn with a long poll."""
        leased: list[Leased] = []
        single = len(wanted) == 1 and wait >= 1
        if not single:
            for queue, most in wanted:
                leased += self._receive(queue, most, 0)
        if leased or wait <= 0:
            return leased
        if wait < 1:  # the shortest long poll
            time.sleep(min(wait, 0.05))
            return []
        self._turn += 1
        queue, most = wanted[self._turn % len(wanted)]
        return self._receive(queue, most, int(wait) if single else 1)

    def _receive(self, queue: str, most: int, seconds: int) -> list[Leased]:
        url = self._url(queue)
        if url is None:
            return []
        leased: list[Leased] = []
        while len(leased) < most:
            asked = min(AT_ONCE, most - len(leased))
            answer = self._call_of(
                queue,
                self.client.receive_message,
                QueueUrl=url,
                MaxNumberOfMessages=asked,
                WaitTimeSeconds=0 if leased else seconds,
                VisibilityTimeout=int(self.lease_seconds),
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
                MessageAttributeNames=["All"],
            )
            found = () if answer is None else answer.get("Messages", ())
            leased += [leased_of(queue, each) for each in found]
            if len(found) < asked:
                break
        return leased

    def ack(self, leases: Sequence[Leased]) -> list[Leased]:
        """DeleteMessageBatch; what fails is lost."""
        return self._settle(self.client.delete_message_batch, leases, {})

    def nack(self, leases: Sequence[Leased], delay: int = 0) -> None:
        """ChangeMessageVisibilityBatch to nothing, or the delay."""
        seconds = min(-(-delay // 1000), LONGEST_LEASE)
        change = self.client.change_message_visibility_batch
        self._settle(change, leases, {"VisibilityTimeout": seconds})

    def renew(self, leases: Sequence[Leased]) -> list[Leased]:
        """ChangeMessageVisibilityBatch; what fails is lost."""
        change = self.client.change_message_visibility_batch
        return self._settle(change, leases, {"VisibilityTimeout": int(self.lease_seconds)})

    def _settle(
        self, function: Any, leases: Sequence[Leased], more: dict[str, Any]
    ) -> list[Leased]:
        lost: list[Leased] = []
        for queue in dict.fromkeys(each.queue for each in leases):
            url = self._url(queue)
            mine = [each for each in leases if each.queue == queue]
            if url is None:
                continue
            for start in range(0, len(mine), AT_ONCE):
                some = mine[start : start + AT_ONCE]
                entries = [
                    {"Id": str(place), "ReceiptHandle": each.token, **more}
                    for place, each in enumerate(some)
                ]
                answer = self._call_of(queue, function, QueueUrl=url, Entries=entries) or {}
                lost += [some[int(failed["Id"])] for failed in answer.get("Failed", ())]
        return lost

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()


def _is_gone(error: Any) -> bool:
    return error.response.get("Error", {}).get("Code") in _GONE


def _bytes_of(entry: dict[str, Any]) -> int:
    size = len(entry["MessageBody"].encode())
    for name, value in entry["MessageAttributes"].items():
        size += len(name) + len("String") + len(value["StringValue"].encode())
    return size


def _in_tens(entries: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Ten at most, and together no more than a request may have."""
    some: list[dict[str, Any]] = []
    size = 0
    for entry in entries:
        more = _bytes_of(entry)
        if some and (len(some) == AT_ONCE or size + more > MOST_BYTES):
            yield some
            some, size = [], 0
        some.append(entry)
        size += more
    if some:
        yield some


def _endpoint(address: Address) -> str | None:
    if not address.hostname:
        return None
    secure = "https" if address.ssl else "http"
    port = f":{address.port}" if address.port else ""
    return f"{secure}://{address.hostname}{port}"


def _prefix(address: Address) -> str:
    if address.options.get("envelope") and "queue_name_prefix" in address.options:
        return str(address.options["queue_name_prefix"])
    given = address.options.get("prefix")
    name = address.virtual_host.strip("/") if given is None else str(given)
    return f"{name}-" if name else ""


transport = RemoteTransport(SQSDriver, FEATURES)
