"""Attribution while workers die, are replaced, are busy, or may not be read: never a wrong one."""
import http.client
import json
import os
import pwd
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest

import attribution
from backends import GunicornOf
from client import Client, many
from servers import BINARY, HERE, PYTHON, Gunicorn, Process, Proxy, wait_until

FULL = os.environ.get("WW_FULL") == "1"
REQUESTS = 5000 if FULL else 1000
KILL_EVERY_SECONDS = 0.05
HELD = 64
CPU_SHARE_MAX = 0.25
TICK = 1 / os.sysconf("SC_CLK_TCK")


def workers_of(trace):
    """The trace's worker table by (pid, start_ticks)."""
    db = sqlite3.connect(trace)
    db.row_factory = sqlite3.Row
    rows = {(r["pid"], r["start_ticks"]): dict(r) for r in db.execute("SELECT * FROM worker")}
    db.close()
    return rows


def exchanges_of(trace):
    """How many there are, and how many of them did not end well."""
    db = sqlite3.connect(trace)
    row = db.execute("SELECT count(*), sum(ended_as <> 'complete') FROM exchange").fetchone()
    db.close()
    return row


class Killer(threading.Thread):
    """SIGKILLs one worker after another until it is told to stop; remembers when."""

    def __init__(self, server):
        super().__init__()
        self.server, self.killed, self.over = server, {}, threading.Event()

    def run(self):
        choose = random.Random(4)
        while not self.over.wait(KILL_EVERY_SECONDS):
            workers = self.server.workers()
            if len(workers) < 2:
                continue
            pid = choose.choice(workers)
            try:
                os.kill(pid, signal.SIGKILL)
                self.killed[pid] = time.time()
            except ProcessLookupError:
                pass


def whole_answers(proxy, total, clients):
    """Like many(), but an answer that its worker's death cut short is no error: it is left out."""
    replies = []

    def work(count):
        for _ in range(count):
            try:
                with Client(proxy) as client:
                    replies.append(client.get("/"))
            except http.client.HTTPException:
                pass

    threads = [threading.Thread(target=work, args=(total // clients,)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


def test_workers_killed_and_recycled_throughout(start, proxied):
    server = start(GunicornOf, "sync", options=["--max-requests", "40"])
    proxy = proxied(server, "--quiet")
    killer = Killer(server)
    killer.start()
    try:
        replies = whole_answers(proxy, REQUESTS, 8)
    finally:
        killer.over.set()
        killer.join()
    alive = set(server.workers())
    proxy.stop()
    answered = [r for r in replies if r.status == 200]
    score = attribution.Score(answered)
    assert len(answered) >= 0.9 * REQUESTS
    assert not score.wrong and not score.unknown, score
    exchanges, cut = exchanges_of(proxy.trace)
    assert exchanges == REQUESTS and cut + len(answered) >= REQUESTS

    workers = workers_of(proxy.trace)
    by_pid = {pid: row for (pid, _), row in workers.items()}
    assert len(killer.killed) >= 5 and len(by_pid) > len(alive)
    assert score.pids <= set(by_pid), "a worker answered and is not in the trace"
    for pid, row in by_pid.items():
        assert row["started_us"] and (row["ended_us"] is None) == (pid in alive), row
        assert row["ended_us"] is None or row["ended_us"] >= row["started_us"]
    seen_to_die = [abs(by_pid[pid]["ended_us"] / 1e6 - at)
                   for pid, at in killer.killed.items() if pid in by_pid]
    assert seen_to_die and max(seen_to_die) < 2
    assert max(row["slot"] for row in workers.values()) < 8, "a slot was not taken over"
    assert no_overlap_in_a_slot(workers.values())


def no_overlap_in_a_slot(workers):
    """Two workers of one slot never lived at once, as far as the deaths were noticed: 100 ms."""
    latest = {}
    for row in sorted(workers, key=lambda r: (r["slot"], r["ended_us"] or 1 << 62)):
        before = latest.get(row["slot"])
        if before is not None and before["ended_us"] is None:
            return False
        latest[row["slot"]] = row
    return True


def ticks_of(process):
    fields = Path("/proc/%d/stat" % process.pid).read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


class Held:
    """Requests of many clients at once, each in a thread."""

    def __init__(self, proxy, count, target):
        self.replies = []
        self.threads = [threading.Thread(target=self.one, args=(proxy, target))
                        for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def one(self, proxy, target):
        with Client(proxy, timeout=60) as client:
            self.replies.append(client.get(target))

    def join(self):
        for thread in self.threads:
            thread.join()
        return self.replies


class Occupied(Held):
    """Every worker sits in a request of its own, until it is let go."""

    def __init__(self, proxy, workers, path):
        super().__init__(proxy, workers, "/until?path=%s" % path)
        self.path = Path(path)
        wait_until(lambda: len(list(self.path.parent.glob(self.path.name + ".*"))) == workers,
                   what="all workers are busy")

    def let_go(self):
        self.path.touch()


def queued_at(server):
    """Connections that wait for their accept on the server's port (Recv-Q of the listener)."""
    port = ":%04X" % int(server.address.rpartition(":")[2])
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(port) and fields[3] == "0A":
            return int(fields[4].partition(":")[2], 16)
    return 0


def test_held_requests_wait_without_burning_cpu(start, proxied, tmp_path):
    server = start(Gunicorn, workers=2)
    proxy = proxied(server, "--attrib-timeout", "60s")
    busy = Occupied(proxy, 2, tmp_path / "go")
    held = Held(proxy, HELD, "/")
    wait_until(lambda: queued_at(server) >= HELD, what="all are queued")
    before, began = ticks_of(proxy), time.monotonic()
    time.sleep(1.5)  # the wait itself is what is measured
    spent = (ticks_of(proxy) - before) * TICK / (time.monotonic() - began)
    assert queued_at(server) >= HELD and not held.replies
    busy.let_go()
    print("CPU while %d are held: %.1f%%" % (HELD, spent * 100))
    assert spent < CPU_SHARE_MAX
    score = attribution.Score(held.join() + busy.join())
    assert score.known == HELD + 2, score
    proxy.stop()
    assert slow_accepts(proxy.trace) >= HELD
    assert len(re.findall(r"\(\d+\.\d ms until it was accepted\)", proxy.text())) >= HELD


def slow_accepts(trace):
    """How many exchanges waited for more than half a second to be accepted."""
    db = sqlite3.connect(trace)
    count, = db.execute("SELECT count(*) FROM exchange"
                        " WHERE accepted_us - connected_us > 500000").fetchone()
    db.close()
    return count


def test_after_the_attrib_timeout_they_go_out_all_the_same(start, proxied, tmp_path):
    server = start(Gunicorn, workers=2)
    proxy = proxied(server, "--quiet", "--attrib-timeout", "200ms")
    busy = Occupied(proxy, 2, tmp_path / "go")
    held = Held(proxy, 8, "/")
    wait_until(lambda: queued_at(server) >= 8, what="all are queued")
    time.sleep(0.5)  # more than the time-out
    busy.let_go()
    score = attribution.Score(held.join() + busy.join())
    assert score.total == 10 and not score.wrong, score
    proxy.stop()
    db = sqlite3.connect(proxy.trace)
    rows = db.execute("SELECT accepted_us, attributed_by, answered_us - connected_us FROM exchange"
                      " WHERE target = '/'").fetchall()
    db.close()
    assert len(rows) == 8 and all(waited > 400000 for _, _, waited in rows), rows
    assert all(accepted is None for accepted, _, _ in rows), rows
    if score.unknown:
        assert "raise --attrib-timeout" in proxy.text()


def test_an_idle_proxy_does_nothing(start, proxied):
    proxy = proxied(start(Gunicorn, workers=2))
    with Client(proxy) as client:
        client.get("/")
        time.sleep(0.5)  # the recorder finishes
        before = switches_of(proxy)
        time.sleep(1)  # nothing happens: nothing can be waited for
        assert switches_of(proxy) - before <= 5


def switches_of(process):
    """How often any of its threads was woken."""
    total = 0
    for task in Path("/proc/%d/task" % process.pid).iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


@pytest.fixture
def open_directory(tmp_path_factory):
    """A directory that another user may look into, with the program in it."""
    import tempfile
    path = Path(tempfile.mkdtemp(prefix="whichworker-e2e-"))
    path.chmod(0o755)
    shutil.copy(BINARY, path / "whichworker")
    (path / "whichworker").chmod(0o755)
    yield path
    shutil.rmtree(path)


class ProxyOfNobody(Proxy):
    """A proxy that runs as a user who may not look into the workers."""

    def __init__(self, directory, upstream, open_directory):
        Process.__init__(self, directory)
        self.trace = None
        self.spawn(["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                    open_directory / "whichworker", "proxy", "--upstream", upstream,
                    "--listen", "127.0.0.1:0"], cwd="/")
        found = self.wait_for_log(r"listening on http://([^:\s]+):(\d+)")
        self.host, self.port = found.group(1), int(found.group(2))


def test_a_backend_of_another_user_is_forwarded_and_unknown(start, open_directory):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv: a process of another user")
    try:
        pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("there is no user nobody")
    server = start(Gunicorn, workers=2)
    proxy = start(ProxyOfNobody, server.address, open_directory)
    replies = many(proxy, "/", 40, 4)
    assert all(r.status == 200 for r in replies)
    assert {r.tag for r in replies} == {"unknown"}
    proxy.stop()
    assert "may not be read" in proxy.text() and "setcap" in proxy.text()


def namespace():
    """A command that gives what follows PIDs of its own; skips where that is not allowed."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        command[1:1] = ["--user", "--map-root-user"]
    done = subprocess.run([*command, "sh", "-c", "echo 50 > /proc/sys/kernel/ns_last_pid"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("no PID namespace here: " + done.stderr.strip())
    return command


def test_a_reused_pid_is_another_worker(tmp_path):
    done = subprocess.run([*namespace(), PYTHON, "-B", HERE / "apps/reused.py", BINARY,
                           tmp_path / "trace.db"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert {tag for tag, _, _ in answers} == {str(pid) for _, pid, _ in answers}, answers
    lives = {life for _, _, life in answers}
    assert len(lives) > 1 and len({pid for _, pid, _ in answers}) == 1, "no PID was reused"
    workers = sorted(workers_of(tmp_path / "trace.db").values(), key=lambda r: r["start_ticks"])
    assert len(workers) == len(lives)
    assert len({w["start_ticks"] for w in workers}) == len(lives)
    assert [w["ended_us"] is None for w in workers] == [False] * (len(lives) - 1) + [True]
    assert {w["slot"] for w in workers} == {0}
