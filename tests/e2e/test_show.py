"""show and filters on a real recording: the cars application under four workers."""
import json
import os
import re
import subprocess

import pytest

from servers import BINARY, PYTHON, ROOT, SANITIZED, Gunicorn, Proxy, whichworker

CARS = ROOT / "examples/cars"


@pytest.fixture(scope="module")
def trace(start_once, tmp_path_factory):
    directory = tmp_path_factory.mktemp("cars")
    server = start_once(Gunicorn, app="cars_app:app", workers=4, chdir=CARS,
                        env={"CARS_FIXED": "0"}, directory=directory)
    proxy = start_once(Proxy, server.address, "--filter", "~m POST & ~u /cars", directory=directory)
    subprocess.run(
        [PYTHON, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(CARS),
         str(CARS / "test_cars_api.py")], env={**os.environ, "BASE_URL": proxy.url},
        stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert proxy.stop() == 0
    proxy.trace.with_suffix(".log").write_text(proxy.text())
    return proxy.trace


def show(trace, *argv):
    done = whichworker("show", trace, *argv)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    return done.stdout


def report(trace, *argv):
    return whichworker("report", trace, *argv)


def ids(text):
    """The exchanges of a timeline."""
    return [int(n) for n in re.findall(r"^ {2}[* ][~ ]#(\d+) ", text, re.M)]


def sessions(text):
    return re.findall(r"^(s\d+) ", text, re.M)


def test_the_list_has_every_session(trace):
    text = show(trace)
    assert len(sessions(text)) == 18  # the stranger, a customer for each journey of cars, one for registering
    assert len(re.findall(r"^w\d \d+  \d+ exchanges?", text, re.M)) == 4


def test_a_timeline_has_every_exchange_and_names_its_workers(trace):
    session = sessions(show(trace, "--filter", "~v any & ~u /cars"))[0]
    text = show(trace, session)
    assert len(ids(text)) == 7  # before, add, five reads
    assert "POST /cars/add" in text.replace("...", "s/add") or "f" in text
    assert re.search(r"workers: w\d \d+, w\d \d+", text)
    assert "* proof of a finding" in text


def test_an_exchange_is_shown_in_full_with_its_redactions(trace):
    session = sessions(show(trace, "--filter", "~m POST & ~u /cars/add & ~v any"))[0]
    number = ids(show(trace, session, "--filter", "~m POST"))[0]
    text = show(trace, str(number))
    assert re.search(r"^  worker +w\d \d+, known by kernel", text, re.M)
    assert "  POST /cars/add HTTP/1.1\n" in text
    assert re.search(r'^    "name": "car-[0-9a-f]{8}",$', text, re.M)
    assert re.search(r"^  Authorization: Basic mac:[0-9a-f]{24}$", text, re.M)
    assert "readable without its key (itsdangerous):" in text
    assert "testqxf2" not in text


def test_a_trace_may_come_from_standard_input(trace):
    with open(trace, "rb") as file:
        done = subprocess.run([str(BINARY), "show", "-", "3"], stdin=file, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == show(trace, "3")


def test_two_are_compared(trace):
    session = sessions(show(trace, "--filter", "~v read-your-writes & ~u /cars"))[0]
    numbers = ids(show(trace, session, "--filter", "~m GET"))
    text = show(trace, str(numbers[0]), str(numbers[-1]))
    assert re.search(r"^GET /cars HTTP/1.1 {2,}GET /cars HTTP/1.1$", text, re.M)
    assert re.search(r"^began .* \| ", text, re.M)
    assert "\ndiffer: " in text


def test_the_numbers_of_a_pair_may_be_written_as_they_are_shown(trace):
    assert show(trace, "#1") == show(trace, "1")
    assert "nothing differs" in show(trace, "1", "1")


@pytest.mark.parametrize("which, selects", [
    ("~m POST", "POST"), ("~u /register/car", "/register/car"), ("~c 401", "401")])
def test_a_filter_selects_what_is_shown(trace, which, selects):
    for session in sessions(show(trace, "--filter", which))[:3]:
        rows = [line for line in show(trace, session, "--filter", which).splitlines()
                if re.match(r" {2}[* ][~ ]#\d+", line)]
        assert rows and all(selects in row or "..." in row for row in rows), rows


def test_a_filter_and_its_opposite_part_the_trace(trace):
    def count(*argv):
        rows = re.findall(r"^s\d+ +[\d:.]+ .*? (\d+) +\d+ ( |$)", show(trace, *argv), re.M)
        return sum(int(exchanges) for exchanges, _ in rows)

    total = count()
    assert total == 225
    for which in ("~m POST", "~c 2xx", "~u /cars", "~w w0", "~t json", "~b Swift", "~split", "~v any"):
        few, rest = count("--filter", which), count("--filter", "!(%s)" % which)
        assert few + rest == total and few > 0 and rest > 0, which


def test_a_filtered_report_keeps_its_verdict(trace):
    whole, part = report(trace), report(trace, "--filter", "~u /register")
    assert whole.returncode == part.returncode == 1
    assert whole.stdout.splitlines()[-1] == part.stdout.splitlines()[-1]
    assert "per-worker-secret" in whole.stdout and "per-worker-secret" not in part.stdout
    assert "worker-memory" in part.stdout
    nothing = report(trace, "--filter", "~u /nowhere")
    assert nothing.returncode == 1 and "0 of " in nothing.stdout


def test_every_format_takes_a_filter(trace, tmp_path):
    formats = ["json", "junit", "sarif", "markdown", "text"]
    files = {f: tmp_path / f for f in formats}
    done = report(trace, "--filter", "~sid s2", "--report",
                  ",".join("%s=%s" % item for item in files.items()))
    assert done.returncode == 1, done.stderr
    part = json.loads(files["json"].read_text())
    assert part["summary"]["filter"] == "~sid s2" and part["summary"]["verdict"] == "fail"
    assert [s["id"] for s in part["sessions"]] == ["s2"] and part["summary"]["exchanges"] == 7
    assert {f["session"] for f in part["findings"]} == {"s2"}
    for split in part["splits"]:
        assert split["session"] == "s2"
    assert all(path.stat().st_size > 0 for path in files.values())


@pytest.mark.skipif(SANITIZED, reason="the plain program has shown it")
def test_a_gate_shows_what_is_asked_for_and_judges_all(tmp_path):
    done = whichworker(
        "gate", "--filter", "~u /nowhere", "--report", "json=%s" % (tmp_path / "report.json"),
        "--backend", "%s -B -m gunicorn -w 4 -b 127.0.0.1:0 --chdir %s cars_app:app" % (PYTHON, CARS),
        "--", PYTHON, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", CARS,
        CARS / "test_cars_api.py", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert re.search(r"0 of [1-9]\d* findings?, .*The verdict is of all of them", done.stderr)
    summary = json.loads((tmp_path / "report.json").read_text())["summary"]
    assert (summary["findings"], summary["verdict"], summary["filter"]) == (0, "fail", "~u /nowhere")


def test_the_lines_of_the_proxy_are_those_that_were_asked_for(trace):
    log = trace.with_suffix(".log").read_text()
    lines = [line for line in log.splitlines() if re.match(r"\d\d:\d\d:\d\d\.\d+ w\d", line)]
    assert len(lines) == 16 and all("POST /cars/add" in line for line in lines)
    assert " FINDING " in log, "findings are told all the same"


@pytest.mark.parametrize("argv, message", [
    (["--filter", "~u /cars & ~x"], "there is no operator ~x\n    ~u /cars & ~x\n               ^\n"),
    (["--filter", "~c abc"], "a status has three digits"),
    (["s99"], "there is no session s99"), (["99999"], "there is no exchange 99999"),
    (["one"], "'one' is neither a session"), (["1", "s2"], "one session at a time"),
    (["1", "2", "3"], "one argument too many"), (["1", "--filter", "~q"], "shown whole")])
def test_mistakes_are_3_and_say_where(trace, argv, message):
    done = whichworker("show", trace, *argv)
    assert done.returncode == 3 and done.stdout == ""
    assert message in done.stderr


def test_a_wrong_filter_starts_nothing():
    for argv in (["proxy", "--upstream", "127.0.0.1:1"], ["run"]):
        done = whichworker(*argv, "--filter", "(", *(["--", "sleep", "60"] if argv == ["run"] else []))
        assert done.returncode == 3 and "^" in done.stderr
