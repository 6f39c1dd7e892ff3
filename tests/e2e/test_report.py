"""The story of the cars, end to end: what the report says of it, and when it says nothing."""
import json
import os
import re
import sqlite3
import subprocess

import pytest

import report_formats as formats
from client import Client, many
from servers import PYTHON, ROOT, Gunicorn, Origin, Proxy, whichworker

CARS = ROOT / "examples/cars"


class Story:
    """The cars application behind the proxy, its API test run through it, the trace judged."""

    def __init__(self, start, directory, workers, fixed=False):
        env = {"CARS_FIXED": "1", "SECRET_KEY": "one for all", "CARS_DB": str(directory / "cars.db")}
        server = start(Gunicorn, app="cars_app:app", workers=workers, chdir=CARS,
                       env=env if fixed else {"CARS_FIXED": "0"}, directory=directory)
        self.pids = set(server.workers())
        proxy = start(Proxy, server.address, directory=directory)
        tested = subprocess.run(
            [PYTHON, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(CARS),
             str(CARS / "test_cars_api.py")], env={**os.environ, "BASE_URL": proxy.url},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        self.test_status, self.test_text = tested.returncode, tested.stdout
        assert proxy.stop() == 0
        self.trace = proxy.trace
        self.json_run = whichworker("report", self.trace, "--format", "json")
        self.report = json.loads(self.json_run.stdout)
        self.text_run = whichworker("report", self.trace)

    def findings(self, cause, grade="confirmed"):
        return [f for f in self.report["findings"] if f["cause"] == cause and f["grade"] == grade]


@pytest.fixture(scope="module")
def broken(start_once, tmp_path_factory):
    return Story(start_once, tmp_path_factory.mktemp("broken"), workers=4)


@pytest.fixture(scope="module")
def single(start_once, tmp_path_factory):
    return Story(start_once, tmp_path_factory.mktemp("single"), workers=1)


@pytest.fixture(scope="module")
def fixed(start_once, tmp_path_factory):
    return Story(start_once, tmp_path_factory.mktemp("fixed"), workers=4, fixed=True)


def test_the_api_test_fails_with_four_workers(broken):
    assert broken.test_status == 1, broken.test_text


def test_four_workers_fail_the_verdict(broken):
    assert broken.json_run.returncode == 1
    assert broken.text_run.returncode == 1
    assert broken.report["summary"]["verdict"] == "fail"
    assert broken.report["summary"]["splits"] > 0


def test_the_random_key_is_named_as_a_cause(broken):
    found = broken.findings("per-worker-secret")
    assert found, broken.text_run.stdout
    assert any(f["resource"] == "/cars" for f in found)
    assert all("SECRET_KEY" in f["fix"] or "secret" in f["fix"].lower() for f in found)


def test_the_global_list_is_named_as_a_cause(broken):
    found = broken.findings("worker-memory")
    assert found, broken.text_run.stdout
    assert {f["resource"] for f in found} == {"/register/"}


def test_the_evidence_is_of_the_workers_that_were_there(broken):
    assert {w["pid"] for w in broken.report["workers"]} <= broken.pids
    for finding in broken.report["findings"]:
        shown = {e["pid"] for e in finding["evidence"]}
        assert len(shown) > 1 and shown <= broken.pids
        assert set(finding["workers"]) <= broken.pids


def test_the_table_shows_that_it_depends_on_the_worker(broken):
    for cause in ("per-worker-secret", "worker-memory"):
        table = broken.findings(cause)[0]["table"]
        assert table["changed"]["lost"] > 0 and table["same"]["lost"] == 0, table


def test_everything_is_attributed(broken):
    counts = broken.report["attribution"]
    assert counts["unknown"] == counts["ambiguous"] == 0 and counts["coverage"] == 1
    assert counts["kernel"] == broken.report["summary"]["exchanges"]


def test_the_json_has_the_shape_that_is_promised(broken):
    report = broken.report
    assert report["schema"] == "whichworker/report/1"
    assert set(report["summary"]) >= {"exchanges", "sessions", "splits", "findings", "verdict", "why",
                                      "upstream_connections", "schedule"}
    assert set(report["attribution"]) == {"kernel", "preload", "header", "ambiguous", "unknown",
                                          "coverage"}
    for worker in report["workers"]:
        assert set(worker) >= {"pid", "slot", "started_at", "ended_at", "exchanges",
                               "queue_wait_ms"}
        assert set(worker["queue_wait_ms"]) == {"p50", "p99"}
    for session in report["sessions"]:
        assert set(session) >= {"id", "key", "exchanges", "workers", "splits"}
        assert set(session["key"]) == {"kind", "name", "value_hash"}
    for split in report["splits"]:
        assert set(split) == {"session", "from", "to"}
        assert split["from"]["pid"] != split["to"]["pid"]
    for finding in report["findings"]:
        assert set(finding) >= {"id", "guarantee", "grade", "cause", "session", "method", "resource",
                                "workers", "message", "fix", "table", "masked", "evidence"}
        for entry in finding["evidence"]:
            assert set(entry) >= {"exchange", "pid", "role", "method", "target", "status", "at",
                                  "value"}
    assert len(report["splits"]) == report["summary"]["splits"] \
        == sum(s["splits"] for s in report["sessions"])
    assert len(report["findings"]) == report["summary"]["findings"]


def test_the_text_shows_the_story(broken):
    text = broken.text_run.stdout
    for needed in ("per-worker-secret", "worker-memory", "/cars", "/register/", "POST", "GET"):
        assert needed in text, needed
    finding = broken.findings("per-worker-secret")[0]
    for entry in finding["evidence"]:
        assert str(entry["pid"]) in text
    assert re.fullmatch(r"\d+ passed, [1-9]\d* failed, \d+ inconclusive",
                        text.rstrip("\n").splitlines()[-1])
    assert "\x1b" not in text, "no colours into a file"


@pytest.mark.parametrize("name", formats.CHECKS)
def test_every_format_is_read_by_others(broken, fixed, name, tmp_path):
    for story in (broken, fixed):
        done = whichworker("report", story.trace, "--format", name, "-o", tmp_path / "report")
        assert done.returncode == story.text_run.returncode and done.stdout == ""
        formats.CHECKS[name]((tmp_path / "report").read_bytes())


def test_the_same_trace_gives_the_same_report(broken):
    again = whichworker("report", broken.trace, "--format", "json")
    assert again.stdout == broken.json_run.stdout


def test_fail_on_none_never_fails(broken):
    assert whichworker("report", broken.trace, "--fail-on", "none").returncode == 0
    assert whichworker("report", broken.trace, "--fail-on", "confirmed").returncode == 1


def test_one_worker_passes(single):
    assert single.test_status == 0, single.test_text
    assert single.json_run.returncode == single.text_run.returncode == 0, single.text_run.stdout
    summary = single.report["summary"]
    assert (summary["verdict"], summary["splits"], summary["findings"]) == ("pass", 0, 0)
    assert [w["pid"] for w in single.report["workers"]] == sorted(single.pids)


def test_the_mended_application_passes_and_still_splits(fixed):
    assert fixed.test_status == 0, fixed.test_text
    assert fixed.json_run.returncode == fixed.text_run.returncode == 0, fixed.text_run.stdout
    summary = fixed.report["summary"]
    assert (summary["verdict"], summary["findings"]) == ("pass", 0)
    assert summary["splits"] > 0
    assert fixed.text_run.stdout.rstrip("\n").splitlines()[-1].split(" passed, ")[1] \
        .startswith("0 failed")


def test_a_split_can_be_made_to_fail(fixed):
    assert whichworker("report", fixed.trace, "--fail-on", "split").returncode == 1


def test_nothing_seen_is_inconclusive(start):
    proxy = start(Proxy, start(Origin).address)
    proxy.stop()
    done = whichworker("report", proxy.trace)
    assert done.returncode == 2, done.stdout


def test_full_coverage_satisfies_the_highest_minimum(start):
    proxy = start(Proxy, start(Gunicorn, workers=2).address)
    many(proxy, "/", 20, 1)
    proxy.stop()
    assert whichworker("report", proxy.trace, "--min-attributed", "1").returncode == 0


def test_a_running_recording_can_be_reported(start):
    proxy = start(Proxy, start(Gunicorn, workers=2).address)
    with Client(proxy) as client:
        client.get("/")
    done = whichworker("report", proxy.trace, "--format", "json")
    assert done.returncode in (0, 2), done.stderr


# ---- usage

@pytest.mark.parametrize("argv", [
    ["proxy"], ["proxy", "--upstream"], ["proxy", "--upstream", "nonsense"],
    ["proxy", "--upstream", "127.0.0.1:1", "--max-head", "lots"],
    ["proxy", "--upstream", "127.0.0.1:1", "--idle-timeout", "5 parsecs"],
    ["proxy", "--upstream", "127.0.0.1:1", "--frobnicate"],
    ["report"], ["report", "x.db", "--format", "smoke"], ["report", "x.db", "--fail-on", "maybe"],
    ["report", "x.db", "--min-attributed", "2"], ["dance"]])
def test_wrong_usage_is_3_and_says_what_to_do(argv):
    done = whichworker(*argv)
    assert done.returncode == 3
    assert "--help" in done.stderr or "help" in done.stderr
    assert done.stdout == ""


def test_no_command_at_all_shows_the_help():
    done = whichworker()
    assert done.returncode == 3 and "report" in done.stdout + done.stderr


def test_a_trace_that_is_not_there(tmp_path):
    done = whichworker("report", tmp_path / "absent.db")
    assert done.returncode == 3 and "absent.db" in done.stderr


@pytest.mark.parametrize("content", [b"", b"not a database at all\n" * 100,
                                     b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_trace_that_is_none(tmp_path, content):
    trace = tmp_path / "some.db"
    trace.write_bytes(content)
    done = whichworker("report", trace)
    assert done.returncode == 3 and "some.db" in done.stderr


def test_a_database_of_somebody_else(tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE exchanges (id)")
    done = whichworker("report", tmp_path / "other.db")
    assert done.returncode == 3 and "other.db" in done.stderr


@pytest.mark.parametrize("argv", [["--help"], ["proxy", "--help"], ["report", "--help"]])
def test_help_goes_to_stdout_with_an_example(argv):
    done = whichworker(*argv)
    assert done.returncode == 0 and done.stderr == ""
    assert "whichworker " in done.stdout and "--" in done.stdout


@pytest.mark.parametrize("argv", [["--version"], ["proxy", "--version"], ["report", "--version"]])
def test_version(argv):
    done = whichworker(*argv)
    assert done.returncode == 0 and re.search(r"\d+\.\d+\.\d+", done.stdout)
