"""Clients of the end-to-end tests: keep-alive connections, raw bytes, many at once."""
import http.client
import json
import socket
import threading

TIMEOUT = 15


class Reply:
    """A complete response."""

    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    @property
    def tag(self):
        return self.headers["X-Worker-PID"]


class Client:
    """One keep-alive connection to a proxy."""

    def __init__(self, proxy, timeout=TIMEOUT):
        self.conn = http.client.HTTPConnection(proxy.host, proxy.port, timeout=timeout)

    def request(self, method, target, body=None, headers=None, **kwargs):
        self.conn.request(method, target, body=body, headers=headers or {}, **kwargs)
        response = self.conn.getresponse()
        return Reply(response, response.read())

    def get(self, target, **headers):
        return self.request("GET", target, headers={k.replace("_", "-"): v
                                                    for k, v in headers.items()})

    def close(self):
        self.conn.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def many(proxy, target, total, clients, fresh=False, timeout=TIMEOUT):
    """`total` GETs of `clients` at once; the replies, in no order. Each client keeps its connection
    alive, or makes a fresh one for each request."""
    replies, errors = [], []

    def work(count):
        try:
            rounds = [1] * count if fresh else [count]
            for part in rounds:
                with Client(proxy, timeout) as client:
                    for _ in range(part):
                        replies.append(client.get(target))
        except Exception as error:  # the thread must tell the test, whatever it was
            errors.append(error)

    shares = [total // clients + (i < total % clients) for i in range(clients)]
    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    return replies


def connect(proxy, timeout=TIMEOUT):
    return socket.create_connection((proxy.host, proxy.port), timeout=timeout)


def read_all(sock):
    """Everything until the other side closes (a reset counts as that too)."""
    data = b""
    try:
        while True:
            piece = sock.recv(65536)
            if not piece:
                return data
            data += piece
    except ConnectionResetError:
        return data


def raw(proxy, data, timeout=TIMEOUT):
    """Sends bytes, and reads until the connection is closed."""
    with connect(proxy, timeout) as sock:
        sock.sendall(data)
        return read_all(sock)


class Responses:
    """Reads responses off a raw socket, one by one."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")

    def next(self, method="GET"):
        response = http.client.HTTPResponse(FileOfSocket(self.file), method=method)
        response.begin()
        return Reply(response, response.read())


class FileOfSocket:
    """What http.client wants of a socket, without its closing the file at the end of a response."""

    def __init__(self, file):
        self.file = file

    def makefile(self, mode):
        return Unclosed(self.file)


class Unclosed:
    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        pass
