from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pymongo
import pytest

from minibroker_client import Connection, exceptions
from minibroker_client.drivers.mongodb import FEATURES, MongoDriver, transport
from minibroker_client.parameters import Parameters
from minibroker_client.remote.driver import DriverError
from minibroker_client.transport import get_transport

from ....interop.servers import free_ports
from ...remote.places import server_of
from .conftest import bodies, declare, end_leases, lease, outgoing, put

if TYPE_CHECKING:
    from minibroker_client.transport.base import Address

    from .conftest import Opened

    Pair = tuple[MongoDriver, MongoDriver]

# -- where it connects to


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The URL and the options that pymongo gets; it connects to the shared server."""
    told: list[Any] = []
    there = server_of("nx-27017").url

    class Recorder(pymongo.MongoClient[Any]):
        def __init__(self, url: str, **named: Any) -> None:
            told.extend((url, named))
            super().__init__(there, **named)

    monkeypatch.setattr(pymongo, "MongoClient", Recorder)
    return told


def test_both_schemes_are_this_transport() -> None:
    assert get_transport("mongodb") is transport
    assert get_transport("mongodb+srv") is transport
    assert transport.default_port == 27017


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mongodb://localhost/db", "mongodb://localhost/"),
        ("mongodb://host:1234/", "mongodb://host:1234/"),
        ("mongodb://a:1,b:2,c/db?replicaSet=rs", "mongodb://a:1,b:2,c/?replicaSet=rs"),
        ("mongodb://me@host/", "mongodb://me@host/"),
        ("mongodb://me:s%40%2F@a,b/db?authSource=db&w=majority",
         "mongodb://me:s%40%2F@a,b/?authSource=db&w=majority"),
        ("mongodb+srv://me:pw@cluster.example/db", "mongodb+srv://me:pw@cluster.example/"),
    ],
)  # fmt: skip
def test_pymongo_gets_the_url_with_all_hosts_and_its_own_parameters(
    said: list[Any], url: str, expected: str
) -> None:
    driver = MongoDriver(Parameters().with_url(url).address({}))
    assert said[0] == expected
    assert driver.messages.database.name == ("db" if "/db" in url else "minibroker")
    driver.close()


@pytest.mark.parametrize(("query", "expected"), [("", "?tls=true"), ("?w=1", "?w=1&tls=true")])
def test_tls_is_asked_for_by_the_option(said: list[Any], query: str, expected: str) -> None:
    address = replace(Parameters().with_url(f"mongodb://host/{query}"), ssl=True).address({})
    MongoDriver(address).close()
    assert said[0] == f"mongodb://host/{expected}"


def test_pymongo_itself_tries_nothing_again_and_connects_in_time(
    said: list[Any], address: Address
) -> None:
    MongoDriver(replace(address, connect_timeout=7)).close()
    assert said[1]["retryWrites"] is said[1]["retryReads"] is False
    assert said[1]["serverSelectionTimeoutMS"] == said[1]["connectTimeoutMS"] == 7000


def test_what_pymongo_does_not_take_is_refused(address: Address) -> None:
    two = replace(address, hostname="a:1,b:2", port=None, query="directConnection=true")
    with pytest.raises(ValueError, match="^mongodb:// .*multiple hosts"):
        MongoDriver(two)


def test_a_server_that_is_not_there_is_a_driver_error(address: Address) -> None:
    nowhere = replace(address, port=free_ports(1)[0], connect_timeout=0.1)
    with pytest.raises(DriverError, match="^MongoDB: "):
        MongoDriver(nowhere)
    with pytest.raises(exceptions.ConnectionForced, match="MongoDB: "):
        transport.connect(nowhere)


def test_a_prefix_is_of_the_collections_and_a_lease_is_an_option(opened: Opened) -> None:
    driver = opened(prefix="p", lease="2.5")
    assert driver.messages.name == "p_messages"
    assert driver.lease_seconds == 2.5


# -- queues and messages


def test_messages_are_leased_in_order_and_only_once(pair: Pair) -> None:
    one, other = pair
    put(one, b"0", b"1", b"2", b"3")
    assert bodies(lease(one, 2)) == [b"0", b"1"]
    assert bodies(lease(other, 1)) == [b"2"]
    assert bodies(lease(one)) == [b"3"]
    assert lease(one) == lease(other, 1) == []


def test_what_is_put_one_after_the_other_comes_in_that_order(driver: MongoDriver) -> None:
    expected = [b"%d" % number for number in range(20)]
    for body in expected:
        put(driver, body)
    assert bodies(lease(driver)) == expected


def test_what_is_given_back_comes_again_before_all_that_is_behind_it(pair: Pair) -> None:
    one, other = pair
    put(one, b"0", b"1", b"2", b"3")
    leased = lease(one, 3)
    one.nack([leased[2], leased[0]])
    again = lease(other)
    assert bodies(again) == [b"0", b"2", b"3"]
    assert [each.deliveries for each in again] == [1, 1, 0]


def test_what_is_given_back_for_later_or_delayed_is_not_leased_before(pair: Pair) -> None:
    one, other = pair
    put(one, b"back")
    one.nack(lease(one), 3_600_000)
    one.put([outgoing(b"later", delay=3_600_000), outgoing(b"now")])
    assert other.size("q") == 1
    assert bodies(lease(other)) == [b"now"]
    other.messages.update_many({"token": ""}, {"$set": {"until": 1}})
    assert bodies(lease(other)) == [b"back", b"later"]


def test_higher_priorities_come_first_also_when_they_are_given_back(opened: Opened) -> None:
    driver = opened()
    declare(driver, highest=9)
    driver.put([outgoing(b"%d" % priority, priority=priority) for priority in (1, 9, 5, 200)])
    leased = lease(driver, 2)
    assert bodies(leased) == [b"9", b"200"]
    driver.nack(leased[1:])
    assert bodies(lease(driver)) == [b"200", b"5", b"1"]


def test_threads_get_each_message_exactly_once(opened: Opened) -> None:
    drivers = [opened() for _ in range(4)]
    declare(drivers[0])
    numbers = [b"%d" % number for number in range(120)]
    put(drivers[0], *numbers)
    got: list[bytes] = []
    start = threading.Barrier(4)

    def work(driver: MongoDriver, most: int) -> None:
        start.wait(30)
        while driver.size("q"):
            leased = lease(driver, most)
            assert driver.ack(leased) == []
            got.extend(bodies(leased))

    threads = [
        threading.Thread(target=work, args=(driver, most))
        for driver, most in zip(drivers, (1, 5, 9, 1), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got) == sorted(numbers)


def test_a_lease_that_has_ended_is_anybodys(pair: Pair) -> None:
    one, other = pair
    put(one, b"0", b"1")
    lease(one)
    assert lease(other) == []
    end_leases(one)
    again = lease(other)
    assert (bodies(again), [each.deliveries for each in again]) == ([b"0", b"1"], [1, 1])


def test_a_renewed_lease_has_not_ended(pair: Pair) -> None:
    one, other = pair
    put(one, b"0", b"1")
    first, _ = lease(one)
    end_leases(one)
    assert one.renew([first]) == []
    assert bodies(lease(other)) == [b"1"]


def test_a_late_ack_is_refused_by_its_token(pair: Pair) -> None:
    one, other = pair
    put(one, b"work")
    late = lease(one)
    end_leases(one)
    current = lease(other)
    assert one.ack(late) == late
    assert one.renew(late) == late
    one.nack(late)
    assert lease(one) == []
    assert other.ack(current) == []
    assert one.messages.count_documents({}) == 0


def test_the_late_ack_of_a_client_does_not_settle_its_own_next_lease(driver: MongoDriver) -> None:
    put(driver, b"work")
    late = lease(driver)
    end_leases(driver)
    current = lease(driver)
    assert driver.ack(late) == late
    assert driver.ack(current) == []


def test_of_many_acks_only_the_late_ones_are_told(pair: Pair) -> None:
    one, other = pair
    put(one, b"0", b"1", b"2")
    leased = lease(one)
    one.messages.update_one({"_id": leased[1].token[0]}, {"$set": {"until": 1}})
    [current] = lease(other)
    assert one.renew(leased) == [leased[1]]
    assert one.ack(leased) == [leased[1]]
    assert other.ack([current]) == []


def test_purge_leaves_what_is_leased_and_counts_the_rest(pair: Pair) -> None:
    one, other = pair
    put(one, b"0", b"1", b"2")
    held = lease(one, 1)
    assert other.size("q") == other.purge("q") == 2
    assert other.size("q") == 0
    assert one.ack(held) == []


def test_a_deleted_queue_is_gone_with_all_its_messages_and_others_are_not(
    driver: MongoDriver,
) -> None:
    declare(driver, "r")
    driver.put([outgoing(b"0"), outgoing(b"1"), outgoing(b"kept", "r")])
    leased = lease(driver, 1)
    driver.delete("q")
    assert driver.ack(leased) == leased
    assert bodies(driver.lease([("q", 5), ("r", 5)], 0)) == [b"kept"]


def test_declaring_again_changes_nothing(pair: Pair) -> None:
    one, other = pair
    put(one, b"kept")
    declare(other)
    assert bodies(lease(other)) == [b"kept"]


def test_a_document_of_another_program_is_leased(driver: MongoDriver) -> None:
    document = {"_id": "theirs", "queue": "q", "seq": 1, "order": 0, "until": 0, "token": "",
                "body": "text"}  # fmt: skip
    driver.messages.insert_one(document)
    [leased] = lease(driver)
    assert (leased.message.body, leased.message.properties.content_type) == (b"text", "text/plain")
    assert driver.ack([leased]) == []


def test_a_body_that_is_too_large_for_a_document_is_refused_and_harms_nobody(
    address: Address,
) -> None:
    url = f"mongodb://{address.hostname}:{address.port}/?{address.query}"
    with Connection(url, transport_options=dict(address.options)) as connection:
        queue = connection.SimpleQueue("q")
        channel = connection.channel().raw
        record, body = channel.properties({}), b"x" * (FEATURES.max_message_size + 1)
        with pytest.raises(exceptions.PreconditionFailed, match="larger than configured max size"):
            channel.publish("", "q", body, record)
        queue.put("small")
        message = queue.get(timeout=5)
        assert message.payload == "small"
        message.ack()
