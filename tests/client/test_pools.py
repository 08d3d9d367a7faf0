from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minibroker_client import Connection, Exchange, Queue, connections, pools, producers
from minibroker_client.connection_pool import ConnectionPool
from minibroker_client.exceptions import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minibroker import Broker


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    pools.reset()
    pools.set_limit(10)


@pytest.mark.semantics(131)
def test_connections_to_the_same_place_share_a_pool(broker: Broker) -> None:
    one, two, other = Connection(broker), Connection(broker), Connection("memory://other")
    assert connections[one] is connections[two]
    assert connections[one] is not connections[other]
    assert connections[one].limit == 10
    assert (one in connections, len(connections)) == (True, 2)


def test_a_producer_comes_with_a_connection_that_goes_back(broker: Broker) -> None:
    with Connection(broker) as connection:
        queue = Queue("q", Exchange("e"), "k")
        pool = producers[connection]
        with pool.acquire(block=True) as producer:
            producer.publish({"a": 1}, exchange=queue.exchange, routing_key="k", declare=[queue])
            used = producer.connection
        assert producer.connection is None
        message = queue(connection).get()
        assert message is not None
        assert message.payload == {"a": 1}
        with pool.acquire() as again:
            assert again is producer
            assert again.connection is used


def test_an_error_in_a_with_block_costs_the_connection(broker: Broker) -> None:
    pool = producers[Connection(broker)]
    producer = pool.acquire()
    producer.publish(b"x")
    used = producer.connection
    with pytest.raises(KeyError), producer:
        raise KeyError
    assert used is not None
    assert not used.connected
    with pool.acquire() as producer:
        assert producer.connection is not used


def test_a_producer_without_a_pool_to_go_back_to_just_lets_go() -> None:
    producer = pools.PooledProducer(None)
    producer.release()
    producer.close()


def test_closing_a_pool_of_producers_gives_their_connections_back(broker: Broker) -> None:
    connection = Connection(broker)
    producer = producers[connection].acquire()
    producer.publish(b"x")
    used = producer.connection
    assert used is not None
    producers[connection].force_close_all()
    assert used.connected
    assert connections[connection].acquire() is used


def test_a_producer_that_cannot_be_prepared_gives_its_connection_back(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("broken")

    connection = Connection(broker)
    pools.set_limit(1)
    monkeypatch.setattr(pools.PooledProducer, "revive", fail)
    with pytest.raises(OSError, match="broken"):
        producers[connection].acquire()
    connections[connection].acquire()


@pytest.mark.semantics(131)
def test_the_limit_is_that_of_all_pools(broker: Broker) -> None:
    connection = Connection(broker)
    pool = producers[connection]
    assert pools.set_limit(1) == pools.get_limit() == 1
    assert pools.set_limit(1) == 1
    assert (pool.limit, connections[connection].limit) == (1, 1)
    pool.acquire()
    with pytest.raises(LimitExceeded):
        pool.acquire()
    assert pools.set_limit(None) == 0


def test_reset_closes_and_forgets_all_pools(broker: Broker) -> None:
    connection = Connection(broker)
    used = connections[connection].acquire().connect()
    pools.reset()
    assert not used.connected
    assert (len(connections), len(producers)) == (0, 0)


def test_a_group_of_ones_own_has_a_limit_of_its_own(broker: Broker) -> None:
    class Own(pools.PoolGroup[ConnectionPool]):
        def create(self, connection: Connection, limit: int | None) -> ConnectionPool:
            return connection.Pool(limit)

    group = pools.register_group(Own(limit=3))
    assert group[Connection(broker)].limit == 3
    pools._groups.remove(group)
    with pytest.raises(NotImplementedError):
        _ = pools.PoolGroup[ConnectionPool]()[Connection(broker)]
