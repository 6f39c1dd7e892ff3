"""`whichworker run`: starts the backend, is told who accepts, and leaves nothing behind."""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from client import Client, many, raw
from servers import (APPS, BINARY, NotReady, PYTHON, Process, SANITIZED, free_port, wait_until,
                     whichworker)

REQUESTS = 2000
FEWER = 300
WORKERS = 4

# Until the library has proven itself by one connection, requests wait as they do without it.
HELD_AT_FIRST = 16

GUNICORN = [PYTHON, "-m", "gunicorn", "--workers", WORKERS, "--no-sendfile", "--timeout", 120,
            "--graceful-timeout", 1]
UVICORN = [PYTHON, "-m", "uvicorn", "--workers", WORKERS]


class Run(Process):
    """`whichworker run` with a backend, whose output goes to the same log."""

    name = "run"

    def __init__(self, directory, *command, options=(), cwd=APPS, env=None, trace=True):
        super().__init__(directory)
        self.trace = self.log.with_suffix(".db") if trace else None
        argv = [BINARY, "run", "--listen", "127.0.0.1:0"]
        if trace:
            argv += ["--trace", self.trace]
        self.spawn(argv + list(options) + ["--"] + list(command), cwd=cwd,
                   env={"PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
        self.family = set()
        found = self.wait_for_log(r"listening on http://([^:\s]+):(\d+), forwarding to (\S+)")
        self.host, self.port = found.group(1), int(found.group(2))
        self.upstream = found.group(3).rstrip(",")
        self.note_family()

    def note_family(self):
        """Remembers all processes below, so that their end can be checked, whoever adopts them."""
        self.family |= {(pid, start_of(pid)) for pid in below(self.pid)}
        return {pid for pid, _ in self.family}

    def wait_until_alone(self):
        wait_until(lambda: not [f for f in self.family if start_of(f[0]) == f[1]],
                   what="everything that run had started is gone")
        assert not is_listening(self.upstream)

    def rows(self, sql):
        with sqlite3.connect(self.trace) as db:
            return db.execute(sql).fetchall()

    def sources(self):
        return dict(self.rows("SELECT attributed_by, count(*) FROM exchange GROUP BY 1"))

    def held(self):
        found = re.search(r"(\d+) requests? waited until a worker", self.text())
        return int(found.group(1)) if found else 0


def start_of(pid):
    """When the process started, in ticks; None if there is none, or only a zombie."""
    try:
        fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def below(pid):
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found, more = set(), {pid}
    while more:
        more = {p for p, parent in parents.items() if parent in more} - found
        found |= more
    return found


def is_listening(address):
    if address.startswith("unix:"):
        sock, target = socket.socket(socket.AF_UNIX), address[5:]
    else:
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        sock, target = socket.socket(family), (host.strip("[]"), int(port))
    with sock:
        try:
            sock.connect(target)
            return True
        except OSError:
            return False


def assert_tagged(replies, total):
    assert len(replies) == total
    wrong = [(r.tag, r.json()["pid"]) for r in replies if r.tag != str(r.json()["pid"])]
    assert not wrong, "%d of %d: %s" % (len(wrong), total, wrong[:10])


def assert_by_preload(run, total):
    """Stops it."""
    assert run.stop() == 0, run.tail()
    assert run.sources() == {"preload": total}
    assert run.rows("SELECT count(*) FROM exchange WHERE also_by IS NOT NULL") == [(0,)]
    assert run.rows("SELECT count(*) FROM exchange WHERE accepted_us NOT BETWEEN connected_us"
                    " AND answered_us") == [(0,)]
    assert run.held() <= HELD_AT_FIRST
    run.wait_until_alone()


# ---- servers

def needs(module):
    if subprocess.run([PYTHON, "-c", "import " + module], capture_output=True).returncode != 0:
        pytest.skip("%s is not installed" % module)


def backend(kind, bind):
    """The command line of a server; bind is where it shall listen."""
    needs("gunicorn" if kind != "uvicorn-manager" else "uvicorn")
    if kind == "sync":
        return GUNICORN + ["--bind", bind, "whoami:app"]
    if kind == "gthread":
        return GUNICORN + ["--bind", bind, "--worker-class", "gthread", "--threads", 4, "whoami:app"]
    needs("uvicorn")
    if kind == "uvicorn":
        return GUNICORN + ["--bind", bind, "--worker-class", "uvicorn.workers.UvicornWorker",
                           "whoami:asgi"]
    if bind.startswith("unix:"):
        return UVICORN + ["--uds", bind[5:], "whoami:asgi"]
    return UVICORN + ["--port", bind.rpartition(":")[2], "whoami:asgi"]


@pytest.fixture
def bind_to(tmp_path):
    def bind(kind):
        return {"v4": "127.0.0.1:%d" % free_port(), "any": "0.0.0.0:%d" % free_port(),
                "v6": "[::1]:%d" % free_port(socket.AF_INET6), "dual": "[::]:%d" % free_port(),
                "unix": "unix:%s" % (tmp_path / "app.sock")}[kind]
    return bind


@pytest.mark.parametrize("clients", [1, 16])
@pytest.mark.parametrize("where", ["v4", "unix"])
@pytest.mark.parametrize("kind", ["sync", "gthread", "uvicorn", "uvicorn-manager"])
def test_tag_is_the_pid_that_answered_and_nothing_is_held(start, bind_to, kind, where, clients):
    run = start(Run, *backend(kind, bind_to(where)))
    replies = many(run, "/", REQUESTS, clients)
    assert_tagged(replies, REQUESTS)
    if clients > 1:
        assert len({r.tag for r in replies}) > 1, "one worker took everything: nothing was tested"
    assert_by_preload(run, REQUESTS)


@pytest.mark.parametrize("where", ["v6", "any", "dual"])
def test_address_is_found_and_tagged_on_other_binds(start, bind_to, where):
    bind = bind_to(where)
    run = start(Run, *backend("sync", bind))
    assert run.upstream == bind.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
    assert_tagged(many(run, "/", FEWER, 8), FEWER)
    assert_by_preload(run, FEWER)


def test_workers_that_are_recycled_are_named_from_their_first_request(start, bind_to):
    run = start(Run, *backend("sync", bind_to("v4"))[:-1], "--max-requests", 20, "whoami:app")
    replies = many(run, "/", FEWER, 4)
    assert_tagged(replies, FEWER)
    assert len({r.tag for r in replies}) > WORKERS
    run.note_family()
    assert_by_preload(run, FEWER)


def test_a_worker_sees_an_unnamed_client_on_a_unix_socket(start, tmp_path):
    path = tmp_path / "s"
    run = start(Run, PYTHON, "-c", UNIX_SERVER, path)
    assert {raw(run, b"GET / HTTP/1.0\r\n\r\n").rpartition(b"\r\n\r\n")[2] for _ in range(3)} == {b"''"}


UNIX_SERVER = r"""
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
while True:
    c, peer = s.accept()
    c.recv(65536)
    body = repr(peer).encode()
    c.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    c.close()
"""


def test_a_static_or_unpreloaded_server_is_named_by_the_kernel(start, bind_to):
    """`env -u` stands for what keeps the library out: static linking, a cleaned environment."""
    run = start(Run, "env", "-u", "LD_PRELOAD", *backend("sync", bind_to("v4")))
    assert_tagged(many(run, "/", FEWER, 8), FEWER)
    assert run.stop() == 0
    assert run.sources() == {"kernel": FEWER}


def test_without_preload_the_kernel_names_all(start, bind_to):
    run = start(Run, *backend("sync", bind_to("v4")), options=["--no-preload"])
    assert_tagged(many(run, "/", FEWER, 8), FEWER)
    assert run.stop() == 0
    assert run.sources() == {"kernel": FEWER}


# ---- servers that hand the connection on

FORKING = r"""
import json, os, signal, socket, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN) if "ignore" in sys.argv else None
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(64)
while True:
    c, _ = s.accept()
    if os.fork() == 0:
        c.recv(65536)
        body = json.dumps({"pid": os.getpid()}).encode()
        c.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        os._exit(0)
    c.close()
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
"""


@pytest.mark.parametrize("reaping", ["wait", "ignore"])
def test_a_server_that_forks_for_each_connection_is_never_named_wrongly(start, reaping):
    run = start(Run, PYTHON, "-c", FORKING, reaping)
    replies = many(run, "/", FEWER, 4)
    wrong = [(r.tag, r.json()["pid"]) for r in replies
             if r.tag.isdigit() and r.tag != str(r.json()["pid"])]
    assert wrong == []


NODE = r"""
const cluster = require('cluster'), http = require('http');
cluster.schedulingPolicy = process.argv[2] === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
if (cluster.isPrimary || cluster.isMaster) for (let i = 0; i < 3; i++) cluster.fork();
else http.createServer((q, a) => a.end(JSON.stringify({pid: process.pid}))).listen(+process.argv[3], '127.0.0.1');
"""


@pytest.mark.parametrize("policy", ["rr", "shared"])
def test_node_cluster_is_never_named_wrongly(start, tmp_path, policy):
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    script = tmp_path / "cluster.js"
    script.write_text(NODE)
    run = start(Run, "node", script, policy, free_port())
    replies = many(run, "/", FEWER, 4)
    wrong = [(r.tag, r.json()["pid"]) for r in replies
             if r.tag.isdigit() and r.tag != str(r.json()["pid"])]
    assert wrong == []
    known = len([r for r in replies if r.tag.isdigit()])
    assert known >= FEWER * 0.95, "%d of %d" % (known, FEWER)
    assert run.stop() == 0
    run.wait_until_alone()


# ---- backends that change what they are

DAEMON = r"""
import os, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(3, 1024)
os.execv(sys.executable, [sys.executable] + sys.argv[1:])
"""


def test_a_backend_that_forks_twice_is_found_served_and_taken_down(start, bind_to):
    command = backend("sync", bind_to("v4"))
    run = start(Run, PYTHON, "-c", DAEMON, *command[1:])
    assert_tagged(many(run, "/", FEWER, 8), FEWER)
    assert_by_preload(run, FEWER)


def test_signals_reach_a_backend_that_forked_twice(start, bind_to):
    run = start(Run, PYTHON, "-c", DAEMON, *backend("sync", bind_to("v4"))[1:])
    run.child.send_signal(signal.SIGHUP)
    run.wait_for_log(r"Handling signal: hup")


def test_a_backend_that_drops_privileges_is_named(start, bind_to, tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    tmp_path.chmod(0o755)
    run = start(Run, *backend("sync", bind_to("v4"))[:-1], "--user", "nobody", "--worker-tmp-dir",
                "/dev/shm", "whoami:app")
    replies = many(run, "/", FEWER, 8)
    assert_tagged(replies, FEWER)
    assert {os.stat("/proc/%s" % r.tag).st_uid for r in replies} != {0}
    assert_by_preload(run, FEWER)


CHROOTED = r"""
import json, os, socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(64)
for _ in range(2):
    if os.fork() == 0:
        os.chroot(sys.argv[1])
        os.chdir("/")
        os.setgid(65534)
        os.setuid(65534)
        while True:
            c, _ = s.accept()
            c.recv(65536)
            body = json.dumps({"pid": os.getpid()}).encode()
            c.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            c.close()
os.wait()
"""


def test_workers_in_a_chroot_of_another_user_are_named(start, tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can chroot")
    run = start(Run, PYTHON, "-c", CHROOTED, tmp_path)
    assert_tagged(many(run, "/", FEWER, 4), FEWER)
    assert_by_preload(run, FEWER)


OTHER_PORTS = r"""
import http.server, os, socket, sys, threading
for _ in range(2):
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen(8)
    os.register_at_fork(after_in_child=other.close)
    threading.Thread(target=lambda s=other: [s.accept() for _ in iter(int, 1)], daemon=True).start()
sys.argv = ["gunicorn"] + sys.argv[1:]
from gunicorn.app.wsgiapp import run
run()
"""


def test_the_socket_that_most_workers_share_is_the_upstream(start, bind_to):
    bind = bind_to("v4")
    run = start(Run, PYTHON, "-c", OTHER_PORTS, "--workers", 3, "--bind", bind, "whoami:app")
    assert run.upstream == bind


def test_upstream_overrides_what_would_be_found(start, bind_to):
    first, second = bind_to("v4"), bind_to("v4")
    command = backend("sync", first)[:-1] + ["--bind", second, "whoami:app"]
    assert start(Run, *command).upstream == first
    other = [bind_to("v4"), bind_to("v4")]
    command = backend("sync", other[0])[:-1] + ["--bind", other[1], "whoami:app"]
    assert start(Run, *command, options=["--upstream", other[1]]).upstream == other[1]


# ---- backends that fail

def run_to_end(*argv, **kwargs):
    return whichworker("run", "--listen", "127.0.0.1:0", *argv, timeout=60, **kwargs)


def test_a_backend_that_dies_at_once_ends_the_run_with_its_last_words():
    began = time.monotonic()
    done = run_to_end("--", "sh", "-c", "echo what went wrong >&2; exit 7")
    assert done.returncode == 4
    assert "what went wrong" in done.stderr
    assert "ended with status 7" in done.stderr
    assert time.monotonic() - began < 5


def test_a_command_that_cannot_be_run_says_so():
    done = run_to_end("--", "no-such-program-at-all")
    assert done.returncode == 4
    assert "no-such-program-at-all" in done.stderr and "No such file" in done.stderr


def test_a_backend_that_never_listens_is_given_up_and_taken_down():
    began = time.monotonic()
    done = run_to_end("--ready-timeout", "500ms", "--", "sh", "-c", "echo pid $$; exec sleep 600")
    assert done.returncode == 4
    assert "--ready-timeout" in done.stderr and "--upstream" in done.stderr
    assert time.monotonic() - began < 10
    assert start_of(int(done.stdout.split()[1])) is None


def test_no_command_is_wrong_usage():
    done = run_to_end()
    assert done.returncode == 3
    assert "whichworker run --" in done.stderr


def test_a_port_that_is_taken_takes_the_backend_down(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = whichworker("run", "--listen", "127.0.0.1:%d" % taken.getsockname()[1], "--",
                           PYTHON, "-c", UNIX_SERVER, tmp_path / "s", timeout=60)
    assert done.returncode == 4
    assert "--listen" in done.stderr
    assert not is_listening("unix:%s" % (tmp_path / "s"))


FAILING = r"""
import os, signal, socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
c, _ = s.accept()
how = sys.argv[1]
if how == "signal":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(how))
"""


@pytest.mark.parametrize("how, status", [("5", 5), ("0", 0), ("signal", 128 + signal.SIGKILL)])
def test_a_backend_that_ends_by_itself_ends_the_run_with_its_status(start, how, status):
    run = start(Run, PYTHON, "-c", FAILING, how)
    raw(run, b"GET / HTTP/1.0\r\n\r\n")
    assert run.child.wait(20) == status
    assert "the backend " in run.text()
    run.wait_until_alone()


# ---- output, signals, the end

def test_output_of_the_backend_is_passed_through_untouched():
    done = run_to_end("--", "sh", "-c", r"printf 'a\001\tb'; printf '\033[1mc' >&2; exit 1")
    assert done.stdout == "a\001\tb"
    assert done.stderr.startswith("\033[1mc")


SIGNALS = r"""
import signal, socket, sys, time
names = ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU", "SIGWINCH"]
for name in names:
    signal.signal(getattr(signal, name), lambda n, f: print("got", signal.Signals(n).name, flush=True))
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
while True:
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU", "SIGWINCH"])
def test_a_signal_is_passed_on_and_does_not_end_the_run(start, name):
    run = start(Run, PYTHON, "-c", SIGNALS)
    run.child.send_signal(getattr(signal, name))
    run.wait_for_log("got " + name)
    assert run.child.poll() is None


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_requests_end_and_takes_everything_down(start, bind_to, signum):
    run = start(Run, *backend("sync", bind_to("v4")))
    with Client(run) as client:
        client.conn.request("GET", "/sleep?ms=700")
        wait_until(lambda: is_busy(run), what="the request is with a worker")
        run.child.send_signal(signum)
        response = client.conn.getresponse()
        assert response.status == 200 and json.loads(response.read())["pid"]
    assert run.child.wait(20) == 0
    run.wait_until_alone()


def is_busy(run):
    """The proxy has a connection to the upstream."""
    port = "%04X" % int(run.upstream.rpartition(":")[2])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[2].endswith(":" + port) and row[3] == "01" for row in rows)


STUBBORN = r"""
import os, signal, socket, time
for name in ("SIGTERM", "SIGINT", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
os.setsid() if os.fork() == 0 else None
os.fork()
while True:
    time.sleep(60)
"""


def test_what_ignores_sigterm_is_killed_when_time_is_up(start):
    run = start(Run, PYTHON, "-c", STUBBORN, options=["--drain-timeout", "300ms"])
    assert len(run.note_family()) >= 4
    run.child.send_signal(signal.SIGTERM)
    assert run.child.wait(20) == 0
    run.wait_until_alone()


@pytest.mark.parametrize("command", ["gunicorn", "daemon", "stubborn", "uvicorn"])
def test_nothing_is_left_behind_when_run_itself_is_killed(start, bind_to, command):
    gunicorn = backend("sync", bind_to("v4"))
    argv = {"gunicorn": gunicorn, "daemon": [PYTHON, "-c", DAEMON, *gunicorn[1:]],
            "stubborn": [PYTHON, "-c", STUBBORN],
            "uvicorn": backend("uvicorn-manager", bind_to("v4"))}[command]
    run = start(Run, *argv)
    assert len(run.note_family()) >= 3
    run.child.send_signal(signal.SIGKILL)
    run.child.wait()
    run.wait_until_alone()


def test_nothing_is_left_behind_when_the_keeper_is_killed(start, bind_to):
    run = start(Run, *backend("sync", bind_to("v4")))
    keeper = [pid for pid in run.note_family()
              if Path("/proc/%d/comm" % pid).read_text().strip() == "ww-keeper"]
    assert len(keeper) == 1
    os.kill(keeper[0], signal.SIGKILL)
    run.child.wait(20)
    run.wait_until_alone()


def test_a_signal_before_the_backend_listens_ends_it_too(tmp_path):
    process = subprocess.Popen([str(BINARY), "run", "--", "sh", "-c",
                                "echo $$ > %s; exec sleep 600" % (tmp_path / "pid")],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               start_new_session=True)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    pid = int((tmp_path / "pid").read_text())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert start_of(pid) is None


# ---- forged reports

FORGER = r"""
import os, socket, struct, sys, time
token = os.environ["WHICHWORKER_SHIM"]
host, port = sys.argv[1], int(sys.argv[2])
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))
sent = 0
while sent < 1 << 20:
    for line in open("/proc/net/tcp").read().splitlines()[1:]:
        row = line.split()
        if not row[2].endswith(":%04X" % port):
            continue
        client = struct.pack("=H", socket.AF_INET) + struct.pack(
            "!H4s8x", int(row[1].split(":")[1], 16), socket.inet_aton(host))
        report = struct.pack("=Iiq28s28s", 0x77775301, 5, time.monotonic_ns() // 1000, client, server)
        for digit in "0123456789abcdef":
            try:
                sock.sendto(report, socket.MSG_DONTWAIT, "\0ww-%s-%s" % (token, digit))
                break
            except BlockingIOError:
                pass
        sent += 1
        print(sent, flush=True)
"""


def test_a_stranger_that_forges_reports_is_not_believed(start, bind_to):
    """It knows the token, floods the receiver, and claims every connection that it sees."""
    run = start(Run, *backend("sync", bind_to("v4")))
    environ = [Path("/proc/%d/environ" % pid).read_bytes() for pid in run.note_family()]
    token = next(m.group(1) for m in (re.search(rb"WHICHWORKER_SHIM=(\w+)", e) for e in environ) if m)
    host, _, port = run.upstream.rpartition(":")
    forger = subprocess.Popen([PYTHON, "-c", FORGER, host, port], stdout=subprocess.PIPE,
                              env={**os.environ, "WHICHWORKER_SHIM": token.decode()})
    try:
        replies = many(run, "/", FEWER, 8)
        assert forger.stdout.readline().strip(), "it has claimed something"
    finally:
        forger.kill()
        forger.communicate()
    wrong = [r.tag for r in replies if r.tag.isdigit() and r.tag != str(r.json()["pid"])]
    assert wrong == []
    assert len([r for r in replies if r.tag.isdigit()]) >= FEWER * 0.9
