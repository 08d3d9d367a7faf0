from __future__ import annotations

import threading

from minibroker_client.transport.named import NamedBrokers


class Thing:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_name_is_shared_and_gone_with_its_last_user() -> None:
    named = NamedBrokers[Thing]()
    one = named.acquire("a", Thing)
    assert named.acquire("a", Thing) is one
    assert named.acquire("b", Thing) is not one
    assert named.names() == ["a", "b"]
    named.release("a")
    assert one.closed == 0
    named.release("a")
    assert one.closed == 1
    assert named.names() == ["b"]
    assert named.acquire("a", Thing) is not one


def test_users_of_many_threads_are_counted_rightly() -> None:
    made: list[Thing] = []

    def make() -> Thing:
        made.append(Thing())
        return made[-1]

    named = NamedBrokers[Thing]()
    start = threading.Barrier(8)

    def use() -> None:
        start.wait()
        for _ in range(200):
            named.acquire("a", make)
            named.release("a")

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert named.names() == []
    assert all(thing.closed == 1 for thing in made)
