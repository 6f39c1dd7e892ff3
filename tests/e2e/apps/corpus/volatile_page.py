"""Pages of which every answer differs, on any worker: clock, nonce, request's id, tokens, load, advertisement,
shuffled lists and keys. What is written is in a database, and stands among them."""
import json
import os
import random
import time
import uuid

from flask import Flask, Response, jsonify, render_template_string, request

import oracle
import stores

SICK = False

site = Flask(__name__)
PAGE = """<!doctype html><html><head><meta name="csrf-token" content="{{ token }}">
<script nonce="{{ nonce }}">window.now = {{ now }};</script></head>
<body data-request="{{ request_id }}"><p class=ad>{{ ad }}</p><ul>{% for m in memos %}
<li id="memo-{{ m.id }}">{{ m.text }}</li>{% endfor %}</ul>
<footer>rendered in {{ ms }} ms at {{ clock }}, {{ online }} people online</footer></body></html>"""
ADS = ["Buy lamps", "Rent a boat", "Learn Latin", "Fly to Crete", "Eat more fish", "Save water"]


def prepare():
    stores.sqlite("CREATE TABLE memo (id INTEGER PRIMARY KEY, text TEXT)")


@site.post("/memos")
def add():
    stores.sqlite().execute("INSERT INTO memo (text) VALUES (?)", [request.form["text"]])
    oracle.wrote("memos", request.form["text"])
    return jsonify(ok=True, trace_id=uuid.uuid4().hex), 201


def memos():
    return stores.sqlite().execute("SELECT * FROM memo").fetchall()


@site.get("/")
def page():
    found = memos()
    oracle.showed("memos", [m["text"] for m in found])
    return render_template_string(
        PAGE, token=os.urandom(24).hex(), nonce=os.urandom(12).hex(), now=time.time(),
        request_id=uuid.uuid4(), ad=random.choice(ADS), memos=found, ms=random.randint(1, 40),
        clock=time.strftime("%H:%M:%S"), online=random.randint(3, 60))


@site.get("/api/memos")
def api():
    """A set has no order, and neither have the members of an object."""
    found = memos()
    random.shuffle(found)
    oracle.showed("memos", [m["text"] for m in found])
    items = [dict(random.sample(list(dict(m).items()), 2)) for m in found]
    body = {"items": items, "generated_at": time.time(), "request_id": str(uuid.uuid4()),
            "server": {"pid": os.getpid(), "load": random.random(), "uptime": time.monotonic()}}
    keys = random.sample(list(body), len(body))
    return Response(json.dumps({k: body[k] for k in keys}), mimetype="application/json",
                    headers={"X-Request-Id": str(uuid.uuid4()), "Server-Timing": "db;dur=1.5"})


app = oracle.watch(site)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1, agent="reader/%d" % number) as browser:
            for text in ("water the roses", "feed the cat", "memo %s" % browser.name):
                browser.post("/memos", data={"text": text})
                for path in ("/", "/api/memos", "/", "/api/memos"):
                    browser.get(path)
