"""A trace from standard input, and what is said while it is long in coming."""
import os
import pty
import re
import subprocess
import threading

import pytest

from client import Client
from servers import BINARY, Gunicorn, Proxy, whichworker


@pytest.fixture(scope="module")
def trace(start_once, tmp_path_factory):
    directory = tmp_path_factory.mktemp("input")
    server = start_once(Gunicorn, app="tuned:app", workers=2, directory=directory)
    proxy = start_once(Proxy, server.address, directory=directory)
    with Client(proxy) as client:
        for _ in range(40):
            client.get("/json")
    assert proxy.stop() == 0
    return proxy.trace


def report_of_input(data, *options, tmp_path):
    done = subprocess.run([str(BINARY), "report", "-", *options], input=data, capture_output=True, timeout=60,
                          env={**os.environ, "TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []
    return done


def test_a_trace_comes_from_standard_input(trace, tmp_path):
    plain = whichworker("report", trace, "--format", "json")
    done = report_of_input(trace.read_bytes(), "--format", "json", tmp_path=tmp_path)
    assert done.returncode == plain.returncode == 1
    assert done.stdout.decode() == plain.stdout


@pytest.mark.parametrize("data, words", [(b"", "nothing on standard input"), (b"no trace" * 999, "standard input")])
def test_what_is_no_trace_is_refused(data, words, tmp_path):
    done = report_of_input(data, tmp_path=tmp_path)
    assert done.returncode == 3
    assert words in done.stderr.decode()


def test_a_full_disk_is_said(trace, tmp_path):
    done = subprocess.run([str(BINARY), "report", "-"], input=trace.read_bytes(), capture_output=True, timeout=60,
                          env={**os.environ, "TMPDIR": str(tmp_path / "missing")})
    assert done.returncode == 4
    assert "cannot make a file" in done.stderr.decode()


def test_quiet_says_only_what_is_wrong(trace):
    full, brief = whichworker("report", trace), whichworker("report", trace, "-q")
    assert brief.returncode == full.returncode == 1
    assert brief.stdout.splitlines()[-1] == full.stdout.splitlines()[-1]
    assert "FAIL" in brief.stdout and "Recording" in full.stdout and "Recording" not in brief.stdout
    passed = whichworker("report", trace, "-q", "--fail-on", "none")
    assert passed.returncode == 0
    assert re.fullmatch(r"\d passed, 0 failed, 0 inconclusive\n", passed.stdout)


def progress_of(trace, tmp_path, env, stop_after):
    """What standard error says while the trace is fed, piece by piece, until the words are there or so many
    pieces have gone; then the rest comes."""
    master, slave = pty.openpty()
    child = subprocess.Popen([str(BINARY), "report", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=slave, env={**os.environ, "TERM": "xterm", "TMPDIR": str(tmp_path), **env})
    os.close(slave)
    said, heard = [], threading.Event()

    def listen():
        try:
            while True:
                said.append(os.read(master, 4096).decode())
                if "KiB read" in "".join(said):
                    heard.set()
        except OSError:
            pass

    listener = threading.Thread(target=listen)
    listener.start()
    # One file after the other: SQLite reads only as far as the first says.
    data = trace.read_bytes()
    child.stdin.write(data)
    filler = bytes(1 << 20)
    for _ in range(stop_after):
        child.stdin.write(filler)
        child.stdin.flush()
        if heard.wait(0.02):
            break
    child.stdin.close()
    status = child.wait(60)
    listener.join(60)
    os.close(master)
    return status, "".join(said)


def test_progress_is_for_terminals_alone(trace, tmp_path):
    status, said = progress_of(trace, tmp_path, {"CI": ""}, 0)
    assert "KiB" not in said, "not within the first second"
    env = {key: value for key, value in os.environ.items() if key != "CI"}
    os.environ.pop("CI", None)
    try:
        status, said = progress_of(trace, tmp_path, {}, 2000)
    finally:
        os.environ.update(env)
    assert status == 1
    assert re.search(r"\r\d+ KiB read ", said)
    assert said.rstrip("\n").endswith("\r"), "the line is left empty"


# ---- colours

def on_terminal(argv, env):
    """What a command says to a terminal."""
    master, slave = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI")}
    child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                             env={**clean, "TERM": "xterm", **env})
    os.close(slave)
    said = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    os.close(master)
    child.wait(60)
    return said.decode()


@pytest.mark.parametrize("command", ["report", "show"])
@pytest.mark.parametrize("env, options, coloured", [
    ({}, [], True), ({"NO_COLOR": ""}, [], True), ({"NO_COLOR": "1"}, [], False), ({"TERM": "dumb"}, [], False),
    ({}, ["--no-color"], False), ({"WHICHWORKER_NO_COLOR": "yes"}, [], False)])
def test_colours_are_for_who_wants_them(trace, command, env, options, coloured):
    said = on_terminal([BINARY, command, trace, *options], env)
    assert ("\x1b[" in said) == coloured
    assert "exch" in said


def test_the_file_can_say_no_to_colours(trace, tmp_path):
    (tmp_path / "plain.yaml").write_text("no-color: true\n")
    assert "\x1b[" not in on_terminal([BINARY, "report", trace, "--config", tmp_path / "plain.yaml"], {})
