"""Servers of the standard library alone; every answer is {"pid": of the process that gives it}.

usage: plain.py MODEL WHERE
MODEL  prefork    workers share one listening socket
       reuseport  each worker has a listening socket of its own, on the same port
       fork       one process accepts, and forks a child for each connection
WHERE  v4, dual (an IPv6 socket that takes IPv4 too), unix:PATH or unix:@NAME
"""
import json
import os
import signal
import socket
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

WORKERS = 4
BACKLOG = 128


class Whoami(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        target = urlsplit(self.path)
        if target.path == "/sleep":
            time.sleep(int(parse_qs(target.query)["ms"][0]) / 1000)
        body = json.dumps({"pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(HTTPServer):
    """HTTPServer on a socket of our own making."""

    def __init__(self, sock):
        super().__init__(sock.getsockname(), Whoami, bind_and_activate=False)
        self.socket.close()
        self.socket = sock


class Forking(socketserver.ForkingMixIn, Server):
    max_children = 64


def bound(where, shared=False):
    if where.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        path = where[len("unix:"):]
        sock.bind("\0" + path[1:] if path.startswith("@") else path)
    elif where == "dual":
        sock = socket.socket(socket.AF_INET6)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", 0))
    else:
        sock = socket.socket()
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", shared if shared is not True else 0))
    return sock


def listening(sock):
    sock.listen(BACKLOG)
    return sock


def announce(sock, where):
    address = where if where.startswith("unix:") else "127.0.0.1:%d" % sock.getsockname()[1]
    print("listening on", address, flush=True)


def fork_workers(make_socket):
    """Workers that never end by themselves: whoever dies is replaced."""
    def worker():
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            Server(make_socket()).serve_forever(poll_interval=3600)
    for _ in range(WORKERS):
        worker()
    yield
    while True:
        os.wait()
        worker()


def main(model, where):
    if model == "reuseport":
        reserved = bound(where, shared=True)
        port = reserved.getsockname()[1]
        workers = fork_workers(lambda: listening(bound(where, shared=port)))
        next(workers)
        wait_for_listeners(port)
        announce(reserved, where)
        next(workers)
    elif model == "fork":
        sock = listening(bound(where))
        announce(sock, where)
        Forking(sock).serve_forever()
    else:
        sock = listening(bound(where))
        workers = fork_workers(lambda: sock)
        next(workers)
        announce(sock, where)
        next(workers)


def wait_for_listeners(port):
    """Until every worker listens: a connection of each to itself is not needed, the table says it."""
    local = "0100007F:%04X" % port
    while True:
        with open("/proc/net/tcp") as table:
            rows = [line.split() for line in table]
        if sum(row[1] == local and row[3] == "0A" for row in rows) == WORKERS:
            return
        time.sleep(0.01)


main(*sys.argv[1:])
