"""Reads go to a replica that is forty milliseconds behind, the same for every worker: what was just written is
not there yet, on the worker that wrote it, either. No worker is to blame, so nothing counts as lost."""
import time

from flask import Flask, jsonify, request

import oracle
import stores

SICK = False
LAG = 0.04

api = Flask(__name__)


def prepare():
    stores.sqlite("CREATE TABLE post (id INTEGER PRIMARY KEY, text TEXT, written REAL)")


@api.post("/posts")
def write():
    number = stores.sqlite().execute("INSERT INTO post (text, written) VALUES (?, ?)",
                                     [request.get_json()["text"], time.time()]).lastrowid
    return jsonify(id=number), 201


@api.get("/posts")
def read():
    rows = stores.sqlite().execute("SELECT id, text FROM post WHERE written < ? ORDER BY id",
                                   [time.time() - LAG])
    return jsonify([dict(r) for r in rows])


@api.get("/posts/<int:number>")
def one(number):
    row = stores.sqlite().execute("SELECT id, text FROM post WHERE id = ? AND written < ?",
                                  [number, time.time() - LAG]).fetchone()
    return jsonify(dict(row)) if row else (jsonify(error="no such post"), 404)


app = oracle.watch(api)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1, agent="poster/%d" % number) as poster:
            for turn in range(3):
                made = poster.post("/posts", json={"text": "post %d of %s" % (turn, poster.name)}).json()
                for _ in range(4):
                    poster.get("/posts")
                    poster.get("/posts/%d" % made["id"])
                time.sleep(LAG)
                for _ in range(2):
                    poster.get("/posts")
                    poster.get("/posts/%d" % made["id"])
