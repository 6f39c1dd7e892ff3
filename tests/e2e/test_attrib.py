"""Every answer carries the PID of the worker that gave it. The oracle is the worker itself."""
import json
import os
import re
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from client import Client, many, raw
from servers import BINARY, Gunicorn, Proxy, Uvicorn, whichworker

UVICORN_WORKER = "uvicorn.workers.UvicornWorker"
REQUESTS = 2000
FEWER = 300
NOBODY = 65534

SERVERS = {
    "sync": dict(worker_class="sync"),
    "gthread": dict(worker_class="gthread", threads=4),
    "uvicorn": dict(worker_class=UVICORN_WORKER, app="whoami:asgi"),
}


def assert_all_tagged(replies, total):
    assert len(replies) == total
    wrong = [(r.tag, r.json()["pid"]) for r in replies if r.tag != str(r.json()["pid"])]
    assert not wrong, "%d of %d: %s" % (len(wrong), total, wrong[:10])
    assert len({r.tag for r in replies}) > 1, "one worker took everything: nothing was tested"


@pytest.fixture(scope="module", params=[(k, b) for k in SERVERS for b in ("v4", "unix")],
                ids=lambda p: "%s-%s" % p)
def server(request, start_once):
    kind, bind = request.param
    return start_once(Gunicorn, workers=4, bind=bind, **SERVERS[kind])


@pytest.mark.parametrize("clients", [1, 8])
def test_tag_is_the_pid_that_answered(server, proxied, clients):
    proxy = proxied(server)
    assert_all_tagged(many(proxy, "/", REQUESTS, clients), REQUESTS)


@pytest.mark.parametrize("bind", ["v6", "any"])
def test_tag_on_other_binds(start, proxied, bind):
    proxy = proxied(start(Gunicorn, bind=bind, workers=4))
    assert_all_tagged(many(proxy, "/", FEWER, 1), FEWER)
    assert_all_tagged(many(proxy, "/", FEWER, 8), FEWER)


def test_tag_behind_uvicorns_own_manager(start, proxied):
    proxy = proxied(start(Uvicorn, workers=3))
    assert_all_tagged(many(proxy, "/", FEWER, 8), FEWER)


def test_tag_on_a_request_that_waited_in_the_accept_queue(start, proxied):
    """Two workers, eight clients, slow answers: most connections are queued before anybody accepts."""
    proxy = proxied(start(Gunicorn, workers=2), "--attrib-timeout", "20s")
    assert_all_tagged(many(proxy, "/sleep?ms=30", 80, 8), 80)


def test_tag_after_all_workers_were_replaced(start, proxied):
    server = start(Gunicorn, workers=2, options=["--max-requests", "20"])
    proxy = proxied(server)
    replies = many(proxy, "/", 200, 1)
    assert_all_tagged(replies, 200)
    assert len({r.tag for r in replies}) > 4


def test_tag_where_the_backlog_is_full(start, proxied):
    """A Unix listener refuses with EAGAIN what TCP would leave to wait: it must be tried again."""
    server = start(Gunicorn, workers=2, bind="unix", options=["--backlog", "2"])
    proxy = proxied(server, "--attrib-timeout", "20s")
    assert_all_tagged(many(proxy, "/sleep?ms=10", 200, 16), 200)


@pytest.fixture
def directory_of_nobody():
    if os.getuid() != 0:
        pytest.skip("only root can run the proxy as somebody else")
    with tempfile.TemporaryDirectory(prefix="ww-nobody-") as path:
        shutil.copy(BINARY, path)
        os.chown(path, NOBODY, NOBODY)
        yield Path(path)


def test_workers_that_may_not_be_read_are_unknown_and_never_guessed(start, directory_of_nobody):
    proxy = start(Proxy, start(Gunicorn, workers=3).address, directory=directory_of_nobody,
                  binary=directory_of_nobody / BINARY.name, user=NOBODY, group=NOBODY,
                  extra_groups=[])
    replies = many(proxy, "/", 20, 2)
    assert {r.tag for r in replies} == {"unknown"}
    proxy.stop()
    done = whichworker("report", proxy.trace, "--format", "json")
    assert done.returncode == 2
    report = json.loads(done.stdout)
    assert report["attribution"]["unknown"] == 20 and report["attribution"]["coverage"] == 0
    assert (report["summary"]["verdict"], report["findings"]) == ("inconclusive", [])


@pytest.fixture
def small(start, proxied):
    return proxied(start(Gunicorn, workers=2))


def test_forged_tag_of_a_client_is_neither_believed_nor_forwarded(small):
    with Client(small) as client:
        reply = client.get("/echo", X_Worker_PID="424242", x_worker_pid="434343")
        assert reply.tag == str(reply.json()["pid"])
        assert "x-worker-pid" not in reply.json()["headers"]
        assert "424242" not in reply.body.decode() and "434343" not in reply.body.decode()


def test_tag_of_the_application_does_not_leak(small):
    with Client(small) as client:
        reply = client.get("/tagged")
        assert reply.headers.get_all("X-Worker-PID") == [str(reply.json()["pid"])]


def test_request_id_is_made_and_forwarded(small):
    with Client(small) as client:
        replies = [client.get("/echo") for _ in range(3)]
        ids = [r.headers["X-Request-ID"] for r in replies]
        assert all(ids) and len(set(ids)) == 3
        assert [r.json()["headers"]["x-request-id"] for r in replies] == ids


def test_request_id_is_kept(small):
    with Client(small) as client:
        reply = client.get("/echo", X_Request_ID="mine-1")
        assert reply.headers.get_all("X-Request-ID") == ["mine-1"]
        assert reply.json()["headers"]["x-request-id"] == "mine-1"


def test_forwarded_fields_tell_the_application_of_the_client(small):
    with Client(small) as client:
        seen = client.get("/echo").json()["headers"]
        assert seen["x-forwarded-for"] == "127.0.0.1"
        assert seen["x-forwarded-proto"] == "http"
        assert seen["x-forwarded-host"] == "%s:%d" % (small.host, small.port)


def test_an_error_of_ours_claims_no_worker(start, proxied):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxy = proxied(type("Refusing", (), {"address": "127.0.0.1:%d" % nobody.getsockname()[1]}))
        answer = raw(proxy, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert head.startswith(b"http/1.1 502")
        assert b"x-request-id:" in head
        assert re.search(rb"x-worker-pid: (none|unknown)\r", head)
