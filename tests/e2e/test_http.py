"""HTTP/1.1 in both directions: framing, errors, limits, clients and workers that go away."""
import functools
import hashlib
import http.client
import resource
import socket
import sqlite3
import threading
import time

import pytest

from client import Client, Responses, connect, many, raw, read_all
from servers import SANITIZED, Gunicorn, Origin, Proxy, free_port
from whoami import DECLARED_BY_DIE, pattern, pattern_sha256

SIZES = [0, 1, 65535, 65536, 65537, 5 * 1024 * 1024]
HUGE = 200 * 1024 * 1024
READER_PAUSE = 0.003
PEAK = (512 if SANITIZED else 64) * 1024 * 1024


@pytest.fixture(scope="module")
def gunicorn(start_once):
    return start_once(Gunicorn, worker_class="gthread", workers=2, threads=16)


@pytest.fixture
def proxy(gunicorn, proxied):
    return proxied(gunicorn)


@pytest.fixture
def origin(start):
    return start(Origin)


def pieces(total, size=10007):
    for piece in pattern(total):
        for at in range(0, len(piece), size):
            yield piece[at:at + size]


def ended_as(proxy):
    """How the recorded exchanges ended, in order. The proxy must have been stopped."""
    with sqlite3.connect(proxy.trace) as db:
        return [row[0] for row in db.execute("SELECT ended_as FROM exchange ORDER BY id")]


# ---- connections

def test_one_client_connection_carries_many_requests(proxy):
    with Client(proxy) as client:
        client.conn.connect()
        sock = client.conn.sock
        for _ in range(50):
            assert client.get("/").status == 200
            assert client.conn.sock is sock


def test_pipelined_requests_are_answered_in_order(proxy):
    with connect(proxy) as sock:
        sock.sendall(b"".join(b"GET /echo?n=%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(20)))
        responses = Responses(sock)
        targets = [responses.next().json()["target"] for _ in range(20)]
    assert targets == ["/echo?n=%d" % n for n in range(20)]


def test_pipelined_posts_keep_their_bodies(proxy):
    with connect(proxy) as sock:
        sock.sendall(b"".join(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
                              % (n, b"x" * n) for n in range(10)))
        responses = Responses(sock)
        assert [responses.next().json()["length"] for _ in range(10)] == list(range(10))


def test_a_head_in_single_bytes_is_understood(proxy):
    with connect(proxy) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" \
                    b"3\r\nabc\r\n0\r\n\r\n":
            sock.sendall(bytes([byte]))
        assert Responses(sock).next().json()["sha256"] == hashlib.sha256(b"abc").hexdigest()


def test_connection_close_of_the_client_is_honoured(proxy):
    answer = raw(proxy, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()


def test_a_client_of_1_0_gets_its_answer_and_the_end(proxy):
    answer = raw(proxy, b"GET / HTTP/1.0\r\n\r\n")
    assert answer.split(b" ")[1] == b"200" and b'"pid"' in answer


# ---- bodies

@pytest.mark.parametrize("size", SIZES)
def test_a_sized_request_body_arrives_whole(proxy, size):
    with Client(proxy) as client:
        seen = client.request("POST", "/echo", body=b"".join(pattern(size))).json()
        assert (seen["length"], seen["sha256"]) == (size, pattern_sha256(size))


@pytest.mark.parametrize("size", SIZES)
def test_a_chunked_request_body_arrives_whole(proxy, size):
    with Client(proxy) as client:
        seen = client.request("POST", "/echo", body=pieces(size), encode_chunked=True,
                              headers={"Transfer-Encoding": "chunked"}).json()
        assert (seen["length"], seen["sha256"]) == (size, pattern_sha256(size))


@pytest.mark.parametrize("size", SIZES)
def test_a_sized_response_body_arrives_whole(proxy, size):
    with Client(proxy) as client:
        reply = client.get("/bytes?n=%d" % size)
        assert reply.headers["Content-Length"] == str(size)
        assert hashlib.sha256(reply.body).hexdigest() == pattern_sha256(size)


@pytest.mark.parametrize("count,size", [(1, 1), (3, 1024), (200, 7), (80, 65536)])
def test_a_chunked_response_body_arrives_whole(proxy, count, size):
    with Client(proxy) as client:
        reply = client.get("/chunks?n=%d&size=%d" % (count, size))
        assert reply.headers["Transfer-Encoding"] == "chunked"
        assert reply.body == next(pattern(size)) * count
        assert client.get("/").status == 200


def test_a_chunked_response_is_readable_for_a_client_of_1_0(proxy):
    answer = raw(proxy, b"GET /chunks?n=3&size=5 HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == next(pattern(5)) * 3


def test_head_has_the_length_and_no_body(proxy):
    with Client(proxy) as client:
        reply = client.request("HEAD", "/bytes?n=1234")
        assert (reply.status, reply.headers["Content-Length"], reply.body) == (200, "1234", b"")
        assert client.get("/").status == 200


@pytest.mark.parametrize("code", [204, 304])
def test_answers_without_a_body_leave_the_connection_usable(proxy, code):
    with connect(proxy) as sock:
        sock.sendall(b"GET /status?code=%d HTTP/1.1\r\nHost: a\r\n\r\n"
                     b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" % code)
        responses = Responses(sock)
        assert responses.next().status == code
        assert responses.next().status == 200


def test_expect_100_continue(proxy):
    with connect(proxy) as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                     b"Expect: 100-continue\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"hello")
        assert Responses(sock).next().json()["length"] == 5


def test_another_expectation_is_refused(proxy):
    answer = raw(proxy, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                        b"Expect: a-miracle\r\nConnection: close\r\n\r\nhello")
    assert answer.split(b" ")[1] == b"417"


# ---- answers of the upstream, byte for byte

@pytest.mark.parametrize("path,body", [("/until-close", b"first and last"), ("/http10", b"old school"),
                                       ("/http10-sized", b"sized"), ("/split", b"spli"),
                                       ("/early-hints", b"ok"), ("/trailers", b"hello")])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_complete_answer_ends_where_it_should(origin, proxied, path, body, version):
    if path == "/split":
        body = b"split"[:4]
    proxy = proxied(origin)
    with connect(proxy) as sock:
        sock.sendall(b"GET %s HTTP/%s\r\nHost: a\r\n\r\n" % (path.encode(), version.encode()))
        responses = Responses(sock)
        reply = responses.next()
        while reply.status == 103:
            reply = responses.next()
        assert (reply.status, reply.body) == (200, body)
        if version == "1.1":
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert responses.next().status == 200
        else:
            assert read_all(sock) == b""
    proxy.stop()
    assert set(ended_as(proxy)) == {"complete"}


def test_hop_by_hop_fields_stay_on_their_hop(origin, proxied):
    with Client(proxied(origin)) as client:
        reply = client.get("/hop")
        assert reply.headers["X-Public"] == "2"
        assert reply.headers["X-Private"] is None and reply.headers["Keep-Alive"] is None
        head = client.request("GET", "/any", headers={
            "Connection": "X-Mine", "X-Mine": "1", "Keep-Alive": "5", "TE": "gzip",
            "Proxy-Connection": "keep-alive", "X-Kept": "1"}).json()["head"].lower()
        assert "x-kept: 1" in head
        assert not any(name in head for name in ("x-mine:", "keep-alive: 5", "proxy-connection:"))


def test_forwarded_for_is_continued_not_replaced(origin, proxied):
    with Client(proxied(origin)) as client:
        head = client.get("/any", X_Forwarded_For="192.0.2.7").json()["head"].lower()
        assert "x-forwarded-for: 192.0.2.7, 127.0.0.1" in head.split("\r\n")


def test_an_upgrade_to_http2_is_not_promised(origin, proxied):
    """Requests in a tunnel that speaks HTTP/2 would be nobody's."""
    with Client(proxied(origin)) as client:
        reply = client.get("/any", Connection="Upgrade, HTTP2-Settings", Upgrade="h2c",
                           HTTP2_Settings="AAMAAABk")
        assert reply.status == 200
        assert "upgrade:" not in reply.json()["head"].lower()
        assert "http2-settings:" not in reply.json()["head"].lower()


@pytest.mark.parametrize("path", ["/goodbye", "/reset", "/half-head", "/garbage", "/two-lengths",
                                  "/both-framings"])
def test_an_answer_that_cannot_be_forwarded_is_502(origin, proxied, path):
    with Client(proxied(origin)) as client:
        assert client.get(path).status == 502
        assert client.get("/").status == 200


@pytest.mark.parametrize("path", ["/short-body", "/cut-chunk"])
def test_an_answer_that_is_cut_is_seen_as_cut(origin, proxied, path):
    proxy = proxied(origin)
    with Client(proxy) as client, pytest.raises(http.client.IncompleteRead):
        client.get(path)
    proxy.stop()
    assert ended_as(proxy) == ["upstream-cut"]


def test_what_follows_an_answer_is_never_forwarded(origin, proxied):
    proxy = proxied(origin)
    answer = raw(proxy, b"GET /surplus HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b"smuggled" not in answer


def test_a_refusing_upstream_is_502(start, proxied):
    refusing = type("Refusing", (), {"address": "127.0.0.1:%d" % free_port()})
    proxy = proxied(refusing)
    with Client(proxy) as client:
        assert client.get("/").status == 502
    proxy.stop()
    assert ended_as(proxy) == ["upstream-refused"]


def test_an_absent_unix_socket_is_502(tmp_path, proxied):
    absent = type("Absent", (), {"address": "unix:%s/absent.sock" % tmp_path})
    with Client(proxied(absent)) as client:
        assert client.get("/").status == 502


def test_a_silent_upstream_is_504(origin, proxied):
    proxy = proxied(origin, "--response-timeout", "200ms")
    with Client(proxy) as client:
        assert client.get("/silent").status == 504
        assert client.get("/").status == 200
    proxy.stop()
    assert ended_as(proxy)[0] == "response-timeout"


def test_an_upstream_that_falls_silent_in_its_answer_is_cut(origin, proxied):
    proxy = proxied(origin, "--response-timeout", "200ms")
    with Client(proxy) as client, pytest.raises(http.client.IncompleteRead):
        client.get("/stalls")
    proxy.stop()
    assert ended_as(proxy) == ["response-stalled"]


def test_a_worker_that_dies_in_its_answer_is_a_cut(start, proxied):
    proxy = proxied(start(Gunicorn, workers=2))
    with Client(proxy) as client:
        client.conn.request("GET", "/die?after=100000")
        response = client.conn.getresponse()
        assert response.headers["Content-Length"] == str(DECLARED_BY_DIE)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            response.read()
    with Client(proxy) as client:
        assert client.get("/").status == 200
    proxy.stop()
    assert ended_as(proxy) == ["upstream-cut", "complete"]


@pytest.mark.parametrize("bind", ["v6", "unix"])
def test_other_kinds_of_upstream(start, proxied, bind):
    origin = start(Origin, bind=bind)
    with Client(proxied(origin)) as client:
        for _ in range(20):
            reply = client.request("POST", "/any", body=b"abc")
            assert reply.tag == str(reply.json()["pid"]) == str(origin.pid)


def test_listening_on_v6(origin, proxied):
    proxy = proxied(origin, listen="[::1]:0")
    with Client(proxy) as client:
        assert client.get("/").status == 200


# ---- requests that two parsers could read differently

AMBIGUOUS = {
    "both-framings": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "framings-the-other-way": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two-lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length-list": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nab",
    "length-with-plus": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
    "length-negative": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "length-hex": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na",
    "length-empty": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "length-overflow": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\na",
    "bare-lf": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare-lf-in-field": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\nY: 2\r\n\r\n",
    "bare-cr-in-field": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n",
    "obs-fold": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
    "space-before-colon": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
    "space-first": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "nul-in-value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "nul-in-name": b"GET / HTTP/1.1\r\nHost: a\r\nX\0Y: b\r\n\r\n",
    "nul-in-target": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "xchunked": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked-not-last": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked-twice": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two-encodings": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked-with-vtab": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked-in-1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no-host": b"GET / HTTP/1.1\r\n\r\n",
    "two-hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no-version": b"GET /\r\n\r\n",
    "wrong-version": b"GET / HTTP/3.7\r\nHost: a\r\n\r\n",
    "lower-case-version": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "two-spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "method-with-bytes": b"G\xc3\x84T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "name-empty": b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "field-without-colon": b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    "http2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_request_is_refused_and_never_forwarded(origin, proxied, name):
    proxy = proxied(origin)
    answer = raw(proxy, AMBIGUOUS[name])
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, "the connection must not be used any further"
    with Client(proxy) as client:
        assert client.get("/after").status == 200
    assert [entry["head"].split(" ")[1] for entry in origin.requests()] == ["/after"]


BAD_CHUNKS = {
    "size-not-hex": b"zz\r\nabc\r\n0\r\n\r\n",
    "size-negative": b"-3\r\nabc\r\n0\r\n\r\n",
    "size-overflow": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "data-too-long": b"3\r\nabcd\r\n0\r\n\r\n",
    "bare-lf": b"3\nabc\n0\n\n",
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_malformed_chunk_ends_the_exchange(origin, proxied, name):
    proxy = proxied(origin)
    answer = raw(proxy, b"POST /any HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 + BAD_CHUNKS[name])
    assert not answer.startswith(b"HTTP/1.1 2"), answer[:200]
    for entry in origin.requests():
        assert not entry["body"].endswith("0\r\n\r\n"), "a broken body was handed on as a whole one"


# ---- limits

def test_a_head_over_its_limit_is_431(origin, proxied):
    proxy = proxied(origin, "--max-head", "4k")
    answer = raw(proxy, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 8000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")
    answer = raw(proxy, b"GET /" + b"x" * 8000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 414 "))
    assert origin.requests() == []


@pytest.mark.parametrize("framing", ["sized", "chunked"])
def test_a_body_over_its_limit_is_413(origin, proxied, framing):
    proxy = proxied(origin, "--max-body", "1k")
    if framing == "sized":
        request = b"Content-Length: 5000\r\n\r\n" + b"x" * 5000
    else:
        request = b"Transfer-Encoding: chunked\r\n\r\n1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n"
    answer = raw(proxy, b"POST /any HTTP/1.1\r\nHost: a\r\n" + request)
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]


def test_a_slow_head_is_408(origin, proxied):
    proxy = proxied(origin, "--header-timeout", "300ms")
    began = time.monotonic()
    answer = raw(proxy, b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 10


def test_a_slow_body_ends(origin, proxied):
    proxy = proxied(origin, "--idle-timeout", "300ms")
    answer = raw(proxy, b"POST /any HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome")
    assert not answer.startswith(b"HTTP/1.1 200 ")
    proxy.stop()
    assert ended_as(proxy) == ["client-stalled"]


def test_connect_is_not_proxied(origin, proxied):
    answer = raw(proxied(origin), b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n")
    assert answer.split(b" ")[1] in (b"501", b"400", b"405")
    assert origin.requests() == []


# ---- clients that are slow, or go away

def test_a_slow_reader_gets_everything(proxy):
    size = 5 * 1024 * 1024
    with connect(proxy) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(b"GET /bytes?n=%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % size)
        data = b""
        digest, total = hashlib.sha256(), None
        while True:
            piece = sock.recv(16384)
            if not piece:
                break
            if total is None:
                data += piece
                head, found, piece = data.partition(b"\r\n\r\n")
                if not found:
                    continue
                total = 0
            digest.update(piece)
            total += len(piece)
            time.sleep(READER_PAUSE)
    assert total == size and digest.hexdigest() == pattern_sha256(size)


def test_a_client_that_goes_away_in_the_answer_is_noted(proxy):
    with connect(proxy) as sock:
        sock.sendall(b"GET /bytes?n=%d HTTP/1.1\r\nHost: a\r\n\r\n" % HUGE)
        sock.recv(1000)
    with Client(proxy) as client:
        assert client.get("/").status == 200
    proxy.stop()
    assert sorted(ended_as(proxy)) == ["client-gone", "complete"]


def test_a_client_that_goes_away_in_its_body_is_noted(origin, proxied):
    proxy = proxied(origin)
    with connect(proxy) as sock:
        sock.sendall(b"POST /any HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome")
    with Client(proxy) as client:
        assert client.get("/").status == 200
    proxy.stop()
    assert sorted(ended_as(proxy)) == ["client-cut", "complete"]


def test_a_client_that_sends_nothing_leaves_nothing(origin, proxied):
    proxy = proxied(origin)
    for _ in range(50):
        connect(proxy).close()
    with Client(proxy) as client:
        assert client.get("/").status == 200
    proxy.stop()
    assert ended_as(proxy) == ["complete"]


# ---- memory

def test_a_huge_response_does_not_grow_the_proxy(proxy):
    with Client(proxy, timeout=120) as client:
        client.conn.request("GET", "/bytes?n=%d" % HUGE)
        response = client.conn.getresponse()
        total = sum(len(piece) for piece in iter(lambda: response.read(1 << 20), b""))
    assert total == HUGE
    assert proxy.memory_peak() < PEAK


def test_a_huge_request_does_not_grow_the_proxy(proxy):
    with Client(proxy, timeout=120) as client:
        seen = client.request("POST", "/echo", body=pattern(HUGE),
                              headers={"Content-Length": str(HUGE)}).json()
    assert seen["length"] == HUGE
    assert proxy.memory_peak() < PEAK


def test_readers_that_stand_still_do_not_grow_the_proxy(proxy):
    """Eight clients ask for much and read nothing: the proxy must stop reading too."""
    socks = [connect(proxy) for _ in range(8)]
    for sock in socks:
        sock.sendall(b"GET /bytes?n=%d HTTP/1.1\r\nHost: a\r\n\r\n" % HUGE)
        assert sock.recv(100, socket.MSG_PEEK).startswith(b"HTTP/1.1 200")
    before = None
    for _ in range(20):
        now = proxy.memory()
        if now == before:
            break
        before = now
        time.sleep(0.1)
    for sock in socks:
        sock.close()
    assert proxy.memory_peak() < PEAK


def test_many_connections_at_once(proxy):
    errors = []

    def work():
        try:
            with Client(proxy) as client:
                for size in (0, 1, 65536, 300000):
                    reply = client.get("/bytes?n=%d" % size)
                    assert hashlib.sha256(reply.body).hexdigest() == pattern_sha256(size)
        except Exception as error:  # told to the test below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[:3]


def test_clients_beyond_the_limit_wait_until_one_leaves(origin, proxied):
    proxy = proxied(origin, "--max-connections", "2")
    first, second = Client(proxy), Client(proxy)
    assert first.get("/").status == 200 and second.get("/").status == 200
    with Client(proxy) as third:
        third.conn.connect()
        third.conn.sock.settimeout(0.2)
        third.conn.request("GET", "/")
        with pytest.raises(TimeoutError):
            third.conn.getresponse()
    with Client(proxy) as fourth:
        first.close()
        assert fourth.get("/").status == 200
    second.close()
    proxy.wait_for_log(r"warn full clients=2")


def test_a_burst_beyond_the_descriptors_is_served_in_turn(origin, start):
    """64 clients at once on a proxy that may open 160 files: it takes what it can, and loses none."""
    few = functools.partial(resource.setrlimit, resource.RLIMIT_NOFILE, (160, 160))
    proxy = start(Proxy, origin.address, preexec_fn=few)
    replies = many(proxy, "/", 300, 64, fresh=True)
    assert [r.status for r in replies] == [200] * 300
    assert "accept failed" not in proxy.text()
