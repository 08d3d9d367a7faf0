from __future__ import annotations

from typing import TYPE_CHECKING

from minibroker_client.drivers.nats.pulling import CONSUMER

from .conftest import declare, outgoing

if TYPE_CHECKING:
    from .conftest import Opened, Stranger


def test_the_consumers_lease_is_the_longest_that_was_asked_for(
    opened: Opened, stranger: Stranger
) -> None:
    seconds = []
    for lease in (2, 5, 3):
        driver = opened(lease=lease)
        declare(driver, "q")
        info = stranger.call(stranger.stream.consumer_info(f"{driver.prefix}+q", CONSUMER))
        seconds.append(info.config.ack_wait)
    assert seconds == [2, 5, 5]


def test_a_stream_that_refuses_says_why(opened: Opened, stranger: Stranger) -> None:
    driver = opened()
    names = {"name": f"{driver.prefix}+q", "subjects": [f"{driver.prefix}.q"]}
    limited = {"max_msgs": 1, "discard": "new", "retention": "workqueue"}
    stranger.call(stranger.stream.add_stream(**names, **limited))
    declare(driver, "q")  # as its administrator likes it
    [refused] = driver.put([outgoing(), outgoing()]).refused
    assert "maximum messages exceeded" in refused.reason


def test_the_size_is_exact_while_nothing_is_given_back(opened: Opened) -> None:
    driver = opened()
    declare(driver, "q")
    for _ in range(50):
        driver.put([outgoing()] * 3)
        assert driver.size("q") == 3
        leased = driver.lease([("q", 2)], 1)
        assert driver.size("q") == 1
        driver.ack([*leased, *driver.lease([("q", 2)], 1)])
        assert driver.size("q") == 0


def test_what_is_declared_twice_and_deleted_twice_is_gone(opened: Opened) -> None:
    driver = opened()
    declare(driver, "q")
    driver.put([outgoing()])
    declare(driver, "q")
    assert driver.size("q") == 1
    driver.delete("q")
    driver.delete("q")
    assert driver.size("q") == 0
