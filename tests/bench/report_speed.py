#!/usr/bin/python3
"""Times `whichworker report` on a trace of 100,000 exchanges, in every format: CPU, wall, memory.

usage: tests/bench/report_speed.py [EXCHANGES]     (WHICHWORKER_BIN: another program than build/'s)
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
sys.dont_write_bytecode = True

from servers import BINARY  # noqa: E402
from trace_file import TraceFile  # noqa: E402

WORKERS = (101, 102, 103, 104)
REQUEST = ((b"Host", b"127.0.0.1:8080"), (b"User-Agent", b"python-requests/2.28.1"),
           (b"Accept-Encoding", b"gzip, deflate"), (b"Accept", b"*/*"), (b"Connection", b"keep-alive"),
           (b"Authorization", b"Basic mac:ddbb55de87d623a3e4495047"))
RESPONSE = ((b"Server", b"gunicorn"), (b"Date", b"Mon, 23 Nov 2026 04:16:04 GMT"), (b"Connection", b"close"),
            (b"Content-Type", b"application/json"), (b"Vary", b"Cookie"))
FORM = ((b"Content-Type", b"application/x-www-form-urlencoded"),)


def add(trace, chance, cars, session):
    """A session adds a car, or looks at its list; all workers agree."""
    pid = chance.choice(WORKERS)
    cookie = b"session=mac:%024d" % session
    if chance.random() < 0.3:
        cars.append("car-%d-%d" % (session, len(cars)))
        trace.exchange(pid, b"POST", b"/cars/add", request=b"name=%s&price=3" % cars[-1].encode(), cookie=cookie,
                       request_fields=REQUEST + FORM, response_fields=RESPONSE, response=b'{"successful":true}')
        return
    shown = [{"brand": "Maruti", "car_type": "hatchback", "name": name} for name in (["Swift", "City"] + cars)[-6:]]
    trace.exchange(pid, target=b"/cars", cookie=cookie, request_fields=REQUEST, response_fields=RESPONSE,
                   response=json.dumps({"cars": shown, "ok": True}).encode())


def make(path, exchanges):
    trace, chance, lists = TraceFile(path, workers=WORKERS), random.Random(1), {}
    for _ in range(exchanges):
        session = chance.randrange(max(1, exchanges // 10))
        add(trace, chance, lists.setdefault(session, []), session)
    return trace.close()


def main():
    exchanges = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as directory:
        path = make(Path(directory) / "trace.db", exchanges)
        print("%d exchanges, %.0f MB" % (exchanges, path.stat().st_size / 1e6))
        for name in ("text", "json", "junit", "sarif", "markdown", "github", "har"):
            began = time.monotonic()
            child = subprocess.Popen([str(BINARY), "report", str(path), "--format", name], stdout=subprocess.DEVNULL)
            used = os.wait4(child.pid, 0)[2]
            print("%-9s %5.2f s CPU  %5.2f s wall  %4d MB" % (name, used.ru_utime + used.ru_stime,
                                                             time.monotonic() - began, used.ru_maxrss / 1000))


if __name__ == "__main__":
    main()
