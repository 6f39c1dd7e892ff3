"""The trace: what is in it, what must never be in it, and what a kill leaves of it."""
import base64
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading

import pytest

from client import Client, many
from servers import BINARY, Gunicorn, wait_until, whichworker

PASSWORD = "open-sesame-7f3a"
BEARER = "bearer-token-5b21c0ffee"
COOKIE = "cookie-value-9d8e7f"
HEADER_ID = "header-session-31c7"
QUERY_ID = "0b6f2f0e-9e0a-4a53-8f1c-2f3d5d2b7a11"
PATH_ID = "0A1B2C3D4E5F60718293A4B5C6D7E8F9"
TOKEN = "lv_VI97HAXpY6yYWAAAC"
SECRETS = [PASSWORD, BEARER, COOKIE, HEADER_ID, QUERY_ID, PATH_ID, TOKEN,
           base64.b64encode(("aladdin:" + PASSWORD).encode()).decode()]


@pytest.fixture(scope="module")
def gunicorn(start_once):
    return start_once(Gunicorn, workers=3)


@pytest.fixture
def proxy(gunicorn, proxied):
    return proxied(gunicorn)


def count(proxy):
    with sqlite3.connect(proxy.trace) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return db.execute("SELECT count(*) FROM exchange").fetchone()[0]


def say_secrets(proxy):
    with Client(proxy) as client:
        basic = base64.b64encode(("aladdin:" + PASSWORD).encode()).decode()
        client.get("/", Authorization="Basic " + basic)
        client.get("/", Authorization="Bearer " + BEARER, Cookie="sid=%s; theme=dark" % COOKIE)
        client.get("/", Proxy_Authorization="Basic " + basic)
        client.get("/", X_Session_ID=HEADER_ID, Referer="http://h/a?session_id=" + QUERY_ID)
        client.get("/a?session_id=%s&sid=3" % QUERY_ID, Mcp_Session_Id=HEADER_ID)
        client.get("/a;jsessionid=%s?b=c" % PATH_ID)
        client.request("POST", "/", body=b'{"refresh_token": "%s"}' % TOKEN.encode(),
                       headers={"Content-Type": "application/json"})


def bytes_on_disk(proxy):
    return b"".join(path.read_bytes() for path in proxy.directory.glob(proxy.trace.name + "*"))


def test_it_opens_with_the_sqlite3_shell(proxy):
    many(proxy, "/", 30, 3)
    proxy.stop()
    if not shutil.which("sqlite3"):
        pytest.skip("the sqlite3 shell is not installed")
    shown = subprocess.run(["sqlite3", str(proxy.trace), "SELECT count(*) FROM exchange; "
                            "SELECT count(*) >= 3 FROM connection; SELECT count(*) > 1 FROM worker; "
                            "SELECT count(*) >= 0 FROM splits; SELECT count(*) FROM timeline; "
                            "PRAGMA user_version; PRAGMA application_id"],
                           capture_output=True, text=True, check=True).stdout.split()
    assert shown[:5] == ["30", "1", "1", "1", "30"]
    assert int(shown[5]) >= 1 and int(shown[6]) != 0


def test_only_its_owner_may_read_it(proxy):
    many(proxy, "/", 3, 1)
    for path in proxy.directory.glob(proxy.trace.name + "*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    proxy.stop()
    assert stat.S_IMODE(proxy.trace.stat().st_mode) == 0o600


def test_secrets_are_nowhere_in_it(proxy):
    say_secrets(proxy)
    wait_until(lambda: count(proxy) == 7)
    during = bytes_on_disk(proxy)
    proxy.stop()
    for data in (during, bytes_on_disk(proxy), proxy.log.read_bytes()):
        assert [s for s in SECRETS if s.encode() in data] == []
    assert b"theme" in bytes_on_disk(proxy), "names stay"


def test_secrets_are_kept_when_asked_for(gunicorn, proxied):
    proxy = proxied(gunicorn, "--keep-secrets")
    say_secrets(proxy)
    proxy.stop()
    assert [s for s in SECRETS[1:] if s.encode() not in bytes_on_disk(proxy)] == []


def test_a_recording_is_never_overwritten(gunicorn, tmp_path):
    trace = tmp_path / "there.db"
    trace.write_bytes(b"something of the user's")
    done = whichworker("proxy", "--upstream", gunicorn.address, "--listen", "127.0.0.1:0",
                       "--trace", trace)
    assert done.returncode == 3
    assert str(trace) in done.stderr
    assert trace.read_bytes() == b"something of the user's"


def test_every_exchange_of_the_clients_is_in_it(proxy):
    replies = many(proxy, "/", 400, 8)
    assert proxy.stop() == 0
    assert count(proxy) == len(replies) == 400
    report = whichworker("report", proxy.trace, "--format", "json")
    assert '"exchanges": 400' in report.stdout or '"exchanges":400' in report.stdout


def test_a_killed_proxy_leaves_a_trace_that_opens_and_reports(gunicorn, proxied):
    proxy = proxied(gunicorn)
    answered = []

    def load():
        try:
            with Client(proxy) as client:
                while True:
                    answered.append(client.get("/").status)
        except Exception:  # the proxy is killed under it: that is the test
            pass

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answered) > 500)
    proxy.child.send_signal(signal.SIGKILL)
    for thread in threads:
        thread.join()
    proxy.child.wait()
    report = whichworker("report", proxy.trace)
    assert report.returncode in (0, 2), report.stderr
    recorded = count(proxy)
    assert 0 < recorded <= len(answered) + 4
    with sqlite3.connect(proxy.trace) as db:
        ids = [row[0] for row in db.execute("SELECT id FROM exchange ORDER BY id")]
    assert len(set(ids)) == recorded


def test_requests_in_flight_are_finished_before_it_ends(proxy):
    replies = []
    arrived = threading.Barrier(4)

    def ask():
        with Client(proxy) as client:
            client.get("/")
            arrived.wait()
            replies.append(client.get("/sleep?ms=700"))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    arrived.wait()
    wait_until(lambda: established(proxy) >= 3)
    status = proxy.stop(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert status == 0
    assert [r.status for r in replies] == [200, 200, 200]
    assert count(proxy) == 6
    assert "6" in proxy.text().splitlines()[-1] or "exchanges" in proxy.text()


def established(proxy):
    """Connections between the proxy and its upstream that carry a request now."""
    sockets = [line.split() for line in open("/proc/net/tcp").read().splitlines()[1:]]
    upstream = "%04X" % int(proxy.child.args[3].rpartition(":")[2])
    return sum(1 for s in sockets if s[2].endswith(":" + upstream) and s[3] == "01")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_a_summary_and_ends_with_0(gunicorn, proxied, signum):
    proxy = proxied(gunicorn)
    many(proxy, "/", 10, 1)
    before = len(proxy.text())
    assert proxy.stop(signum) == 0
    summary = proxy.text()[before:]
    assert "10" in summary, summary


def test_a_line_for_each_exchange(proxy):
    replies = many(proxy, "/echo?line=here", 5, 1)
    proxy.stop()
    lines = [line for line in proxy.text().splitlines() if "/echo?line=here" in line]
    assert len(lines) == 5
    for reply in replies:
        assert any(reply.tag in line for line in lines)


def test_quiet_says_nothing_of_exchanges(gunicorn, proxied):
    proxy = proxied(gunicorn, "--quiet")
    many(proxy, "/echo?line=here", 5, 1)
    proxy.stop()
    assert "/echo?line=here" not in proxy.text()


def test_nothing_from_the_wire_reaches_the_terminal_raw(proxy):
    with Client(proxy) as client:
        client.conn.putrequest("GET", "/", skip_host=True)
        client.conn.putheader("Host", "a")
        client.conn.putheader("X-Request-ID", b"a\x9b31mb")
        client.conn.endheaders()
        client.conn.getresponse().read()
    proxy.stop()
    assert b"\x9b" not in proxy.log.read_bytes() and b"\x1b" not in proxy.log.read_bytes()


def test_the_proxy_works_without_a_trace(gunicorn, proxied):
    proxy = proxied(gunicorn, trace=False)
    assert len(many(proxy, "/", 20, 2)) == 20
    assert proxy.stop() == 0


def test_a_taken_port_is_said(proxy, gunicorn):
    done = whichworker("proxy", "--upstream", gunicorn.address,
                       "--listen", "127.0.0.1:%d" % proxy.port)
    assert done.returncode == 4
    assert str(proxy.port) in done.stderr
    assert BINARY.name in done.stderr
