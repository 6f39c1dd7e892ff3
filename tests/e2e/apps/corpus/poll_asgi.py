"""A poll as a bare ASGI application (WSGI for the others), its votes in a dict of the module."""
import json

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads"}, "cause": "worker-memory"}

votes = {"tea": 0, "coffee": 0}


def answer(method, path, body):
    """Status and document."""
    if method == "POST" and path == "/votes":
        votes[json.loads(body)["for"]] += 1
        oracle.raised("votes")
        return 201, {"thanks": True}
    if method == "GET" and path == "/votes":
        oracle.counted("votes", sum(votes.values()))
        return 200, {"votes": votes, "total": sum(votes.values())}
    return 404, {"error": "not found"}


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    status, document = answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
    start_response("%d Some" % status, [("Content-Type", "application/json")])
    return [json.dumps(document).encode()]


async def poll(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body")
    status, document = answer(scope["method"], scope["path"], body)
    await send({"type": "http.response.start", "status": status,
                "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(document).encode()})


app = oracle.watch(wsgi)
asgi = oracle.watch_asgi(poll)


def journey(client):
    for number in range(2):
        with client(keep_alive=number == 1, agent="voter/%d" % number) as voter:
            for turn in range(8):
                voter.post("/votes", json={"for": "tea" if turn % 3 else "coffee"})
                for _ in range(1 + turn % 3):
                    voter.get("/votes")
