"""What doctor says before any traffic, of real servers; and that its remedies help."""
import json
import os
import pty
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from servers import (APPS, BINARY, PYTHON, ROOT, Gunicorn, Process, Uvicorn, children_of,
                     free_port, whichworker)

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes users: needs root")


def never_accepts(address):
    """A program that listens there until it is ended."""
    family = "AF_UNIX" if isinstance(address, str) else "AF_INET"
    return ("import signal, socket\n"
            "x = socket.socket(socket.%s); x.bind(%r); x.listen(5)\n"
            "print('listening', flush=True)\n"
            "signal.pause()\n" % (family, address))


def doctor(address, *options, binary=BINARY, prefix=(), env=None):
    """Its exit status and its JSON, which must agree."""
    done = subprocess.run([*prefix, str(binary), "doctor", "--upstream", address, "--format", "json",
                           *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, env={**os.environ, **(env or {})})
    assert done.stdout and not done.stderr, done.stderr
    said = json.loads(done.stdout)
    assert said["schema"] == "whichworker/doctor/1"
    assert said["exit_status"] == done.returncode
    assert said["upstream"] == address
    assert set(said["sources"]) == {"kernel", "preload", "header"}
    return done.returncode, said


def pids(said, *roles):
    return {p["pid"] for p in said["processes"] if p["role"] in roles}


def commands(said):
    return [r["command"] for r in said["sources"]["kernel"]["remedy"] if r["command"]]


def ready(server):
    """gunicorn says that a worker boots before the worker can accept: wait for an answer."""
    host, _, port = server.address.rpartition(":")
    is_unix = server.address.startswith("unix:")
    family = socket.AF_UNIX if is_unix else socket.AF_INET6 if "[" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(30)
        sock.connect(port if is_unix else (host.strip("[]"), int(port)))
        sock.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 ")
        while sock.recv(65536):
            pass
    return server


@pytest.fixture
def public(request):
    """A copy of the program, and sockets, where other users get at them."""
    directory = Path(tempfile.mkdtemp(prefix="whichworker-doctor-"))
    directory.chmod(0o755)
    copy = directory / "whichworker"
    shutil.copy(BINARY, copy)
    copy.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


class Script(Process):
    """A server of a few lines, given as argv; it says `listening` in a line once it does."""

    name = "script"

    def __init__(self, directory, argv, ready=r"listening", count=1, env=None, cwd=APPS):
        super().__init__(directory)
        self.spawn(argv, env=env, cwd=cwd)
        self.wait_for_log(ready, count=count)


# ---- where the kernel can tell

@pytest.mark.parametrize("bind", ["v4", "v6", "unix", "any"])
def test_gunicorn_that_can_be_read_works(start, bind):
    server = ready(start(Gunicorn, workers=3, bind=bind))
    status, said = doctor(server.address)
    assert (status, said["verdict"]) == (0, "works")
    assert said["sources"]["kernel"]["works"] is True
    assert pids(said, "master") == {server.pid}
    assert pids(said, "worker") == set(server.workers())
    assert all(p["readable"] and p["listens"] for p in said["processes"])
    assert [x["holders"] for x in said["listeners"]] == [4]
    check = said["live_check"]
    assert check["error"] is None and not check["sent_data"]
    assert {c["owner"] for c in check["connections"]} == {"known"}
    assert {c["pid"] for c in check["connections"]} <= set(server.workers())


def test_nothing_is_asked_of_the_server(start):
    """It opens connections, and no request ever reaches the application or the access log."""
    server = ready(start(Gunicorn, workers=1, options=["--access-logfile", "-"]))
    status, said = doctor(server.address)
    assert status == 0 and len(said["live_check"]["connections"]) == 4
    assert not said["live_check"]["sent_data"]
    ready(server)
    server.wait_for_log("GET /ready", count=2)
    assert server.text().count("HTTP/1.1") == 2 and "rror" not in server.text()


def test_without_connecting_there_is_no_connection(start):
    status, said = doctor(start(Gunicorn, workers=2).address, "--no-connect")
    assert status == 0
    assert said["live_check"] is None


def test_uvicorns_own_workers(start):
    server = start(Uvicorn, workers=2)
    status, said = doctor(server.address)
    assert status == 0
    assert pids(said, "master") == {server.pid}
    assert pids(said, "worker") < set(children_of(server.pid))


def test_listeners_that_share_a_port(start, tmp_path):
    port = free_port()
    code = ("import socket as s, time\n"
            "x = s.socket(); x.setsockopt(s.SOL_SOCKET, s.SO_REUSEPORT, 1)\n"
            "x.bind(('127.0.0.1', %d)); x.listen(5); print('listening', flush=True)\n"
            "while True: c, _ = x.accept(); c.recv(1); c.close()\n" % port)
    servers = [start(Script, [PYTHON, "-c", code]) for _ in range(2)]
    status, said = doctor("127.0.0.1:%d" % port)
    assert status == 0
    assert [x["holders"] for x in said["listeners"]] == [1, 1]
    assert pids(said, "worker") == {s.pid for s in servers}


def test_a_server_that_does_not_speak_http(start):
    """It greets with a line of text, as mail servers do: who accepts is known all the same."""
    port = free_port()
    code = ("import socket as s\n"
            "x = s.socket(); x.bind(('127.0.0.1', %d)); x.listen(5); print('listening', flush=True)\n"
            "while True:\n c, _ = x.accept(); c.sendall(b'220 \\x1b[31m hello\\r\\n'); c.recv(9); c.close()\n"
            % port)
    server = start(Script, [PYTHON, "-c", code])
    status, said = doctor("127.0.0.1:%d" % port)
    assert status == 0
    assert pids(said, "single") == {server.pid}
    assert all(c["owner"] in ("known", "unknown") for c in said["live_check"]["connections"])


def test_a_listener_that_wants_data_first(start):
    """TCP_DEFER_ACCEPT: nobody accepts a silent connection, and doctor says what it sent."""
    port = free_port()
    code = ("import socket as s\n"
            "x = s.socket(); x.setsockopt(s.IPPROTO_TCP, s.TCP_DEFER_ACCEPT, 30)\n"
            "x.bind(('127.0.0.1', %d)); x.listen(5); print('listening', flush=True)\n"
            "while True:\n c, _ = x.accept(); print(c.recv(99), flush=True); c.recv(9); c.close()\n" % port)
    server = start(Script, [PYTHON, "-c", code])
    status, said = doctor("127.0.0.1:%d" % port)
    assert status == 0
    assert said["live_check"]["sent_data"]
    assert said["live_check"]["connections"][0]["pid"] == server.pid
    assert "b'GET / HTTP/1.1\\r\\n'" in server.text()
    assert r"\r\n\r\n" not in server.text(), "never a whole request"


def test_workers_that_are_all_busy(start):
    """Nobody accepts within the check; that they can be read is seen without."""
    port = free_port()
    code = never_accepts(("127.0.0.1", port))
    start(Script, [PYTHON, "-c", code])
    status, said = doctor("127.0.0.1:%d" % port)
    assert status == 0
    assert [c["owner"] for c in said["live_check"]["connections"]] == ["queued"]


# ---- where it cannot, or only nearly

@pytest.mark.parametrize("options", [(), ("--no-connect",)])
@pytest.mark.parametrize("address", ["127.0.0.1:%d", "[::1]:%d", "unix:/nowhere/%d.sock", "unix:@none%d"])
def test_nothing_listens(address, options):
    status, said = doctor(address % free_port(), *options)
    assert (status, said["verdict"]) == (2, "unknown")
    assert said["sources"]["kernel"]["works"] is None
    assert said["listeners"] == said["processes"] == []


CLUSTER = """
const cluster = require('cluster'), http = require('http');
cluster.schedulingPolicy = process.argv[2] === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
if (cluster.isPrimary) {
  let n = 0;
  cluster.on('listening', () => { if (++n === 3) console.log('listening'); });
  for (let i = 0; i < 3; i++) cluster.fork();
} else
  http.createServer((q, r) => r.end(String(process.pid))).listen(+process.argv[3], '127.0.0.1');
"""


@pytest.mark.parametrize("policy", ["rr", "none"])
def test_node_cluster(start, tmp_path, policy):
    node = shutil.which("node") or pytest.skip("node is not installed")
    script = tmp_path / "cluster.js"
    script.write_text(CLUSTER)
    port = free_port()
    server = start(Script, [node, script, policy, port])
    workers = set(children_of(server.pid))
    status, said = doctor("127.0.0.1:%d" % port)
    assert (status, said["verdict"]) == (0, "works")
    assert pids(said, "worker") == workers
    assert pids(said, "primary" if policy == "rr" else "master") == {server.pid}
    assert {c["pid"] for c in said["live_check"]["connections"]} <= workers
    if policy == "rr":
        status, said = doctor("127.0.0.1:%d" % port, "--no-connect")
        assert (status, said["verdict"]) == (2, "unknown"), "only a connection shows the hand-over"


def start_uwsgi(start, plugins, *options):
    uwsgi = shutil.which("uwsgi") or pytest.skip("uwsgi is not installed")
    return start(Script, [uwsgi, "--plugin", plugins, "--master", "--die-on-term", "--processes", "2", "--module",
                          "whoami:app", *options], ready=r"spawned uWSGI worker", count=2)


def test_uwsgis_router_is_told_from_the_workers(start):
    address = "127.0.0.1:%d" % free_port()
    server = start_uwsgi(start, "http,python3", "--http", address)
    server.wait_for_log("spawned uWSGI http")
    status, said = doctor(address)
    assert (status, said["verdict"]) == (1, "fails")
    assert "router" in said["sources"]["kernel"]["why"]
    assert "http-socket" in said["sources"]["kernel"]["remedy"][0]["text"]
    assert len(pids(said, "router")) == 1 and len(pids(said, "behind")) == 2


def test_uwsgi_without_its_router(start):
    address = "127.0.0.1:%d" % free_port()
    server = start_uwsgi(start, "python3", "--http-socket", address)
    status, said = doctor(address)
    assert status == 0
    assert pids(said, "worker") == set(children_of(server.pid))


@needs_root
@pytest.mark.parametrize("bind", ["v4", "unix"])
def test_backend_of_another_user_and_what_it_prescribes(start, public, bind):
    server = start(Gunicorn, workers=2, bind=bind, directory=public)
    copy = public / "whichworker"
    status, said = doctor(server.address, binary=copy, prefix=NOBODY)
    assert (status, said["verdict"]) == (1, "fails")
    assert said["sources"]["kernel"]["works"] is False
    assert said["listeners"][0]["user"] == "root"
    assert said["self"]["uid"] == 65534 and said["self"]["program"] == str(copy)
    assert commands(said) == [
        "sudo %s proxy --upstream %s" % (copy, server.address),
        "sudo setcap cap_sys_ptrace,cap_dac_read_search+ep %s" % copy]
    if bind == "unix":  # SO_PEERCRED named the master
        assert pids(said, "worker") == set(server.workers())
        assert not any(p["readable"] for p in said["processes"])
    status, said = doctor(server.address, binary=copy)
    assert (status, said["verdict"]) == (0, "works"), "the first remedy: root"


@needs_root
def test_workers_that_dropped_root_and_the_remedy_of_setcap(start, public):
    """Their own user may not read them either; with both capabilities it may, with one it may not."""
    setcap = shutil.which("setcap") or pytest.skip("setcap is not installed")
    server = ready(start(Gunicorn, workers=2, bind="unix", directory=public,
                         options=["--user", "nobody", "--preload"]))
    copy = public / "whichworker"
    status, said = doctor(server.address, binary=copy, prefix=NOBODY)
    assert (status, said["verdict"]) == (1, "fails")
    workers = [p for p in said["processes"] if p["role"] == "worker"]
    assert {p["pid"] for p in workers} == set(server.workers())
    assert all(p["uid"] == 65534 and not p["readable"] and not p["dumpable"] for p in workers)
    assert "without an exec" in said["sources"]["kernel"]["why"]
    assert not any("sudo -u" in c for c in commands(said)), "the same user would not help"
    remedy = [c for c in commands(said) if "setcap" in c][0].split()
    assert remedy[:2] == ["sudo", "setcap"]
    given = subprocess.run([setcap, "cap_sys_ptrace+ep", copy], capture_output=True, text=True)
    if given.returncode != 0:
        pytest.skip("setcap does not work here: " + given.stderr)
    status, said = doctor(server.address, binary=copy, prefix=NOBODY)
    assert status == 1 and "only CAP_SYS_PTRACE" in said["sources"]["kernel"]["why"]
    subprocess.run([setcap, *remedy[2:]], check=True)
    status, said = doctor(server.address, binary=copy, prefix=NOBODY)
    assert (status, said["verdict"]) == (0, "works")
    assert {c["owner"] for c in said["live_check"]["connections"]} == {"known"}


@needs_root
def test_backend_of_a_user_is_prescribed_as_that_user(start, public):
    """Seen by another user than the backend's: the socket says whose it is."""
    port = free_port()
    code = never_accepts(("127.0.0.1", port))
    start(Script, ["setpriv", "--reuid", "www-data", "--regid", "www-data", "--clear-groups",
                   PYTHON, "-c", code], cwd="/")
    copy = public / "whichworker"
    address = "127.0.0.1:%d" % port
    status, said = doctor(address, binary=copy, prefix=NOBODY)
    assert status == 1
    assert commands(said)[0] == "sudo -u www-data %s proxy --upstream %s" % (copy, address)
    status, said = doctor(address, binary=copy,
                          prefix=["setpriv", "--reuid", "www-data", "--regid", "www-data",
                                  "--clear-groups"])
    assert status == 0, "as www-data it can be read"


@needs_root
def test_a_socket_that_may_not_be_used(start, public):
    server = start(Gunicorn, workers=1, bind="unix", directory=public, options=["--umask", "077"])
    status, said = doctor(server.address, binary=public / "whichworker", prefix=NOBODY)
    assert (status, said["verdict"]) == (1, "fails")
    assert said["live_check"]["error"] == "Permission denied"


@needs_root
def test_listener_in_another_network_namespace(start, public):
    """A Unix socket reaches over; the kernel tells of sockets only in our own."""
    path = public / "x.sock"
    code = never_accepts(str(path))
    start(Script, [*unshared("--net"), PYTHON, "-c", code])
    status, said = doctor("unix:%s" % path)
    assert (status, said["verdict"]) == (1, "fails")
    assert "network namespace" in said["sources"]["kernel"]["why"]


def unshared(*what):
    unshare = shutil.which("unshare") or pytest.skip("unshare is not installed")
    if subprocess.run([unshare, *what, "true"], capture_output=True).returncode != 0:
        pytest.skip("namespaces cannot be made here")
    return [unshare, *what]


@needs_root
def test_workers_in_another_pid_namespace(start):
    server = start(Gunicorn, workers=2)
    status, said = doctor(server.address, prefix=unshared("--pid", "--fork", "--mount-proc"))
    assert (status, said["verdict"]) == (1, "fails")
    assert "PID namespace" in said["sources"]["kernel"]["why"]


@needs_root
def test_a_proc_that_hides_other_users_processes(start, public):
    """hidepid; and that the capabilities which doctor prescribes see through it."""
    server = start(Gunicorn, workers=2)
    copy = public / "whichworker"
    veil = unshared("--mount") + ["sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"',
                                  "sh", *NOBODY]
    status, said = doctor(server.address, binary=copy, prefix=veil)
    assert (status, said["verdict"]) == (1, "fails")
    assert "hidepid" in said["sources"]["kernel"]["why"]
    remedy = [c for c in commands(said) if "setcap" in c][0].split()
    if subprocess.run(remedy[1:], capture_output=True).returncode != 0:
        pytest.skip("setcap does not work here")
    status, said = doctor(server.address, binary=copy, prefix=veil)
    assert (status, said["verdict"]) == (0, "works")


# ---- how it says so

def test_text_has_no_colours_in_a_pipe_and_none_with_no_color(start):
    server = ready(start(Gunicorn, workers=2))
    done = whichworker("doctor", "--upstream", server.address)
    assert done.returncode == 0 and "\x1b" not in done.stdout
    for word in ("WORKS", "master", "worker", "accepted by", "Sources of attribution", "CAP_SYS_PTRACE"):
        assert word in done.stdout
    for pid in server.workers():
        assert re.search(r"^ +%d +\S+ +worker +read" % pid, done.stdout, re.M)
    assert "\x1b[1;32mWORKS" in on_terminal(server.address, {})
    for env, options in (({"NO_COLOR": "1"}, []), ({"TERM": "dumb"}, []), ({}, ["--no-color"])):
        assert "\x1b" not in on_terminal(server.address, env, *options)


def on_terminal(address, env, *options):
    ours, theirs = pty.openpty()
    env = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", **env}
    child = subprocess.Popen([str(BINARY), "doctor", "--upstream", address, *options],
                             stdin=subprocess.DEVNULL, stdout=theirs, env=env)
    os.close(theirs)
    data = b""
    try:
        while True:
            piece = os.read(ours, 65536)
            if not piece:
                break
            data += piece
    except OSError:  # the other side of a terminal is closed
        pass
    os.close(ours)
    assert child.wait(60) == 0
    return data.decode()


def test_a_command_line_cannot_reach_the_terminal(start, tmp_path):
    port = free_port()
    code = never_accepts(("127.0.0.1", port))
    program = tmp_path / "x.py"
    program.write_text(code)
    start(Script, [PYTHON, program, "\x1b]0;owned\x07"])
    done = whichworker("doctor", "--upstream", "127.0.0.1:%d" % port, "--no-connect")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout and "\x07" not in done.stdout


@pytest.mark.parametrize("argv", [
    [], ["--upstream", "nonsense"], ["--upstream", "127.0.0.1:1", "extra"],
    ["--upstream", "127.0.0.1:1", "--format", "yaml"], ["--upstream", "127.0.0.1:1", "--trace", "x"]])
def test_wrong_usage(argv):
    done = whichworker("doctor", *argv)
    assert done.returncode == 3
    assert done.stdout == "" and done.stderr.startswith("whichworker: ")


def test_no_place_to_write_is_not_a_verdict():
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(BINARY), "doctor", "--upstream", "127.0.0.1:%d" % free_port()],
                              stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4
    assert "cannot write" in done.stderr


def test_it_is_documented():
    text = (ROOT / "docs/options.md").read_text()
    assert "whichworker doctor" in text and "`--no-connect`" in text


def test_every_key_of_the_json_is_documented(start):
    """And the page says nothing of keys that do not exist."""
    _, said = doctor(start(Gunicorn, workers=1).address)
    page = (ROOT / "docs/doctor.md").read_text().split("## `--format json`")[1]

    def keys(value):
        if isinstance(value, dict):
            return set(value).union(*map(keys, value.values()))
        return set().union(*map(keys, value)) if isinstance(value, list) else set()

    written = set(re.findall(r"`(\w+)(?:\[\])?`", page))
    words = {"known", "queued", "unsettled", "ambiguous", "unknown"}
    missing = keys(said) - written - {"schema"}
    assert not missing
    extra = written - keys(said) - words - {"text", "command"}
    assert not extra
