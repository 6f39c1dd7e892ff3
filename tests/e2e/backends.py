"""The servers that people run: one class each, started on a free port with a configuration of its own.

Each answers with the PID of the process that really answered. A server that is not installed is
skipped with its reason.
"""
import importlib.util
import os
import shutil
import tempfile

import pytest

from servers import APPS, BINARY, Gunicorn, Process, PYTHON, children_of, free_port

WORKERS = 4
APACHE = "/usr/sbin/apache2"
APACHE_MODULES = "/usr/lib/apache2/modules"


def need(found, what):
    if not found:
        pytest.skip("%s is not installed" % what)


class BehindRun:
    """Mixed into a server: the same, started by `whichworker run`, which is then its proxy too."""

    entrance = None  # of a server that listens on more than the address for its clients

    def spawn(self, argv, **kwargs):
        self.trace = self.log.with_suffix(".db")
        options = ["--upstream", self.entrance] if self.entrance else []
        super().spawn([BINARY, "run", "--quiet", "--listen", "127.0.0.1:0", "--trace", self.trace,
                       *options, "--", *argv], **kwargs)

    def connect(self):
        found = self.wait_for_log(r"listening on http://([^:\s]+):(\d+), forwarding to")
        self.host, self.port = found.group(1), int(found.group(2))


class Backend(Process):
    """A server that is ready once its log says so."""

    def start(self, argv, cwd=APPS, env=None):
        self.spawn(argv, cwd=cwd, env={"PYTHONDONTWRITEBYTECODE": "1", **(env or {})})

    def workers(self):
        return children_of(self.pid)


class GunicornOf(Gunicorn):
    """gunicorn with a worker class that needs a module of its own."""

    def __init__(self, directory, worker_class, module=None, options=(), **kwargs):
        need(module is None or importlib.util.find_spec(module), "python3-%s" % module)
        super().__init__(directory, workers=WORKERS, worker_class=worker_class,
                         env={"EVENTLET_NO_GREENDNS": "yes"},
                         options=["--config", APPS / "gunicorn_ready.py", *options], **kwargs)
        self.wait_for_log(r"Worker is ready: \d+", count=WORKERS)


class UvicornWorkers(Backend):
    """uvicorn's own process manager: spawned, not forked, over a socket that they inherit."""

    name = "uvicorn"

    def __init__(self, directory):
        super().__init__(directory)
        need(importlib.util.find_spec("uvicorn"), "uvicorn")
        self.address = "127.0.0.1:%d" % free_port()
        self.start([PYTHON, "-m", "uvicorn", "--port", self.address.rpartition(":")[2],
                    "--workers", WORKERS, "--log-level", "info", "whoami:asgi"])
        self.wait_for_log(r"Application startup complete", count=WORKERS)


class Uwsgi(Backend):
    """uWSGI: mode "http-socket" (the workers accept) or "http" (a router stands before them)."""

    name = "uwsgi"

    def __init__(self, directory, mode="http-socket", bind="v4"):
        super().__init__(directory)
        need(shutil.which("uwsgi"), "uwsgi")
        if bind == "unix":
            where = str(self.directory / "uwsgi.sock")
            self.address = "unix:" + where
        else:
            self.address = where = "127.0.0.1:%d" % free_port()
        if mode == "http":
            self.entrance = self.address
        self.start(["uwsgi", "--plugins", "http,python3", "--" + mode, where, "--master",
                    "--processes", WORKERS, "--wsgi-file", "whoami.py", "--callable", "app",
                    "--die-on-term", "--disable-logging"])
        self.wait_for_log(r"^spawned uWSGI worker \d+ \(pid", count=WORKERS)
        if mode == "http":
            self.wait_for_log(r"^spawned uWSGI http 1 ")


class Puma(Backend):
    """Puma in cluster mode: each worker has threads."""

    name = "puma"

    def __init__(self, directory):
        super().__init__(directory)
        need(shutil.which("puma"), "puma")
        self.start(["puma", "--quiet", "-C", "-", "-e", "production", "-w", WORKERS, "-t", "2:2",
                    "-b", "tcp://127.0.0.1:0", "whoami.ru"], env={"BUNDLE_GEMFILE": ""})
        self.wait_for_log(r"- Worker \d+ \(PID: \d+\) booted", count=WORKERS)
        self.address = self.wait_for_log(r"Listening on http://(127\.0\.0\.1:\d+)").group(1)


class Unicorn(Backend):
    """Unicorn: its listener has TCP_DEFER_ACCEPT, so nobody accepts before data has come."""

    name = "unicorn"

    def __init__(self, directory):
        super().__init__(directory)
        need(shutil.which("unicorn"), "unicorn")
        self.address = "127.0.0.1:%d" % free_port()
        config = self.directory / "unicorn.rb"
        config.write_text("worker_processes %d\n" % WORKERS)
        self.start(["unicorn", "-E", "none", "-l", self.address, "-c", config, "whoami.ru"])
        self.wait_for_log(r"worker=\d+ ready", count=WORKERS)


class NodeCluster(Backend):
    """Node's cluster: "rr", where the primary accepts and hands over, or "shared"."""

    name = "node"

    def __init__(self, directory, policy):
        super().__init__(directory)
        node = shutil.which("node") or shutil.which("nodejs")
        need(node, "nodejs")
        self.start([node, "cluster.js", WORKERS, policy])
        self.address = self.wait_for_log(r"^listening on (\S+)").group(1)


class ApachePrefork(Backend):
    """Apache with the prefork MPM; the application runs in the children (mod_wsgi, embedded)."""

    name = "apache"
    CONFIG = """\
ServerRoot {directory}
ServerName 127.0.0.1
Listen {address}
PidFile {directory}/apache.pid
Mutex file:{directory} default
ErrorLog /dev/stderr
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
StartServers {workers}
MinSpareServers 1
MaxSpareServers {workers}
MaxRequestWorkers {workers}
WSGIScriptAlias / {directory}/whoami.py
WSGICallableObject app
<Directory {directory}>
Require all granted
</Directory>
"""

    def __init__(self, directory):
        super().__init__(directory)
        need(os.path.exists(APACHE), "apache2-bin")
        need(os.path.exists(APACHE_MODULES + "/mod_wsgi.so"), "libapache2-mod-wsgi-py3")
        self.address = "127.0.0.1:%d" % free_port()
        # Started by root its children are somebody else, who may not look into a test's directory.
        self.open_to_all = tempfile.mkdtemp(prefix="whichworker-apache-")
        os.chmod(self.open_to_all, 0o755)
        shutil.copy(APPS / "whoami.py", self.open_to_all)
        config = self.CONFIG.format(directory=self.open_to_all, address=self.address,
                                    modules=APACHE_MODULES, workers=WORKERS)
        if os.geteuid() == 0:
            config += "User nobody\nGroup nogroup\n"
        path = self.directory / "apache.conf"
        path.write_text(config)
        self.start([APACHE, "-D", "FOREGROUND", "-f", path], cwd=self.open_to_all)
        self.wait_for_log(r"resuming normal operations")

    def stop(self, *args):
        status = super().stop(*args)
        shutil.rmtree(self.open_to_all, ignore_errors=True)
        return status


class Plain(Backend):
    """apps/plain.py: the standard library's own server, with several models of processes."""

    name = "plain"

    def __init__(self, directory, model="prefork", where="v4"):
        super().__init__(directory)
        if where == "unix":
            where = "unix:%s" % self.log.with_suffix(".sock")
        elif where == "abstract":
            where = "unix:@whichworker-%s-%s" % (self.directory.name, self.log.stem)
        self.start([PYTHON, "plain.py", model, where])
        self.address = self.wait_for_log(r"^listening on (\S+)").group(1)


class PlainC(Backend):
    """apps/prefork.c, compiled here."""

    name = "plain-c"

    def __init__(self, directory, model="prefork"):
        super().__init__(directory)
        compiler = shutil.which("gcc") or shutil.which("cc")
        need(compiler, "gcc")
        program = self.directory / "prefork"
        build = Process(directory)
        build.spawn([compiler, "-O2", "-D_GNU_SOURCE", "-o", program, APPS / "prefork.c"])
        assert build.child.wait(60) == 0, build.text()
        self.start([program, model])
        self.address = self.wait_for_log(r"^listening on (\S+)").group(1)
