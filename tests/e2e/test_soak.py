"""Memory stays flat over many requests. WW_SOAK=1 runs the full form."""
import os
import re
import shutil
import subprocess

import pytest

from client import many
from servers import SANITIZED, Gunicorn, Proxy, wait_until

FULL = os.environ.get("WW_SOAK") == "1"
REQUESTS = 200000 if FULL else 10000
ALLOWED_GROWTH = (64 if SANITIZED else 4) * 1024 * 1024
CLIENTS = 8


def load(proxy, total):
    """At least `total` requests. Half-second rounds of wrk; the app's own Python client without it."""
    if not shutil.which("wrk"):
        many(proxy, "/", total, CLIENTS)
        return total
    done = 0
    while done < total:
        out = subprocess.run(["wrk", "-t1", "-c%d" % CLIENTS, "-d2s" if FULL else "-d1s",
                              proxy.url + "/"], capture_output=True, text=True, check=True).stdout
        assert "Non-2xx" not in out and "Socket errors" not in out, out
        done += int(re.search(r"(\d+) requests in", out).group(1))
    return done


@pytest.mark.soak
def test_memory_stays_flat(start):
    proxy = start(Proxy, start(Gunicorn, workers=2).address, "--quiet", "--no-judge")
    done = load(proxy, REQUESTS // 10)
    early = proxy.memory()
    done += load(proxy, REQUESTS - done)
    late = proxy.memory()
    print("%d requests: %d KiB, then %d KiB" % (done, early // 1024, late // 1024))
    assert late - early < ALLOWED_GROWTH
    assert proxy.stop() == 0


@pytest.mark.soak
@pytest.mark.skipif(SANITIZED, reason="freed memory is kept for a while there")
def test_what_is_judged_while_it_runs_does_not_grow(start):
    proxy = start(Proxy, start(Gunicorn, workers=2).address, "--quiet", "--live-window", "300")
    done = load(proxy, 3000)  # ten windows
    early = proxy.memory()
    done += load(proxy, REQUESTS - done)
    late = proxy.memory()
    print("%d requests: %d KiB, then %d KiB" % (done, early // 1024, late // 1024))
    assert late - early < ALLOWED_GROWTH
    assert proxy.stop() == 0
    assert "among the newest 300 exchanges" in proxy.text()


@pytest.mark.soak
def test_no_descriptor_is_left_behind(start):
    proxy = start(Proxy, start(Gunicorn, workers=2).address, "--quiet")

    def descriptors():
        return len(os.listdir("/proc/%d/fd" % proxy.pid))

    many(proxy, "/", 200, CLIENTS)
    wait_until(lambda: descriptors() <= 40)
    before = descriptors()
    many(proxy, "/", 1000, CLIENTS)
    wait_until(lambda: descriptors() <= before + 1, what="descriptors go back to %d" % before)
