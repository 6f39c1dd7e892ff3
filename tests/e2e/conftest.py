"""Fixtures of the end-to-end tests: each test gets its own processes, and their logs when it fails."""
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent / "apps"))
sys.dont_write_bytecode = True

import servers  # noqa: E402


def pytest_configure(config):
    # Whoever ends us with SIGTERM (a timeout) wants the servers to end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "demo: builds in build/ by itself")
    config.addinivalue_line("markers", "soak: long; WW_SOAK=1 runs the full form")


def pytest_collection_modifyitems(items):
    if not servers.BINARY.exists():
        raise pytest.UsageError("no binary at %s: build first, or set WHICHWORKER_BIN"
                                % servers.BINARY)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for process in getattr(item, "processes", []):
            report.sections.append(("log of " + process.name, process.tail()))


@pytest.fixture
def start(request, tmp_path):
    """start(Class, …): a process that lives as long as the test. A sanitizer's report fails the test."""
    request.node.processes = []

    def starter(kind, *args, **kwargs):
        process = kind(kwargs.pop("directory", tmp_path), *args, **kwargs)
        request.node.processes.append(process)
        return process

    yield starter
    for process in reversed(request.node.processes):
        process.stop()
    complaints = [p.tail() for p in request.node.processes if sanitizer_complained(p.text())]
    assert not complaints, "\n".join(complaints)


@pytest.fixture(scope="module")
def start_once(request, tmp_path_factory):
    """The same for a whole module."""
    processes = []

    def starter(kind, *args, **kwargs):
        directory = kwargs.pop("directory", None) or tmp_path_factory.mktemp(kind.name)
        process = kind(directory, *args, **kwargs)
        processes.append(process)
        return process

    yield starter
    for process in reversed(processes):
        process.stop()
    complaints = [p.tail() for p in processes if sanitizer_complained(p.text())]
    assert not complaints, "\n".join(complaints)


def sanitizer_complained(text):
    return any(mark in text for mark in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                                         "runtime error:", "SUMMARY: UndefinedBehaviorSanitizer"))


@pytest.fixture
def proxied(start):
    """proxied(server, *options): a proxy in front of a started server."""
    def through(server, *options, **kwargs):
        return start(servers.Proxy, server.address, *options, **kwargs)
    return through
