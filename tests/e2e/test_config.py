"""The configuration file over a recording of real workers: each key of it changes what is said."""
import json
import os
import re
import subprocess

import pytest

from client import Client
from servers import APPS, BINARY, PYTHON, ROOT, SANITIZED, Gunicorn, Proxy, whichworker

PAGES = ["/metrics", "/json", "/page", "/quiet"]
IGNORED = """
ignore:
  - pointer: /meta/rack
    route: GET /json
    reason: an ornament
  - pattern: 'rack-[a-j]+'
    route: GET /page
skip:
  - route: /metrics
"""


@pytest.fixture(scope="module")
def trace(start_once, tmp_path_factory):
    """Two workers, one client that has two terminals, no cookies: everything follows the worker but
    /quiet."""
    directory = tmp_path_factory.mktemp("tuned")
    server = start_once(Gunicorn, app="tuned:app", workers=2, directory=directory)
    proxy = start_once(Proxy, server.address, directory=directory)
    pids = set()
    with Client(proxy) as client:
        for turn in range(60):
            for page in PAGES:
                reply = client.get(page, **{"X-Terminal": "t%d" % (turn // 30)})
                pids.add(reply.tag)
    assert len(pids) == 2
    assert proxy.stop() == 0
    return proxy.trace


@pytest.fixture
def judge(trace, tmp_path):
    """judge(YAML, *options): exit status and JSON of a report in a directory that has that file."""
    def run(text, *options):
        (tmp_path / "whichworker.yaml").write_text(text)
        done = whichworker("report", trace, "--format", "json", *options, cwd=tmp_path)
        return done.returncode, json.loads(done.stdout)
    return run


def resources(report):
    return {f["resource"] for f in report["findings"]}


def rules(report):
    return [(r["list"], r["where"], r["used"] > 0) for r in report["rules"]]


def test_without_rules_three_pages_fail(judge):
    status, report = judge("")
    assert status == 1
    assert resources(report) == {"/metrics", "/json", "/page"}
    assert "rules" not in report


def test_what_is_ignored_and_skipped_is_not_judged(judge):
    status, report = judge(IGNORED)
    assert (status, report["findings"]) == (0, [])
    assert rules(report) == [("ignore", "whichworker.yaml:3", True), ("ignore", "whichworker.yaml:6", True),
                             ("skip", "whichworker.yaml:9", True)]
    assert report["skipped"] == 60


def test_a_member_is_ignored_at_any_depth(judge):
    assert "/json" not in resources(judge("ignore: [{member: rack}]")[1])
    assert "/json" in resources(judge("ignore: [{member: wreck}]")[1])


def test_a_probe_is_all_that_is_compared(judge):
    cart = "probes: [{name: cart, route: GET /page, pattern: 'Cart: ([0-9]+)'}]"
    assert resources(judge(cart)[1]) == {"/metrics", "/json"}
    status, report = judge("probes: [{name: place, route: GET /json, pointer: /meta/rack}]")
    found = [f for f in report["findings"] if f["resource"] == "/json"]
    assert status == 1 and len(found) == 1
    assert "/probe place" in found[0]["message"]
    assert any("probed by the configuration (whichworker.yaml:1)" in m for m in found[0]["masked"])


def test_what_is_allowed_is_shown_and_passes(judge):
    allowed = "allow: [{route: '/{page}', guarantee: monotonic-reads, reason: known%s}]"
    status, report = judge(allowed % "")
    assert status == 0
    assert resources(report) == {"/metrics", "/json", "/page"}
    assert all(f["allowed"] and "known" in f["policy"] for f in report["findings"])
    assert judge(allowed % ", until: 2020-12-31")[0] == 1
    assert judge("allow: [{route: '/{page}', guarantee: status-flip}]")[0] == 1


def test_grades_are_capped_and_fail_otherwise(judge):
    status, report = judge("grades: [{cap: possible}]")
    assert status == 0
    assert {f["grade"] for f in report["findings"]} == {"possible"}
    assert judge("grades: [{cap: possible}, {route: /page, fail-on: possible}]")[0] == 1
    assert judge("grades: [{guarantee: monotonic-reads, fail-on: none}]")[0] == 0


def test_sessions_are_held_together_by_a_field(judge):
    two = "require: ['sessions>=2']\nfail-on: none\n"
    status, report = judge(two)
    assert (status, len(report["sessions"])) == (2, 1)
    status, report = judge(two + "sessions: [{header: X-Terminal}]\n")
    assert status == 0
    assert [s["key"]["kind"] for s in report["sessions"]] == ["header", "header"]
    assert {s["key"]["name"] for s in report["sessions"]} == {"X-Terminal"}
    # One for both: the terminals' names begin alike.
    status, report = judge(two + "sessions: [{header: X-Terminal, pattern: '(t)[0-9]'}]\n")
    assert (status, len(report["sessions"])) == (2, 1)


def test_options_are_keys_and_arguments_come_before_them(judge):
    assert judge("fail-on: none")[0] == 0
    assert judge("fail-on: none", "--fail-on", "possible")[0] == 1
    assert judge("fail-on: none", "--no-config")[0] == 1
    assert judge("min-attributed: 1\nfail-on: none")[0] == 0


def test_the_text_says_what_was_left_out(trace, tmp_path):
    (tmp_path / "tuned.yaml").write_text(IGNORED + "  - route: /nowhere\n")
    done = whichworker("report", trace, "--config", tmp_path / "tuned.yaml")
    assert done.returncode == 0
    section = done.stdout.split("Rules of the configuration", 1)[1]
    assert "/meta/rack on GET /json" in section
    assert "tuned.yaml:3" in section
    assert "/nowhere" in section and "nothing was like it" in section


def test_a_file_that_is_used_unasked_is_said(trace, tmp_path):
    (tmp_path / "whichworker.yaml").write_text("fail-on: none\n")
    assert whichworker("report", trace, cwd=tmp_path).stderr == "whichworker: using ./whichworker.yaml\n"
    assert whichworker("report", trace, "--no-config", cwd=tmp_path).stderr == ""
    named = whichworker("report", trace, "--config", "whichworker.yaml", cwd=tmp_path)
    assert (named.returncode, named.stderr) == (0, "")


def test_a_wrong_file_stops_everything(trace, tmp_path):
    (tmp_path / "whichworker.yaml").write_text("fail-on: none\nignroe: []\n")
    done = whichworker("report", trace, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr == ("whichworker: whichworker.yaml:2: there is no key 'ignroe' here; did you mean "
                           "'ignore'?\nTry 'whichworker help config'.\n")
    assert done.stdout == ""


def test_the_example_and_the_manual_are_right(tmp_path):
    manual = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/config.md").read_text(), re.S)
    readme = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(manual) >= 7 and readme
    for text in [(ROOT / "examples/whichworker.yaml").read_text(), *manual, *readme]:
        (tmp_path / "shown.yaml").write_text(text)
        done = whichworker("report", "--config", tmp_path / "shown.yaml", "--print-config")
        assert (done.returncode, done.stderr) == (0, ""), text


@pytest.mark.parametrize("words, meant", [
    (["reprot"], "there is no command 'reprot'; did you mean 'report'?"),
    (["help", "confg"], "there is no command 'confg'; did you mean 'config'?"),
    (["report", "--fial-on", "none"], "there is no option --fial-on; did you mean --fail-on?"),
    (["help", "--completions", "csh"], "'csh' is not bash, zsh or fish")])
def test_what_is_mistyped_is_guessed(words, meant):
    done = whichworker(*words)
    assert done.returncode == 3
    assert meant in done.stderr


def test_the_file_may_come_from_standard_input(trace):
    done = subprocess.run([str(BINARY), "report", str(trace), "--config", "-"], input="fail-on: none\n",
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0


def test_what_is_printed_names_the_origins(tmp_path):
    (tmp_path / "whichworker.yaml").write_text("\nidle-timeout: 7s\nmax-head: 1k\n")
    done = subprocess.run([str(BINARY), "proxy", "--print-config", "--header-timeout", "9s"], cwd=tmp_path,
                          env={**os.environ, "WHICHWORKER_MAX_HEAD": "2k"}, capture_output=True, text=True,
                          timeout=60)
    said = {line.split(":", 1)[0]: line.split("#", 1)[1].strip() for line in done.stdout.splitlines()}
    assert said["idle-timeout"] == "whichworker.yaml:2"
    assert said["max-head"] == "environment: WHICHWORKER_MAX_HEAD"
    assert said["header-timeout"] == "command line"
    assert said["connect-timeout"] == "default"


@pytest.mark.skipif(SANITIZED, reason="repeats what the plain run shows")
def test_the_live_lines_know_the_sessions_too(start, tmp_path):
    (tmp_path / "tuned.yaml").write_text("sessions: [{header: X-Terminal}]\nskip: [{route: /metrics}]\n")
    server = start(Gunicorn, app="tuned:app", workers=2)
    proxy = start(Proxy, server.address, "--config", tmp_path / "tuned.yaml")
    with Client(proxy) as client:
        for terminal in ("a", "b", "a"):
            client.get("/quiet", **{"X-Terminal": terminal})
    proxy.wait_for_log(r"/quiet", count=3)
    sessions = [line.split()[3] for line in proxy.text().splitlines() if "/quiet" in line]
    assert sessions == ["s1", "s2", "s1"]


@pytest.mark.skipif(SANITIZED, reason="repeats what the plain run shows")
def test_a_gate_obeys_the_file_in_its_directory(tmp_path):
    command = ["gate", "--trace", tmp_path / "gate.db", "--backend",
               "%s -m gunicorn -w 2 -b 127.0.0.1:0 --chdir %s tuned:app" % (PYTHON, APPS), "--",
               "sh", "-c", "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do curl -s {url}/json {url}/json; done"]
    failed = whichworker(*command, cwd=tmp_path)
    assert failed.returncode == 1, failed.stderr
    (tmp_path / "gate.db").unlink()
    (tmp_path / "whichworker.yaml").write_text("ignore: [{pointer: /meta/rack}]\nrequire: ['splits>=1']\n")
    passed = whichworker(*command, cwd=tmp_path)
    assert passed.returncode == 0, passed.stderr
    assert "using ./whichworker.yaml" in passed.stderr
    assert "/meta/rack" in passed.stderr.split("Rules of the configuration", 1)[1]
