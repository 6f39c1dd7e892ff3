"""Workers that say who they are: the examples, where the kernel may not be asked, and a liar."""
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from client import Client
from servers import BINARY, ROOT, Gunicorn, Proxy, whichworker

NOBODY = 65534

EXAMPLES = ROOT / "examples/worker_header"
NAME = ("--worker-header", "X-Worker-PID")

WSGI_APP = """
import json, os, sys
sys.path.insert(0, %r)
from wsgi import worker_header
IMPORTED = str(os.getpid())

def plain(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid()}).encode()]

def lying(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json"), ("X-Worker-PID", IMPORTED)])
    return [json.dumps({"pid": os.getpid()}).encode()]

tagged = worker_header(plain)
"""

ASGI_APP = """
import json, os, sys
sys.path.insert(0, %r)
from asgi import WorkerHeader

async def plain(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = json.dumps({"pid": os.getpid()}).encode()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})

tagged = WorkerHeader(plain)
"""


@pytest.fixture
def apps(tmp_path):
    (tmp_path / "wsgiapp.py").write_text(WSGI_APP % str(EXAMPLES))
    (tmp_path / "asgiapp.py").write_text(ASGI_APP % str(EXAMPLES))
    return tmp_path


def ask(proxy, n=60):
    """(tag, the PID in the body) of n requests."""
    with Client(proxy) as client:
        replies = [client.get("/") for _ in range(n)]
    return [(r.tag, str(r.json()["pid"])) for r in replies]


def sources(proxy):
    assert proxy.stop() == 0
    out = whichworker("report", proxy.trace, "--format", "json").stdout
    return json.loads(out)


@pytest.fixture
def blind_proxy(start):
    """A proxy that may not look into the workers: it runs as nobody, they as root."""
    if os.getuid() != 0:
        pytest.skip("only root can run the proxy as somebody else")
    with tempfile.TemporaryDirectory(prefix="ww-nobody-") as path:
        shutil.copy(BINARY, path)
        os.chown(path, NOBODY, NOBODY)
        yield lambda server: start(Proxy, server.address, *NAME, directory=Path(path),
                                   binary=Path(path) / BINARY.name, user=NOBODY, group=NOBODY,
                                   extra_groups=[])


@pytest.mark.parametrize("kind", ["gunicorn config", "wsgi", "asgi"])
def test_where_the_kernel_may_not_be_asked_the_worker_is_believed(start, apps, blind_proxy, kind):
    if kind == "asgi":
        server = start(Gunicorn, app="asgiapp:tagged", chdir=apps,
                       worker_class="uvicorn.workers.UvicornWorker")
    elif kind == "wsgi":
        server = start(Gunicorn, app="wsgiapp:tagged", chdir=apps)
    else:
        server = start(Gunicorn, app="wsgiapp:plain", chdir=apps,
                       options=("-c", EXAMPLES / "gunicorn.conf.py"))
    proxy = blind_proxy(server)
    pairs = ask(proxy)
    assert all(tag == pid for tag, pid in pairs)
    assert len(set(pairs)) > 1
    report = sources(proxy)
    assert report["attribution"]["header"] == len(pairs)
    assert report["attribution"]["coverage"] == 1
    assert "warnings" not in report


def test_where_both_speak_and_agree_the_kernel_is_named(start, apps):
    server = start(Gunicorn, app="wsgiapp:tagged", chdir=apps)
    proxy = start(Proxy, server.address, *NAME)
    pairs = ask(proxy)
    assert all(tag == pid for tag, pid in pairs)
    report = sources(proxy)
    assert report["attribution"]["kernel"] == len(pairs)
    assert "warnings" not in report


def test_an_id_made_before_the_fork_is_found_out(start, apps):
    server = start(Gunicorn, app="wsgiapp:lying", chdir=apps, options=("--preload",))
    proxy = start(Proxy, server.address, *NAME)
    pairs = ask(proxy)
    assert all(tag == pid for tag, pid in pairs), "the kernel is believed"
    report = sources(proxy)
    (warning,) = report["warnings"]
    assert (warning["by"], warning["also_by"]) == ("kernel", "header")
    assert warning["exchanges"] == len(pairs)
    assert warning["also_pid"] == server.pid, "the master's"
    assert str(warning["pid"]) in {pid for _, pid in pairs}
    text = whichworker("report", proxy.trace).stdout
    assert "kernel and header name different workers for %d exchanges" % len(pairs) in text


@pytest.mark.parametrize("value", ["0", "-5", "12x", "", "99999999999"])
def test_what_is_no_pid_is_not_believed(start, tmp_path, blind_proxy, value):
    (tmp_path / "oddapp.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('X-Worker-PID', %r), ('Content-Length', '0')])\n"
        "    return [b'']\n" % value)
    server = start(Gunicorn, app="oddapp:app", chdir=tmp_path)
    proxy = blind_proxy(server)
    with Client(proxy) as client:
        assert client.get("/").tag == "unknown"
