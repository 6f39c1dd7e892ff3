"""Answers that follow the worker in ways that somebody may know of and accept."""
import json
import os

seen = {"requests": 0}
RACK = "rack-" + "".join(chr(ord("a") + int(digit)) for digit in str(os.getpid()))


def answer(path):
    if path == "/metrics":
        seen["requests"] += 1
        return "application/json", json.dumps(seen)
    if path == "/json":
        return "application/json", json.dumps({"hello": "ann", "meta": {"rack": RACK}})
    if path == "/page":
        return "text/html", "<p>Hello ann</p> <i>served from %s</i> <b>Cart: 0 items</b>" % RACK
    return "application/json", json.dumps({"hello": "everybody"})


def app(environ, start_response):
    kind, text = answer(environ["PATH_INFO"])
    body = text.encode()
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
