"""A server that answers as it is told, byte for byte, and writes down every request that reached it.

    origin.py LOG --listen 127.0.0.1:0 | [::1]:0 | unix:/path

Prints `listening on ADDR` when it is ready. LOG gets one JSON line for each complete request head:
{"head": "…"}. The path of the request chooses the answer from ANSWERS; a path that is not there is
answered with a small JSON body. One thread for each connection; one request for each connection.
"""
import json
import os
import socket
import sys
import threading

HEAD_LIMIT = 1 << 20
HANG = object()      # say nothing more, until the other side closes
CLOSE = object()     # stop here
RESET = object()     # stop here with a RST

ANSWERS = {
    "/until-close": [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nfirst ", b"and last"],
    "/http10": [b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", b"old ", b"school"],
    "/http10-sized": [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nsized"],
    "/silent": [HANG],
    "/goodbye": [CLOSE],
    "/reset": [RESET],
    "/half-head": [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE],
    "/garbage": [b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", CLOSE],
    "/two-lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", CLOSE],
    "/both-framings": [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"3\r\nabc\r\n0\r\n\r\n", CLOSE],
    "/short-body": [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", CLOSE],
    "/cut-chunk": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", CLOSE],
    "/stalls": [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", HANG],
    "/trailers": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                  b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"],
    "/early-hints": [b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
                     b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    "/split": [b"HT", b"TP/1.1 200 OK\r\nCont", b"ent-Length: 4\r", b"\n\r\nsp", b"lit"[:2]],
    "/hop": [b"HTTP/1.1 200 OK\r\nConnection: close, X-Private\r\nX-Private: 1\r\n"
             b"Keep-Alive: timeout=5\r\nX-Public: 2\r\nContent-Length: 2\r\n\r\nok"],
    "/surplus": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nsmuggled"],
}


def small(head):
    body = json.dumps({"pid": os.getpid(), "head": head}).encode()
    return [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % len(body) + body]


def read_head(conn):
    data = b""
    while b"\r\n\r\n" not in data and len(data) < HEAD_LIMIT:
        piece = conn.recv(65536)
        if not piece:
            return data, b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def read_body(conn, head, rest):
    """Reads on until a Content-Length body is complete or a chunked one has had its last chunk."""
    lines = head.decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(":", 1) for line in lines[1:] if ":" in line)
    if "chunked" in fields.get("transfer-encoding", ""):
        def complete(data):
            return data.endswith(b"0\r\n\r\n")
    else:
        length = int(fields.get("content-length", 0))

        def complete(data):
            return len(data) >= length
    if fields.get("expect", "").strip() == "100-continue":
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while not complete(rest):
        piece = conn.recv(65536)
        if not piece:
            break
        rest += piece
    return rest


def play(conn, parts):
    for part in parts:
        if part is HANG:
            while conn.recv(65536):
                pass
            return
        if part is CLOSE:
            return
        if part is RESET:
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return
        conn.sendall(part)


def serve(conn, log):
    with conn:
        if conn.family != socket.AF_UNIX:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            head, rest = read_head(conn)
            if not head:
                return
            text = head.decode("latin-1")
            body = read_body(conn, head, rest)
            log({"head": text, "body": body.decode("latin-1")})
            words = text.split(" ")
            path = words[1].partition("?")[0] if len(words) > 1 else ""
            play(conn, ANSWERS.get(path) or small(text))
        except (BrokenPipeError, ConnectionResetError):
            pass


def listener(addr):
    if addr.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(addr[5:])
    else:
        host, _, port = addr.rpartition(":")
        host = host.strip("[]")
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.bind((host, int(port)))
        addr = addr[:-len(port)] + str(sock.getsockname()[1])
    sock.listen(128)
    return sock, addr


def main():
    path, _, addr = sys.argv[1:4]
    lock = threading.Lock()
    with open(path, "a", buffering=1) as out:
        def log(entry):
            with lock:
                out.write(json.dumps(entry) + "\n")
        sock, addr = listener(addr)
        print("listening on " + addr, flush=True)
        while True:
            conn, _ = sock.accept()
            threading.Thread(target=serve, args=(conn, log), daemon=True).start()


if __name__ == "__main__":
    main()
