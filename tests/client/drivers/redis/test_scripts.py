"""The steps on a real server: each test on both layouts where nothing else is said."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from .conftest import bodies, declare, empty, end_leases, key, lease, outgoing, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from minibroker_client.drivers.redis import RedisDriver

    from .conftest import Opened

    Pair = tuple[RedisDriver, RedisDriver]


def test_messages_are_leased_in_order_and_only_once(pair: Pair) -> None:
    one, other = pair
    put(one, b"0", b"1", b"2", b"3")
    assert bodies(lease(one, 3)) == [b"0", b"1", b"2"]
    assert bodies(lease(other)) == [b"3"]
    assert lease(one) == lease(other) == []


def test_what_is_given_back_comes_again_before_all_that_is_behind_it(pair: Pair) -> None:
    one, other = pair
    put(one, *(b"%d" % number for number in range(14)))
    first, second = lease(one, 11), lease(other, 1)
    one.nack([first[10], first[9], first[2]])
    other.nack(second)
    again = lease(one)
    assert bodies(again) == [b"2", b"9", b"10", b"11", b"12", b"13"]
    assert [each.deliveries for each in again] == [1, 1, 1, 1, 0, 0]


def test_what_is_given_back_for_later_is_not_leased_before(pair: Pair) -> None:
    one, other = pair
    put(one, b"0", b"1")
    one.nack(lease(one, 1), 3_600_000)
    assert bodies(lease(other)) == [b"1"]
    assert other.size("q") == 0
    [member] = one.client.zrange(key(one, ":delayed"), 0, -1)
    one.client.zadd(key(one, ":delayed"), {member: 1})
    again = lease(other)
    assert (bodies(again), again[0].deliveries) == ([b"0"], 1)


def test_a_delayed_message_is_leased_when_the_server_says_that_it_is_due(pair: Pair) -> None:
    one, other = pair
    one.put([outgoing(b"later", 3_600_000), outgoing(b"now")])
    assert bodies(lease(other)) == [b"now"]
    [member] = one.client.zrange(key(one, ":delayed"), 0, -1)
    one.client.zadd(key(one, ":delayed"), {member: 1})
    assert bodies(lease(other)) == [b"later"]
    assert one.client.zcard(key(one, ":delayed")) == 0


def test_waiting_ends_when_something_is_due(pair: Pair) -> None:
    one, other = pair
    one.put([outgoing(b"soon", 30)])
    found = other.lease([("q", 1)], 60) or other.lease([("q", 1)], 60)
    assert bodies(found) == [b"soon"]


def test_waiting_ends_when_something_is_put_or_given_back(pair: Pair) -> None:
    one, other = pair
    put(one, b"held")
    held = lease(one)
    wakes: list[Callable[[], None]] = [lambda: put(one, b"new"), lambda: one.nack(held)]
    for wake in wakes:
        got: list[bytes] = []

        def wait(got: list[bytes] = got) -> None:
            while not got:
                got += bodies(other.lease([("q", 1)], 8))

        thread = threading.Thread(target=wait)
        thread.start()
        wake()
        thread.join(5)
        assert not thread.is_alive()
        assert len(got) == 1


def test_a_lease_ends_by_the_servers_clock(pair: Pair) -> None:
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


def test_a_late_ack_leaves_the_entry_of_another(pair: Pair) -> None:
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
    assert other.ack(current) == current


def test_the_late_ack_of_a_client_does_not_settle_its_own_next_lease(pair: Pair) -> None:
    one, _ = pair
    put(one, b"work")
    late = lease(one)
    end_leases(one)
    current = lease(one)
    assert one.ack(late) == late
    assert one.renew(late) == late
    one.nack(late)
    assert lease(one) == []
    assert one.renew(current) == []
    assert one.ack(current) == []


def test_of_many_acks_only_the_late_ones_are_told(pair: Pair) -> None:
    one, other = pair
    put(one, b"0", b"1", b"2")
    leased = lease(one)
    other.ack(leased[1:2])
    assert one.ack(leased) == [leased[1]]
    assert one.size("q") == 0


def test_what_is_acked_leaves_nothing_behind(pair: Pair) -> None:
    one, _ = pair
    put(one, b"0", b"1")
    assert one.ack(lease(one)) == []
    end_leases(one)
    assert lease(one) == []
    client = one.client
    left = [each for each in client.scan_iter(f"{one.prefix}:*") if client.type(each) == b"hash"]
    assert left == []
    assert client.xlen(key(one)) == 0


def test_purge_leaves_what_is_leased_and_counts_the_rest(pair: Pair) -> None:
    one, other = pair
    put(one, *(b"%d" % number for number in range(5)))
    held, back = lease(one, 2)
    one.nack([back])
    assert other.size("q") == other.purge("q") == 4
    assert other.size("q") == 0
    end_leases(one)
    assert bodies(lease(other)) == [b"0"]
    assert one.ack([held]) == [held]


def test_size_counts_what_could_be_leased_now(pair: Pair) -> None:
    one, _ = pair
    put(one, b"0", b"1", b"2")
    one.put([outgoing(b"later", 3_600_000)])
    assert one.size("q") == 3
    leased = lease(one, 2)
    assert one.size("q") == 1
    one.nack(leased[:1])
    assert one.size("q") == 2


def test_a_queue_works_on_after_the_server_was_emptied(pair: Pair) -> None:
    one, other = pair
    put(one, b"lost")
    held = lease(one)
    empty(one)
    assert one.ack(held) == held
    assert other.size("q") == 0
    empty(one)
    put(one, b"new")
    assert bodies(lease(other)) == [b"new"]
    empty(one)
    assert other.purge("q") == 0


def test_a_deleted_queue_is_gone_with_all_its_keys(pair: Pair) -> None:
    one, _ = pair
    put(one, b"0", b"1")
    one.put([outgoing(b"later", 3_600_000)])
    lease(one, 1)
    one.delete("q")
    assert list(one.client.scan_iter(f"{one.prefix}:*")) == []


def test_higher_priorities_come_first_also_when_they_are_given_back(opened: Opened) -> None:
    driver = opened()
    declare(driver, arguments={"x-max-priority": 9})
    driver.put([outgoing(b"%d" % priority, priority=priority) for priority in (1, 9, 5, 9)])
    leased = lease(driver, 2)
    assert bodies(leased) == [b"9", b"9"]
    driver.nack(leased[1:])
    assert bodies(lease(driver)) == [b"9", b"5", b"1"]


def test_an_entry_of_another_program_is_leased_from_a_stream(opened: Opened) -> None:
    driver = opened()
    declare(driver)
    driver.client.xadd(key(driver), {"user": "7", "name": "Ann"})
    driver.client.xadd(key(driver), {"body": b"text", "content_type": "text/plain"})
    first, second = lease(driver)
    assert json.loads(first.message.body) == {"user": "7", "name": "Ann"}
    assert (second.message.body, second.message.properties.content_type) == (b"text", "text/plain")
    assert driver.ack([first, second]) == []


def test_what_another_program_claimed_after_it_was_given_back_is_its(opened: Opened) -> None:
    driver = opened()
    declare(driver)
    put(driver, b"claimed", b"back")
    leased = lease(driver)
    driver.nack(leased)
    driver.client.xclaim(key(driver), "minibroker", "stranger", 0, [leased[0].token[0]])
    assert bodies(lease(driver)) == [b"back"]


def test_what_was_there_before_the_queue_was_declared_is_leased(opened: Opened) -> None:
    driver = opened()
    driver.client.xadd(key(driver), {"body": b"early"})
    declare(driver)
    declare(driver)
    assert bodies(lease(driver)) == [b"early"]


def test_other_programs_read_the_stream_field_by_field(opened: Opened) -> None:
    driver = opened()
    declare(driver)
    driver.put([outgoing(b'{"n": 1}', content_type="application/json", headers={"a": [1]})])
    [(_, fields)] = driver.client.xrange(key(driver))
    assert fields == {
        b"body": b'{"n": 1}',
        b"routing_key": b"q",
        b"content_type": b"application/json",
        b"headers": b'{"a": [1]}',
    }


def test_threads_get_each_message_exactly_once(pair: Pair) -> None:
    numbers = [b"%d" % number for number in range(400)]
    put(pair[0], *numbers)
    got: list[bytes] = []

    def work(driver: RedisDriver) -> None:
        while leased := driver.lease([("q", 7)], 0):
            assert driver.ack(leased) == []
            got.extend(bodies(leased))

    threads = [threading.Thread(target=work, args=(pair[place % 2],)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(got) == sorted(numbers)
