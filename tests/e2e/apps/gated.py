"""What a gate guards: a list that each worker keeps for itself, or that all share (GATED_SHARED=FILE).

GET /items shows it, POST /items adds the name in it. Every client has a session cookie.
"""
import json
import os
import time
import uuid

# A worker is busy for so long after its answer, so that the next request goes to another one.
BUSY_SECONDS = 0.02

items = []
shared = os.environ.get("GATED_SHARED")


def stored():
    if not shared:
        return items
    try:
        with open(shared) as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def add(item):
    items.append(item)
    if shared:
        with open(shared, "a") as file:
            file.write(item + "\n")


class Busy:
    """A body, and the pause when it is out."""

    def __init__(self, body):
        self.body = body

    def __iter__(self):
        yield self.body.encode()

    def close(self):
        time.sleep(BUSY_SECONDS)


def app(environ, start_response):
    headers = [("Content-Type", "application/json")]
    if "session=" not in environ.get("HTTP_COOKIE", ""):
        headers.append(("Set-Cookie", "session=%s; Path=/" % uuid.uuid4().hex))
    if environ["REQUEST_METHOD"] == "POST":
        name = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))["name"]
        add(name)
        body = json.dumps({"added": name})
    else:
        body = json.dumps({"items": [{"name": name} for name in stored()]})
    start_response("200 OK", headers + [("Content-Length", str(len(body)))])
    return Busy(body)
