"""Notes in a database, with --max-requests: workers come and go, and nothing is lost with them."""
from flask import Flask, jsonify, request

import oracle
import stores
from recycled import journey  # noqa: F401

SICK = False
WORKERS = 2
GUNICORN = ["--max-requests", "7"]

api = Flask(__name__)


def prepare():
    stores.sqlite("CREATE TABLE note (name TEXT PRIMARY KEY, text TEXT)")


@api.put("/notes/<name>")
def save(name):
    stores.sqlite().execute("INSERT OR REPLACE INTO note VALUES (?, ?)",
                            [name, request.get_json()["text"]])
    oracle.promised("note " + name)
    return jsonify(saved=name), 201


@api.get("/notes/<name>")
def show(name):
    row = stores.sqlite().execute("SELECT * FROM note WHERE name = ?", [name]).fetchone()
    oracle.honoured("note " + name, row is not None)
    if row is None:
        return jsonify(error="no such note"), 404
    return jsonify(name=name, text=row["text"])


app = oracle.watch(api)
