from __future__ import annotations

from minibroker_client.buffering.kept import Kept, MemoryStore


def kept(body: bytes) -> Kept:
    return Kept("e", "k", body, {"message_id": "1"}, mandatory=False)


def test_a_store_keeps_the_order_and_counts() -> None:
    store = MemoryStore()
    first, second = store.add(kept(b"12")), store.add(kept(b"345"))
    assert (len(store), store.size) == (2, 5)
    assert [key for key, _ in store.pending()] == [first, second]
    store.done(first)
    assert (len(store), store.size) == (1, 3)
    store.close()
