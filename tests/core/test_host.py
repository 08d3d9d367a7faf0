"""A model without a broker: no lock, and a number as time."""

from __future__ import annotations

from itertools import count

from minibroker.connection import Connection
from minibroker.host import Host, NoGuard
from minibroker.vhost import VHost


def test_the_model_runs_without_a_lock_and_with_a_number_as_time() -> None:
    time = [1000]
    names = count(1)
    host = Host(lambda: time[0], lambda: str(next(names)))
    connection = Connection(VHost("/", host))
    channel = connection.channel()
    queue = channel.declare_queue(arguments={"x-message-ttl": 50}).queue
    assert queue == "amq.gen-1"
    channel.publish("", queue, b"late")
    assert host.timers.next == 1050
    time[0] = 1050
    host.timers.run_due(1050)
    assert channel.get(queue) is None
    connection.vhost._check()


def test_no_guard_lets_everybody_in() -> None:
    guard = NoGuard()
    assert guard.acquire()
    guard.release()
    with guard as entered:
        assert entered is guard


def test_two_hosts_share_nothing() -> None:
    one, two = (Host(lambda: 0, str) for _ in range(2))
    assert one.timers is not two.timers
    assert one.vhosts is not two.vhosts
    assert one.limits is not two.limits
