"""An application that says which process answered: the oracle of the end-to-end tests.

The same answers through WSGI (`app`) and ASGI (`asgi`):
  /             {"pid"}
  /echo         {"pid", "method", "target", "headers", "length", "sha256"} of the request
  /bytes?n=     n bytes with a Content-Length
  /chunks?n=&size=   n pieces without a Content-Length
  /sleep?ms=    answers late
  /until?path=  answers once that file is there; says that it waits by making path.PID
  /status?code= an empty answer with this status
  /tagged       sends an X-Worker-PID of its own
  /die?after=   declares 1 MiB, sends this many bytes, and kills its own process
"""
import asyncio
import hashlib
import json
import os
import signal
import time
from urllib.parse import parse_qs

PIECE = b"0123456789abcdef" * 4096
DECLARED_BY_DIE = 1 << 20


def pattern(total):
    """`total` bytes, in pieces."""
    while total > 0:
        piece = PIECE[:min(total, len(PIECE))]
        total -= len(piece)
        yield piece


def pattern_sha256(total):
    digest = hashlib.sha256()
    for piece in pattern(total):
        digest.update(piece)
    return digest.hexdigest()


class Asked:
    """A request, whichever interface it came through."""

    def __init__(self, method, path, query, headers):
        self.method = method
        self.path = path
        self.query_string = query
        self.query = {k: v[-1] for k, v in parse_qs(query).items()}
        self.headers = headers
        self.length = 0
        self.digest = hashlib.sha256()

    def body(self, piece):
        self.length += len(piece)
        self.digest.update(piece)

    def number(self, name, default=0):
        return int(self.query.get(name, default))


def as_json(value, **headers):
    body = json.dumps(value).encode()
    fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return 200, fields + list(headers.items()), [body]


def dying(after):
    yield from pattern(after)
    yield None
    os.kill(os.getpid(), signal.SIGKILL)




def echo(asked):
    return as_json({"pid": os.getpid(), "method": asked.method,
                    "target": asked.path + ("?" + asked.query_string if asked.query_string else ""),
                    "headers": asked.headers, "length": asked.length,
                    "sha256": asked.digest.hexdigest()})


def sized(asked):
    n = asked.number("n")
    fields = [("Content-Type", "application/octet-stream"), ("Content-Length", str(n))]
    return 200, fields, pattern(n)


def chunks(asked):
    pieces = (PIECE[:asked.number("size", 1024)] for _ in range(asked.number("n", 3)))
    return 200, [("Content-Type", "application/octet-stream")], pieces


def status(asked):
    code = asked.number("code", 204)
    return code, [("ETag", '"one"')] if code == 304 else [], []


def tagged(asked):
    return as_json({"pid": os.getpid()}, **{"X-Worker-PID": "1", "X-Request-ID": "of-the-app"})


def die(asked):
    return 200, [("Content-Length", str(DECLARED_BY_DIE))], dying(asked.number("after", 1000))


ANSWERS = {"/": lambda asked: as_json({"pid": os.getpid()}), "/echo": echo, "/bytes": sized,
           "/chunks": chunks, "/status": status, "/tagged": tagged, "/die": die,
           "/sleep": lambda asked: as_json({"pid": os.getpid()}),
           "/until": lambda asked: as_json({"pid": os.getpid()})}


def answer(asked):
    if asked.path not in ANSWERS:
        return 404, [("Content-Length", "0")], []
    return ANSWERS[asked.path](asked)


def delays(asked):
    """How long to sleep before the answer, one piece after another."""
    if asked.path == "/sleep":
        yield asked.number("ms") / 1000.0
    elif asked.path == "/until":
        path = asked.query["path"]
        open("%s.%d" % (path, os.getpid()), "w").close()
        while not os.path.exists(path):
            yield 0.01


# ---- WSGI

REASONS = {200: "OK", 204: "No Content", 304: "Not Modified", 404: "Not Found"}


def wsgi_headers(environ):
    headers = {k[5:].replace("_", "-").lower(): v
               for k, v in environ.items() if k.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


def app(environ, start_response):
    asked = Asked(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"],
                  wsgi_headers(environ))
    for piece in iter(lambda: environ["wsgi.input"].read(1 << 16), b""):
        asked.body(piece)
    for seconds in delays(asked):
        time.sleep(seconds)
    code, fields, pieces = answer(asked)
    start_response("%d %s" % (code, REASONS.get(code, "Something")), fields)
    return (piece for piece in pieces if piece is not None)


# ---- ASGI

async def asgi_body(asked, receive):
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return
        asked.body(event.get("body", b""))
        if not event.get("more_body"):
            return


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
    asked = Asked(scope["method"], scope["path"], scope["query_string"].decode(), headers)
    await asgi_body(asked, receive)
    for seconds in delays(asked):
        await asyncio.sleep(seconds)
    code, fields, pieces = answer(asked)
    await send({"type": "http.response.start", "status": code,
                "headers": [(k.encode(), v.encode()) for k, v in fields]})
    for piece in pieces:
        if piece is None:
            await asyncio.sleep(0.05)
        else:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
