"""One class for each real process of the end-to-end tests: started, waited for, stopped by PID."""
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
APPS = HERE / "apps"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
BINARY = Path(os.environ.get("WHICHWORKER_BIN", ROOT / "build/src/cli/whichworker"))
SANITIZED = os.environ.get("WHICHWORKER_SANITIZED") == "1"
READY_SECONDS = 30
STOP_SECONDS = 30
POLL_SECONDS = 0.01
LOG_TAIL_BYTES = 3000


class NotReady(Exception):
    """The process died or did not become ready in time; the text has the end of its log."""


def free_port(family=socket.AF_INET):
    with socket.socket(family) as sock:
        sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_until(condition, seconds=READY_SECONDS, what="condition"):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("%s: not within %g s" % (what, seconds))
        time.sleep(POLL_SECONDS)


def children_of(pid):
    try:
        return [int(p) for p in Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()]
    except OSError:
        return []


class Process:
    """A process in a group of its own, with its output in a file."""

    name = "process"

    def __init__(self, directory):
        self.directory = Path(directory)
        count = len(list(self.directory.glob(self.name + "*.log")))
        self.log = self.directory / ("%s-%d.log" % (self.name, count))
        self.child = None

    def spawn(self, argv, cwd=None, env=None, **as_whom):
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                [str(a) for a in argv], cwd=cwd, env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, **as_whom)

    @property
    def pid(self):
        return self.child.pid

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self):
        return "---- %s (%s)\n%s" % (self.name, self.log, self.text()[-LOG_TAIL_BYTES:])

    def wait_for_log(self, pattern, count=1, seconds=READY_SECONDS):
        """The first match of pattern, once it is there `count` times."""
        deadline = time.monotonic() + seconds
        while True:
            found = list(re.finditer(pattern, self.text(), re.M))
            if len(found) >= count:
                return found[0]
            if self.child.poll() is not None:
                raise NotReady("exit %d\n%s" % (self.child.returncode, self.tail()))
            if time.monotonic() > deadline:
                raise NotReady("no %r\n%s" % (pattern, self.tail()))
            time.sleep(POLL_SECONDS)

    def stop(self, signum=signal.SIGTERM):
        """Asks the process to end, and makes sure that nothing of its group is left."""
        if self.child is None:
            return None
        if self.child.poll() is None:
            self.child.send_signal(signum)
        try:
            status = self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if status is None:
            self.child.wait(STOP_SECONDS)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


class Gunicorn(Process):
    """gunicorn on a bind of the caller's kind: "v4", "v6", "unix" or "any" (a wildcard)."""

    name = "gunicorn"
    BINDS = {"v4": "127.0.0.1:0", "v6": "[::1]:0", "any": "0.0.0.0:0"}

    def __init__(self, directory, app="whoami:app", workers=4, worker_class="sync", bind="v4",
                 threads=1, chdir=APPS, env=None, options=()):
        super().__init__(directory)
        if importlib.util.find_spec("gunicorn") is None and not shutil.which("gunicorn"):
            pytest.skip("gunicorn is not installed")
        if "uvicorn" in worker_class and importlib.util.find_spec("uvicorn") is None:
            pytest.skip("uvicorn is not installed")
        if bind == "unix":
            address = "unix:%s" % (self.directory / "gunicorn.sock")
        else:
            address = self.BINDS[bind]
        self.spawn([PYTHON, "-m", "gunicorn", "--worker-class", worker_class, "--workers", workers,
                    "--threads", threads, "--bind", address, "--no-sendfile",
                    "--graceful-timeout", 1, "--timeout", 120, *options, app],
                   cwd=chdir, env={"PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
        where = self.wait_for_log(r"Listening at: (?:http://)?(\S+)").group(1)
        self.wait_for_log(r"Booting worker with pid: \d+", count=workers)
        self.address = where.replace("0.0.0.0", "127.0.0.1")

    def workers(self):
        return children_of(self.pid)


class Uvicorn(Process):
    """uvicorn with its own process manager: spawned workers that share a socket."""

    name = "uvicorn"

    def __init__(self, directory, app="whoami:asgi", workers=4):
        super().__init__(directory)
        if importlib.util.find_spec("uvicorn") is None:
            pytest.skip("uvicorn is not installed")
        port = free_port()
        self.address = "127.0.0.1:%d" % port
        self.spawn([PYTHON, "-m", "uvicorn", "--port", port, "--workers", workers,
                    "--log-level", "info", app], cwd=APPS, env={"PYTHONDONTWRITEBYTECODE": "1"})
        self.wait_for_log(r"Application startup complete", count=workers)


class Origin(Process):
    """apps/origin.py: odd answers, and a log of what reached it."""

    name = "origin"

    def __init__(self, directory, bind="v4"):
        super().__init__(directory)
        self.requests_path = self.log.with_suffix(".requests")
        address = {"v4": "127.0.0.1:0", "v6": "[::1]:0",
                   "unix": "unix:%s" % (self.directory / "origin.sock")}[bind]
        self.spawn([PYTHON, "-B", APPS / "origin.py", self.requests_path, "--listen", address])
        self.address = self.wait_for_log(r"^listening on (\S+)").group(1)

    def requests(self):
        """What reached it: a list of the lines of the log."""
        import json
        if not self.requests_path.exists():
            return []
        return [json.loads(line) for line in self.requests_path.read_text().splitlines()]


class Proxy(Process):
    """`whichworker proxy` in front of an address, with its trace in the test's directory."""

    name = "proxy"

    def __init__(self, directory, upstream, *options, trace=True, listen="127.0.0.1:0",
                 binary=BINARY, **as_whom):
        super().__init__(directory)
        self.trace = self.log.with_suffix(".db") if trace else None
        argv = [binary, "proxy", "--upstream", upstream, "--listen", listen]
        if self.trace:
            argv += ["--trace", self.trace]
        self.spawn(argv + list(options), **as_whom)
        found = self.wait_for_log(r"^.*listening on http://(\[[^\]]+\]|[^:\s]+):(\d+)")
        self.host, self.port = found.group(1).strip("[]"), int(found.group(2))
        self.url = "http://%s:%d" % (found.group(1), self.port)

    def memory_peak(self):
        """VmHWM in bytes: the most memory that was ever resident."""
        return self._status("VmHWM")

    def memory(self):
        return self._status("VmRSS")

    def _status(self, key):
        for line in Path("/proc/%d/status" % self.pid).read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no %s" % key)


def whichworker(*argv, timeout=120, cwd=None):
    """Runs a command of the program to its end."""
    return subprocess.run([str(BINARY)] + [str(a) for a in argv], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=timeout, cwd=cwd)
