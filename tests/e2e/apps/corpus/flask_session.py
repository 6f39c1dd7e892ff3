"""Notes kept in Flask's own signed cookie; each worker makes up its key at its start."""
import os

from flask import Flask, jsonify, request, session

import oracle

SICK = True
EXPECT = {"guarantees": {"session-reset", "read-your-writes", "monotonic-reads"},
          "cause": "per-worker-secret"}

notes = Flask(__name__)
notes.secret_key = os.urandom(24)


@notes.post("/notes")
def add():
    text = request.form["text"]
    discarded_what_was_there()
    session["notes"] = session.get("notes", []) + [text]
    oracle.wrote("notes", text)
    return jsonify(ok=True), 201


def discarded_what_was_there():
    """The cookie came from this application, and this worker will now put another in its place."""
    if "session" in request.cookies and not session:
        oracle.lost("the session cookie was refused")


@notes.get("/notes")
def show():
    mine = session.get("notes", [])
    oracle.showed("notes", mine)
    return jsonify(notes=mine)


app = oracle.watch(notes)


def journey(client):
    for number in range(4):
        with client() as writer:
            writer.get("/notes")
            for turn, text in enumerate(("buy milk", "call home", "note %d" % number)):
                writer.post("/notes", data={"text": text})
                for _ in range(1 + (turn + number) % 3):
                    writer.get("/notes")
