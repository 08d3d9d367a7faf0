from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import trustme

from minibroker.gate import MEMORY
from minibroker.server.tls import server_context
from minibroker_client import aio
from minibroker_client.exceptions import ConnectionLost, PublisherBlocked

from ..resilience.proxy import answering
from .test_connection import proxy, scheme, within

if TYPE_CHECKING:
    from pathlib import Path

    from minibroker import Broker

    from ..resilience.proxy import Proxy

__all__ = ["proxy", "scheme"]


def test_a_silent_broker_is_found_by_its_missing_heartbeats(proxy: Proxy, scheme: str) -> None:
    async def test() -> None:
        connection = await aio.connect(proxy.url(scheme), heartbeat=1)
        channel = await connection.channel()
        proxy.deaf = True
        with pytest.raises(ConnectionLost, match="heartbeats were missed"):
            await channel.declare_queue("q")
        await connection.close()

    within(test)


def test_heartbeats_keep_an_idle_connection(proxy: Proxy, scheme: str) -> None:
    async def test() -> None:
        async with aio.connect(proxy.url(scheme), heartbeat=1) as connection:
            await asyncio.sleep(2.7)
            channel = await connection.channel()
            await channel.declare_queue("q")

    within(test)


def test_somebody_who_says_nothing(scheme: str) -> None:
    async def test() -> None:
        listener, port = answering(b"")
        with listener, pytest.raises(TimeoutError, match=r"did not answer within 0.1 seconds"):
            await aio.connect(f"{scheme}://127.0.0.1:{port}", connect_timeout=0.1)

    within(test)


def test_who_publishes_while_the_broker_is_short_waits_or_gives_up(
    proxy: Proxy, scheme: str, real_broker: Broker
) -> None:
    async def test() -> None:
        async with aio.connect(proxy.url(scheme)) as connection:
            channel = await connection.channel()
            await channel.declare_queue("q")
            gate, guard = real_broker.host.gate, real_broker.host.guard
            with guard:
                gate.shut(MEMORY, lambda: "")
            first = asyncio.ensure_future(channel.publish("", "q", b"1"))
            shell: Any = connection.shell
            while shell.protocol.blocked is None:
                await asyncio.sleep(0)
            with pytest.raises(PublisherBlocked, match="low on memory"):
                await channel.publish("", "q", b"2", timeout=0.01)
            second = asyncio.ensure_future(channel.publish("", "q", b"3"))
            with guard:
                gate.open(MEMORY)
            await asyncio.gather(first, second)
            assert (await channel.declare_queue("q", passive=True)).declared.message_count == 2

    within(test)


def test_large_bodies_and_a_full_socket(proxy: Proxy, scheme: str) -> None:
    async def test() -> None:
        async with aio.connect(proxy.url(scheme)) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("q")
            bodies = [bytes([number]) * 2_000_000 for number in range(8)]
            await asyncio.gather(*(channel.publish("", "q", body) for body in bodies))
            got = []
            async for message in queue:
                message.ack()
                got.append(message.body)
                if len(got) == 8:
                    break
            assert got == bodies

    within(test)


def test_tls_is_checked(real_broker: Broker, tmp_path: Path, scheme: str) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    cert, key, ca = (str(tmp_path / name) for name in ("cert.pem", "key.pem", "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(cert)
    certificate.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(ca)

    async def test() -> None:
        with real_broker.listen(tls=server_context(cert, key)) as server:
            url = f"{scheme}s://localhost:{urlsplit(server.url).port}/"
            async with aio.connect(url, ssl={"ca_certs": ca}) as connection:
                await (await connection.channel()).declare_queue("q")
            with pytest.raises(ssl.SSLCertVerificationError, match=f"{scheme}s://localhost"):
                await aio.connect(url)

    within(test)


def test_a_unix_socket(real_broker: Broker, tmp_path: Path, scheme: str) -> None:
    async def test() -> None:
        with real_broker.listen(unix=str(tmp_path / "s")) as server:
            url = server.url if scheme == "amqp" else server.native_url
            async with aio.connect(url) as connection:
                await connection.channel()

    within(test)
