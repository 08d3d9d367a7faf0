from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client import Connection
from minibroker_client.drivers.sqs import SQSDriver, transport
from minibroker_client.drivers.sqs.driver import AT_ONCE, LONGEST_LEASE, MOST_BYTES
from minibroker_client.drivers.sqs.messages import queue_name
from minibroker_client.parameters import Parameters
from minibroker_client.remote.driver import DriverError, Refused
from minibroker_client.transport import get_transport

from ....interop.servers import free_ports
from .conftest import bodies, declare, lease, outgoing, requests

if TYPE_CHECKING:
    from minibroker_client.transport.base import Address

    from .conftest import Opened


def url_of(driver: SQSDriver, queue: str = "q") -> str:
    name = queue_name(queue, driver.prefix)
    found: str = driver.client.get_queue_url(QueueName=name)["QueueUrl"]
    return found


# -- where it connects to


def test_the_scheme_is_this_transport() -> None:
    assert get_transport("sqs") is transport


@pytest.mark.parametrize(("port", "endpoint"), [(":4566", "localhost:4566"), ("", "localhost")])
def test_a_host_is_an_endpoint_other_than_amazons(port: str, endpoint: str) -> None:
    url = f"sqs://key:secret@localhost{port}/"
    driver = SQSDriver(Parameters().with_url(url).address({}))
    assert driver.client.meta.endpoint_url == f"http://{endpoint}"
    assert driver.client.meta.region_name == "us-east-1"
    driver.close()


def test_without_a_host_it_is_amazons_endpoint_of_the_region(address: Address) -> None:
    driver = SQSDriver(replace(address, hostname=None, options={"region": "eu-west-3"}))
    assert re.match(r"https://[a-z.]*eu-west-3\.amazonaws\.", driver.client.meta.endpoint_url)
    driver.close()


def test_tls_makes_the_endpoint_a_secure_one(address: Address) -> None:
    driver = SQSDriver(replace(address, ssl=True))
    assert driver.client.meta.endpoint_url.startswith("https://")
    driver.close()


def test_without_region_and_endpoint_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    address = replace(Parameters().address({}), transport="sqs", hostname=None)
    with pytest.raises(ValueError, match="sqs:// .*region"):
        SQSDriver(address)


@pytest.mark.parametrize("seconds", [0, 0.5, LONGEST_LEASE + 1])
def test_a_lease_that_sqs_does_not_have_is_refused(opened: Opened, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"lease is 1 to {LONGEST_LEASE} seconds, not {seconds:g}"):
        opened(lease=seconds)


@pytest.mark.parametrize(
    ("virtual_host", "options", "prefix"),
    [
        ("/", {}, ""),
        ("orders", {}, "orders-"),
        ("orders", {"prefix": "own"}, "own-"),
        ("orders", {"prefix": ""}, ""),
    ],
)
def test_the_prefix_of_names_is_the_virtual_host_or_the_option(
    address: Address, virtual_host: str, options: dict[str, Any], prefix: str
) -> None:
    driver = SQSDriver(replace(address, virtual_host=virtual_host, options=options))
    assert driver.prefix == prefix
    driver.close()


def test_a_server_that_is_not_there_is_a_driver_error(address: Address) -> None:
    driver = SQSDriver(replace(address, port=free_ports(1)[0], connect_timeout=1))
    for attempt in (driver.facts.load, lambda: driver.size("q"), lambda: lease(driver)):
        with pytest.raises(DriverError, match="^SQS: "):
            attempt()
    driver.close()


# -- queues


def test_a_queue_that_is_there_stays_as_it_is(opened: Opened) -> None:
    driver = opened(lease=7)
    declare(driver)
    declare(opened(lease=9))
    names = ["VisibilityTimeout", "MessageRetentionPeriod"]
    found = driver.client.get_queue_attributes(QueueUrl=url_of(driver), AttributeNames=names)
    assert found["Attributes"] == {"VisibilityTimeout": "7", "MessageRetentionPeriod": "1209600"}


def test_a_name_that_does_not_fit_is_made_to(opened: Opened) -> None:
    driver = opened()
    name = "orders.grüß " + "x" * 90
    declare(driver, name)
    assert driver.put([outgoing(queue=name)]).refused == []
    [leased] = lease(driver, name)
    assert (leased.queue, leased.message.body) == (name, b"hello")


def test_size_and_purge_leave_what_is_leased(driver: SQSDriver) -> None:
    driver.put([outgoing(b"%d" % number) for number in range(25)])
    held = lease(driver, most=2)
    assert driver.size("q") == driver.purge("q") == 23
    assert driver.size("q") == 0
    driver.nack(held)
    assert driver.size("q") == 2


def test_a_queue_that_another_deleted_is_empty_and_takes_nothing(
    driver: SQSDriver, opened: Opened
) -> None:
    driver.put([outgoing()])
    leased = lease(driver)
    opened().delete("q")
    assert lease(driver) == []
    assert driver.ack(leased) == []
    assert driver.size("q") == 0
    assert driver.put([outgoing()]).refused == [Refused(0, "queue 'q' is not there in SQS")]
    driver.delete("q")


def test_the_size_of_a_queue_that_another_has_just_deleted_is_nothing(
    driver: SQSDriver, opened: Opened
) -> None:
    driver.put([outgoing()])
    opened().delete("q")
    assert driver.size("q") == 0


def test_a_put_to_a_queue_that_another_has_just_deleted_is_refused(
    driver: SQSDriver, opened: Opened
) -> None:
    driver.put([outgoing()])
    opened().delete("q")
    [refused] = driver.put([outgoing()]).refused
    assert (refused.place, refused.reason) == (0, "queue 'q' is not there in SQS")
    assert driver.size("q") == 0


def test_without_create_queues_are_used_and_neither_made_nor_deleted(
    driver: SQSDriver, opened: Opened
) -> None:
    user = opened(create=False)
    declare(user)
    declare(user, "not there")
    assert user.put([outgoing(), outgoing(queue="not there")]).refused == [
        Refused(1, "queue 'not there' is not there in SQS")
    ]
    user.delete("q")
    assert bodies(lease(driver)) == [b"hello"]


def test_without_create_what_is_declared_is_known_to_the_process_alone(opened: Opened) -> None:
    one, other, creating = opened(create=False), opened(create=False), opened()
    one.facts.add("k", "v")
    assert other.facts.load() == {"k": "v"}
    assert creating.facts.load() == {}


# -- messages


def test_messages_of_boto3_are_read(driver: SQSDriver) -> None:
    client, url = driver.client, url_of(driver)
    client.send_message(QueueUrl=url, MessageBody="plain text")
    attributes = {"kind": {"DataType": "String", "StringValue": "order"}}
    client.send_message(QueueUrl=url, MessageBody='{"n": 1}', MessageAttributes=attributes)
    found = {each.message.body: each.message.properties for each in lease(driver)}
    assert found[b"plain text"].content_type == "text/plain"
    assert found[b'{"n": 1}'].content_type == "application/json"
    assert found[b'{"n": 1}'].headers == {"kind": "order"}


def test_boto3_reads_body_and_properties(driver: SQSDriver) -> None:
    driver.put([outgoing(b'{"n": 1}', content_type="application/json", headers={"a": [1]})])
    answer = driver.client.receive_message(QueueUrl=url_of(driver), MessageAttributeNames=["All"])
    [message] = answer["Messages"]
    attributes = {
        name: value["StringValue"] for name, value in message["MessageAttributes"].items()
    }
    assert json.loads(message["Body"]) == {"n": 1}
    assert attributes["content_type"] == "application/json"
    assert json.loads(attributes["headers"]) == {"a": [1]}


def test_a_fifo_queue_keeps_the_order_of_a_routing_key(opened: Opened) -> None:
    driver = opened()
    declare(driver, "q.fifo")
    expected = [b"%d" % number for number in range(15)]
    driver.put([outgoing(body, "q.fifo") for body in expected])
    first = lease(driver, "q.fifo", 15)
    assert lease(driver, "q.fifo") == []  # the rest follows when these are settled
    assert driver.ack(first) == []
    assert bodies(first) + bodies(lease(driver, "q.fifo")) == expected


def test_a_fifo_queue_takes_any_message_id_and_one_id_once(opened: Opened) -> None:
    driver = opened()
    declare(driver, "q.fifo")
    ids = ["a b", "grüß", "x" * 200, "x" * 201, "same", "same"]
    batch = [outgoing(b"%d" % place, "q.fifo", message_id=name) for place, name in enumerate(ids)]
    sent = requests(driver, "SendMessageBatch")
    assert driver.put(batch).refused == []
    tokens = [entry["MessageDeduplicationId"] for entry in sent[0]["Entries"]]
    assert all(token.isascii() and " " not in token and len(token) <= 128 for token in tokens)
    assert len(set(tokens)) == 5
    leased = lease(driver, "q.fifo")
    assert [each.message.properties.message_id for each in leased] == ids[:5]


def test_what_is_delayed_is_not_leased_before(driver: SQSDriver) -> None:
    driver.put([outgoing(b"later", delay=600_000), outgoing(b"now")])
    assert bodies(lease(driver)) == [b"now"]


def test_ten_messages_go_in_one_request(driver: SQSDriver) -> None:
    sent = requests(driver, "SendMessageBatch")
    driver.put([outgoing(b"%d" % number) for number in range(25)])
    assert [len(each["Entries"]) for each in sent] == [10, 10, 5]


def test_a_request_is_no_larger_than_sqs_takes(driver: SQSDriver) -> None:
    sent: list[int] = []

    def answer(QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 -- boto3's names
        sent.append(len(Entries))
        return {}

    driver.client.send_message_batch = answer  # moto takes less than SQS
    driver.put([outgoing(b"x" * (MOST_BYTES // 3)) for _ in range(5)])
    assert sent == [2, 2, 1]
    answered = driver.put([outgoing(b"small"), outgoing(b"x" * MOST_BYTES), outgoing(b"small")])
    assert [each.place for each in answered.refused] == [1]
    assert f"over {MOST_BYTES} bytes" in answered.refused[0].reason


def test_what_fails_in_a_batch_is_refused_unless_the_fault_is_sqs_own(driver: SQSDriver) -> None:
    failed = {"Id": "1", "Code": "Bad", "Message": "no", "SenderFault": True}
    driver.client.send_message_batch = lambda **_: {"Failed": [failed]}
    batch = [outgoing(b"0"), outgoing(b"1")]
    assert driver.put(batch).refused == [Refused(1, "SQS: Bad: no")]
    failed["SenderFault"] = False
    with pytest.raises(DriverError, match="SQS: Bad: no"):
        driver.put(batch)


def test_more_than_ten_are_leased_by_several_requests(driver: SQSDriver) -> None:
    driver.put([outgoing(b"%d" % number) for number in range(25)])
    asked = requests(driver, "ReceiveMessage")
    assert len(lease(driver, most=23)) == 23
    assert [each["MaxNumberOfMessages"] for each in asked] == [10, 10, 3]


def test_waiting_is_a_long_poll_of_one_queue_and_of_several_in_turn(opened: Opened) -> None:
    driver = opened()
    waits: list[tuple[str, int]] = []
    for queue in ("q", "r"):
        declare(driver, queue)

    def answer(**asked: Any) -> dict[str, Any]:
        if asked["WaitTimeSeconds"]:
            waits.append((asked["QueueUrl"][-1], asked["WaitTimeSeconds"]))
        return {}

    driver.client.receive_message = answer
    assert driver.lease([("q", 1)], 20.0) == []
    for _ in range(2):
        assert driver.lease([("q", 1), ("r", 1)], 20.0) == []
    assert waits[0] == ("q", 20)
    assert sorted(waits[1:]) == [("q", 1), ("r", 1)]


def test_only_the_first_of_several_requests_waits(driver: SQSDriver) -> None:
    waits: list[int] = []

    def answer(**asked: Any) -> dict[str, Any]:
        waits.append(asked["WaitTimeSeconds"])
        some = AT_ONCE if len(waits) == 1 else 0
        return {"Messages": [{"ReceiptHandle": "h", "Body": "x"}] * some}

    driver.client.receive_message = answer
    assert len(driver.lease([("q", 25)], 20.0)) == AT_ONCE
    assert waits == [20, 0]


def test_what_is_requeued_comes_at_once_and_counts(driver: SQSDriver) -> None:
    driver.put([outgoing()])
    first = lease(driver)
    assert lease(driver) == []
    driver.nack(first)
    [again] = lease(driver)
    assert (first[0].deliveries, again.deliveries) == (0, 1)
    driver.nack([again], 600_000)
    assert lease(driver) == []


def test_leases_are_renewed_and_settled_in_tens(opened: Opened) -> None:
    driver = opened(lease=40)
    declare(driver)
    driver.put([outgoing(b"%d" % number) for number in range(12)])
    leased = lease(driver)
    renewed = requests(driver, "ChangeMessageVisibilityBatch")
    deleted = requests(driver, "DeleteMessageBatch")
    assert driver.renew(leased) == []
    assert [len(each["Entries"]) for each in renewed] == [10, 2]
    assert {each["VisibilityTimeout"] for each in renewed[0]["Entries"]} == {40}
    assert driver.ack(leased) == []
    assert [len(each["Entries"]) for each in deleted] == [10, 2]
    assert driver.size("q") == 0


def test_what_sqs_does_not_settle_is_lost(driver: SQSDriver) -> None:
    driver.put([outgoing(b"%d" % number) for number in range(12)])
    leased = lease(driver)
    answers = iter([{"Failed": [{"Id": "3"}]}, {"Failed": [{"Id": "1"}]}])
    driver.client.delete_message_batch = lambda **_: next(answers)
    assert driver.ack(leased) == [leased[3], leased[11]]


def test_a_whole_program_publishes_and_consumes(address: Address) -> None:
    options = {**address.options, "lease": 5}
    url = f"sqs://key:secret@{address.hostname}:{address.port}/"
    with Connection(url, transport_options=options) as connection:
        queue = connection.SimpleQueue("hello")
        queue.put({"hello": "world"})
        message = queue.get(timeout=5)
        assert message.payload == {"hello": "world"}
        message.ack()
        with pytest.raises(queue.Empty):
            queue.get(block=False)
