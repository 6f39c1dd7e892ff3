"""One worker, a dict, and --max-requests: state dies whenever the worker is replaced."""
from flask import Flask, jsonify, request

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads", "status-flip"},
          "cause": {"worker-restarted"}}
WORKERS = 1
GUNICORN = ["--max-requests", "9"]

api = Flask(__name__)
notes = {}


@api.put("/notes/<name>")
def save(name):
    notes[name] = request.get_json()["text"]
    oracle.promised("note " + name)
    return jsonify(saved=name), 201


@api.get("/notes/<name>")
def show(name):
    oracle.honoured("note " + name, name in notes)
    if name not in notes:
        return jsonify(error="no such note"), 404
    return jsonify(name=name, text=notes[name])


app = oracle.watch(api)


def journey(client):
    for number in range(2):
        with client(agent="writer/%d" % number) as writer:
            for day in ("monday", "tuesday", "friday"):
                name = "%s-%s" % (day, writer.name)
                writer.put("/notes/" + name, json={"text": "dear diary of " + day})
                for _ in range(6):
                    writer.get("/notes/" + name)
