"""WebSockets: a real client and real servers see each other as if there were nothing between."""
import asyncio
import os
import signal
import sqlite3

import pytest

from backends import GunicornOf
from servers import whichworker

websockets = pytest.importorskip("websockets")

UVICORN_WORKER = "uvicorn.workers.UvicornWorker"
MESSAGE_MAX = 8 << 20


@pytest.fixture(scope="module")
def backend(start_once):
    return start_once(GunicornOf, UVICORN_WORKER, "uvicorn", app="sockets:asgi")


def socket_to(proxy):
    return websockets.connect("ws://%s:%d/socket" % (proxy.host, proxy.port), max_size=MESSAGE_MAX)


def exchanges(proxy):
    with sqlite3.connect(proxy.trace) as db:
        return db.execute("SELECT status, ended_as, request_size, response_size"
                          " FROM timeline ORDER BY id").fetchall()


async def greeted(proxy):
    """One socket: who the proxy says it is, and who the worker says it is."""
    async with socket_to(proxy) as ws:
        return int(ws.response_headers["X-Worker-PID"]), int(await ws.recv())


def test_every_socket_is_attributed_to_the_worker_at_its_other_end(backend, proxied):
    proxy = proxied(backend)

    stopped = []
    try:
        for _ in range(3):
            tag, own = asyncio.run(greeted(proxy))
            assert tag == own and own not in stopped
            stopped.append(own)
            os.kill(own, signal.SIGSTOP)  # so that another one must take the next
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert set(stopped) < set(backend.workers())


def test_messages_go_both_ways_as_they_are(backend, proxied):
    proxy = proxied(backend)
    large = os.urandom(4 << 20)

    async def talk():
        async with socket_to(proxy) as ws:
            await ws.recv()
            for text in ("a", "", "GET / HTTP/1.1\r\n\r\n", "ü" * 1000):
                await ws.send(text)
                assert await ws.recv() == text
            await ws.send(large)
            assert await ws.recv() == large
            await (await ws.ping())

    asyncio.run(talk())
    proxy.stop()
    [(status, end, sent, received)] = exchanges(proxy)
    assert (status, end) == (101, "complete")
    assert sent > len(large) and received > len(large)


def test_a_close_by_the_worker_arrives_with_its_code(backend, proxied):
    proxy = proxied(backend)

    async def talk():
        async with socket_to(proxy) as ws:
            await ws.recv()
            await ws.send("bye")
            with pytest.raises(websockets.ConnectionClosed):
                await ws.recv()
            return ws.close_code

    assert asyncio.run(talk()) == 4000


def test_a_worker_that_dies_breaks_its_sockets_only(start, proxied):
    """Its kernel closes them as if they had ended: that the peer had more to say, WebSocket tells."""
    proxy = proxied(start(GunicornOf, UVICORN_WORKER, "uvicorn", app="sockets:asgi"))

    async def talk():
        async with socket_to(proxy) as ws:
            await ws.recv()
            await ws.send("die")
            with pytest.raises(websockets.ConnectionClosed):
                await ws.recv()
            assert ws.close_code == 1006
        return await greeted(proxy)

    tag, own = asyncio.run(talk())
    assert tag == own


def test_a_stopped_proxy_does_not_wait_for_sockets(backend, proxied):
    proxy = proxied(backend, "--drain-timeout", "60s")

    async def talk():
        async with socket_to(proxy) as ws:
            await ws.recv()
            proxy.child.send_signal(signal.SIGTERM)
            with pytest.raises(websockets.ConnectionClosed):
                await ws.recv()

    asyncio.run(talk())
    assert proxy.child.wait(20) == 0
    assert [end for _, end, _, _ in exchanges(proxy)] == ["proxy-stopped"]


def test_sockets_on_many_workers_are_no_fault(backend, proxied):
    proxy = proxied(backend)

    async def talk():
        for _ in range(6):
            await greeted(proxy)

    asyncio.run(talk())
    proxy.stop()
    done = whichworker("report", proxy.trace)
    assert done.returncode in (0, 2) and "6 exchanges" in done.stdout, done.stdout
