"""Findings while the proxy runs: told as they happen, and in the end those of the report."""
import json
import os
import re
import subprocess

import pytest

from client import Client
from servers import PYTHON, ROOT, SANITIZED, Gunicorn, Proxy, whichworker

CARS = ROOT / "examples/cars"
FINDING = r"^\d\d:\d\d:\d\d\.\d{3} FINDING (.*)$"
FOUND = r"^  (proven|confirmed|likely|possible) +(\S+) +(\S+) (\S+), (\S+), \d+ times?$"


def run_the_api_test(proxy):
    return subprocess.run(
        [PYTHON, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(CARS),
         str(CARS / "test_cars_api.py")], env={**os.environ, "BASE_URL": proxy.url},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120).returncode


def reported(trace):
    report = json.loads(whichworker("report", trace, "--format", "json").stdout)
    return sorted((f["grade"], f["guarantee"], f["method"], f["route"], f["cause"])
                  for f in report["findings"])


class Watched:
    """The cars application behind a proxy that was watched while its API test ran."""

    def __init__(self, start, directory, *options, fixed=False):
        env = {"CARS_FIXED": "1", "SECRET_KEY": "one for all", "CARS_DB": str(directory / "cars.db")}
        server = start(Gunicorn, app="cars_app:app", workers=4, chdir=CARS,
                       env=env if fixed else {"CARS_FIXED": "0"}, directory=directory)
        proxy = start(Proxy, server.address, *options, directory=directory)
        self.test_status = run_the_api_test(proxy)
        if not fixed and not options:
            proxy.wait_for_log(FINDING)  # it is still running
        assert proxy.stop() == 0
        self.log, self.trace = proxy.text(), proxy.trace
        self.told = re.findall(FINDING, self.log, re.M)
        self.found = sorted(re.findall(FOUND, self.log, re.M))


@pytest.fixture(scope="module")
def broken(start_once, tmp_path_factory):
    return Watched(start_once, tmp_path_factory.mktemp("broken"))


def test_what_is_found_live_is_what_the_report_finds(broken):
    assert broken.test_status == 1
    assert broken.found, broken.log
    assert broken.found == reported(broken.trace)


def test_each_finding_is_told_once_or_when_its_grade_changes(broken):
    assert len(broken.told) >= len(broken.found)
    fresh = [line for line in broken.told if not re.match(r"(now|taken back)", line)]
    assert len(fresh) == len({re.sub(r" in s\d+.*", "", line) + line.split(": ")[1]
                              for line in fresh}), fresh


def test_a_told_finding_names_its_session_and_exchanges(broken):
    confirmed = [line for line in broken.told if line.startswith("confirmed ")]
    assert confirmed, broken.told
    for line in confirmed:
        session = re.search(r" in (s\d+): ", line).group(1)
        numbers = re.search(r"\[exchanges? ([\d, ]+)\]$", line).group(1)
        assert len(numbers.split(", ")) >= 1
        assert re.search(r" %s +200 " % session, broken.log)
    assert "\x1b" not in broken.log, "no colours into a file"


@pytest.mark.skipif(SANITIZED, reason="the plain program has shown it")
def test_the_mended_application_is_silent(start, tmp_path):
    fixed = Watched(start, tmp_path, fixed=True)
    assert fixed.test_status == 0
    assert fixed.told == [] and fixed.found == []
    assert "\nno findings\n" in fixed.log


@pytest.mark.skipif(SANITIZED, reason="the plain program has shown it")
def test_no_judge_finds_nothing_and_says_nothing(start, tmp_path):
    unjudged = Watched(start, tmp_path, "--no-judge")
    assert unjudged.told == [] and unjudged.found == []
    assert "finding" not in unjudged.log
    assert reported(unjudged.trace), "the report judges all the same"


@pytest.mark.skipif(SANITIZED, reason="the plain program has shown it")
def test_a_finding_is_told_even_when_the_lines_are_not(start, tmp_path):
    server = start(Gunicorn, app="cars_app:app", workers=4, chdir=CARS, env={"CARS_FIXED": "0"})
    proxy = start(Proxy, server.address, "--quiet")
    run_the_api_test(proxy)
    proxy.wait_for_log(FINDING)
    assert "GET /cars\n" not in proxy.text()


def test_a_small_window_forgets_and_says_so(start):
    server = start(Gunicorn, workers=2)
    proxy = start(Proxy, server.address, "--live-window", "10")
    with Client(proxy) as client:
        for _ in range(30):
            client.get("/")
    proxy.stop()
    assert "among the newest 10 exchanges" in proxy.text()
