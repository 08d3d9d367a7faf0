from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from minibroker_client import aio
from minibroker_client.exceptions import AccessRefused, ConnectionLost, NotAllowed

from ..resilience.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from minibroker import Broker

SECONDS = 20
QUICK = {"interval_start": 0, "interval_step": 0.05, "interval_max": 0.1}


@pytest.fixture(params=["amqp", "minibroker"])
def scheme(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def proxy(real_broker: Broker) -> Iterator[Proxy]:
    with real_broker.listen() as server, Proxy(urlsplit(server.url).port or 0) as proxy:
        yield proxy


def within(test: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(SECONDS):
            return await test()

    return asyncio.run(main(), debug=True)


def test_it_is_awaited_or_entered(proxy: Proxy, scheme: str) -> None:
    async def test() -> None:
        connection = await aio.connect(proxy.url(scheme))
        assert connection.connected
        assert repr(connection).startswith("<aio.Connection ")
        await connection.close()
        await connection.close()
        assert not connection.connected
        async with aio.connect(proxy.url(scheme)) as other:
            await other.channel()

    within(test)


def test_the_first_url_that_answers_is_used(proxy: Proxy, scheme: str) -> None:
    async def test() -> None:
        dead = f"{scheme}://127.0.0.1:1/"
        async with aio.connect([dead, proxy.url(scheme)]) as connection:
            assert str(proxy.port) in connection.as_uri()
        with pytest.raises(ConnectionRefusedError, match="127.0.0.1:1"):
            await aio.connect(f"{dead};{dead}")

    within(test)


def test_refusals_name_the_url_without_its_password(proxy: Proxy, scheme: str) -> None:
    async def test() -> None:
        url = f"{scheme}://guest:secret@127.0.0.1:{proxy.port}/"
        with pytest.raises(AccessRefused, match=r"guest:\*\*@") as caught:
            await aio.connect(url)
        assert "secret" not in str(caught.value)
        with pytest.raises(NotAllowed, match="vhost x not found"):
            await aio.connect(proxy.url(scheme), virtual_host="x")

    within(test)


def test_an_unknown_scheme_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="gopher"):
        aio.connect("gopher://x")


def test_a_lost_connection_is_raised_where_one_waits(proxy: Proxy, scheme: str) -> None:
    async def test() -> None:
        connection = await aio.connect(proxy.url(scheme))
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        async with queue.iterator() as messages:
            waiting = asyncio.ensure_future(anext(messages))
            await asyncio.sleep(0)
            proxy.cut()
            with pytest.raises(ConnectionLost):
                await waiting
        with pytest.raises(ConnectionLost.__mro__[1]):
            await channel.publish("", "q", b"x")
        await connection.close()

    within(test)


def test_what_is_to_recover_comes_back_by_itself(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    async def test() -> None:
        options: dict[str, Any] = {"recover": True, "transport_options": QUICK}
        async with aio.connect(proxy.url(scheme), **options) as connection:
            channel = await connection.channel()
            await channel.qos(5)
            queue = await channel.declare_queue(exclusive=True)
            await channel.declare_exchange("e", "topic")
            await queue.bind("e", "k")
            got: list[bytes] = []
            async with queue.iterator() as messages:
                for number in range(5):
                    await channel.publish("e", "k", b"%d" % number)
                    message = await anext(messages)
                    message.ack()
                    got.append(message.body)
                    proxy.cut()
                    if number == 2:
                        real_broker.connect().channel().delete_exchange("e")
                    await channel.publish("e", "k", b"again %d" % number)
                    got.append((await anext(messages)).body)
            assert set(got) == {b"%d" % n for n in range(5)} | {b"again %d" % n for n in range(5)}

    within(test)


def test_publishes_in_flight_are_published_again_with_the_same_id(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    real_broker.connect().channel().declare_queue("q", durable=True)

    async def test() -> None:
        options: dict[str, Any] = {"recover": True, "transport_options": QUICK}
        async with aio.connect(proxy.url(scheme), **options) as connection:
            channel = await connection.channel()
            proxy.cut_after = 1500
            await asyncio.gather(*(channel.publish("", "q", b"%d" % n) for n in range(100)))

    within(test)
    ids: dict[bytes, set[str | None]] = {}
    channel = real_broker.connect().channel()
    while (got := channel.get("q", no_ack=True)) is not None:
        message = got.entry.message
        ids.setdefault(message.body, set()).add(message.properties.message_id)
    assert len(ids) == 100
    assert all(len(each) == 1 for each in ids.values())
    assert proxy.accepted > 1


def test_it_gives_up_after_as_many_tries_as_were_asked_for(proxy: Proxy, scheme: str) -> None:
    async def test() -> None:
        options = {**QUICK, "max_retries": 2}
        connection = await aio.connect(proxy.url(scheme), recover=True, transport_options=options)
        channel = await connection.channel()
        queue = await channel.declare_queue("q")
        async with queue.iterator() as messages:
            proxy.refusing = True
            proxy.cut()
            with pytest.raises(ConnectionLost):
                await anext(messages)
        with pytest.raises((ConnectionLost, OSError)):
            await channel.publish("", "q", b"x")
        await connection.close()

    within(test)


def test_closing_ends_attempts_to_connect(proxy: Proxy, scheme: str) -> None:
    async def test() -> None:
        connection = await aio.connect(proxy.url(scheme), recover=True, transport_options=QUICK)
        proxy.refusing = True
        proxy.cut()
        while connection.connected:
            await asyncio.sleep(0)
        await connection.close()

    within(test)
