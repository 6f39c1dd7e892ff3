"""The right worker on the servers that people run: never a wrong one, and unknown only where it must be."""
import os
import signal
import threading
import time

import pytest

import attribution
from backends import (ApachePrefork, BehindRun, GunicornOf, NodeCluster, Plain, PlainC, Puma, Unicorn,
                      UvicornWorkers, Uwsgi)
from client import many
from servers import whichworker

FULL = os.environ.get("WW_FULL") == "1"
REQUESTS = 1000 if FULL else 200
UVICORN_WORKER = "uvicorn.workers.UvicornWorker"


class Kind:
    """A server, how it is reached, and whether its workers can be told."""

    def __init__(self, title, over, make, *args, known=True, **kwargs):
        self.title, self.over, self.known = title, over, known
        self.make, self.args, self.kwargs = make, args, kwargs

    def started(self, start):
        return start(self.make, *self.args, **self.kwargs)

    def started_by_run(self, start):
        make = type("Run" + self.make.__name__, (BehindRun, self.make), {})
        process = start(make, *self.args, **self.kwargs)
        process.connect()
        return process


KINDS = {
    "gunicorn-sync": Kind("gunicorn sync", "IPv4", GunicornOf, "sync"),
    "gunicorn-gthread": Kind("gunicorn gthread", "IPv4", GunicornOf, "gthread", threads=4),
    "gunicorn-gevent": Kind("gunicorn gevent", "IPv4", GunicornOf, "gevent", "gevent"),
    "gunicorn-eventlet": Kind("gunicorn eventlet", "IPv4", GunicornOf, "eventlet", "eventlet"),
    "gunicorn-uvicorn": Kind("gunicorn, uvicorn workers", "IPv4", GunicornOf, UVICORN_WORKER,
                             "uvicorn", app="whoami:asgi"),
    "gunicorn-preload": Kind("gunicorn sync --preload", "Unix", GunicornOf, "sync", bind="unix",
                             options=["--preload"]),
    "gunicorn-recycled": Kind("gunicorn sync --max-requests 50", "IPv6", GunicornOf, "sync",
                              bind="v6", options=["--max-requests", "50"]),
    "uvicorn": Kind("uvicorn --workers 4", "IPv4", UvicornWorkers),
    "uwsgi": Kind("uWSGI --http-socket", "IPv4", Uwsgi),
    "uwsgi-unix": Kind("uWSGI --http-socket", "Unix", Uwsgi, bind="unix"),
    "uwsgi-router": Kind("uWSGI --http (a router)", "IPv4", Uwsgi, "http", known=False),
    "puma": Kind("Puma cluster", "IPv4", Puma),
    "unicorn": Kind("Unicorn", "IPv4", Unicorn),
    "node-rr": Kind("Node cluster, round-robin", "IPv4", NodeCluster, "rr"),
    "node-shared": Kind("Node cluster, shared handle", "IPv4", NodeCluster, "shared"),
    "apache": Kind("Apache prefork, mod_wsgi", "IPv4", ApachePrefork),
    "python": Kind("Python http.server, pre-forked", "IPv4", Plain),
    "python-dual": Kind("Python http.server, pre-forked", "IPv4-mapped", Plain, where="dual"),
    "python-unix": Kind("Python http.server, pre-forked", "Unix", Plain, where="unix"),
    "python-abstract": Kind("Python http.server, pre-forked", "Unix, abstract", Plain,
                            where="abstract"),
    "python-reuseport": Kind("Python http.server, SO_REUSEPORT", "IPv4", Plain, "reuseport"),
    "python-fork": Kind("Python http.server, fork for each connection", "IPv4", Plain, "fork"),
    "c": Kind("plain C, pre-forked", "IPv4", PlainC),
    "c-fork": Kind("plain C, fork for each connection", "IPv4", PlainC, "fork"),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def server(kind, start_once):
    process = kind.started(start_once)
    yield process
    process.stop(signal.SIGKILL)


@pytest.mark.parametrize("clients", [1, 16])
def test_every_answer_is_attributed_to_the_pid_that_gave_it(kind, server, proxied, clients):
    proxy = proxied(server, "--quiet")
    replies = (many(proxy, "/", REQUESTS, clients, fresh=True) +
               many(proxy, "/", REQUESTS, clients))
    score = attribution.Score(replies)
    proxy.stop()
    attribution.keep_row(kind.title, kind.over, clients, "kernel", score,
                         attribution.median_hold_ms(proxy.trace))
    assert not score.wrong, score
    assert len(score.pids) > 1 or clients == 1, "one worker took everything: nothing was tested"
    assert score.known == (score.total if kind.known else 0), score
    if not kind.known:
        assert "a router that stands before the workers" in proxy.text()


@pytest.mark.skipif(whichworker("help", "run").returncode != 0, reason="there is no command `run`")
def test_every_answer_is_attributed_by_the_library_too(kind, start):
    """`whichworker run`: the processes themselves report who accepted."""
    for clients in (1, 16) if FULL else (16,):
        proxy = kind.started_by_run(start)
        replies = (many(proxy, "/", REQUESTS, clients, fresh=True) +
                   many(proxy, "/", REQUESTS, clients))
        score = attribution.Score(replies)
        proxy.stop()
        attribution.keep_row(kind.title, kind.over, clients, "preload", score,
                             attribution.median_hold_ms(proxy.trace))
        assert not score.wrong, score
        assert score.known == (score.total if kind.known else 0), score
        if not kind.known:
            assert "a router that stands before the workers" in proxy.text()


def test_reload_under_load(start, proxied):
    """HUP replaces all workers while requests come."""
    server = start(GunicornOf, "gthread", threads=2)
    proxy = proxied(server, "--quiet")
    replies = []
    load = threading.Thread(
        target=lambda: replies.extend(many(proxy, "/sleep?ms=2", 5 * REQUESTS, 8, fresh=True)))
    load.start()
    reloads = 0
    while load.is_alive():
        before = set(server.workers())
        os.kill(server.pid, signal.SIGHUP)
        reloads += 1
        while load.is_alive() and before & set(server.workers()):
            time.sleep(0.01)
    load.join()
    answered = [r for r in replies if r.status == 200]
    score = attribution.Score(answered)
    assert not score.wrong and not score.unknown, score
    assert len(answered) >= len(replies) * 0.99 and len(replies) == 5 * REQUESTS
    assert reloads > 1 and len(score.pids) > 4, score
