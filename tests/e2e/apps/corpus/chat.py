"""A chat room whose history is a list of the module."""
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, jsonify, request, session

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads"}, "cause": "worker-memory"}

room = Flask(__name__)
room.secret_key = "the same in every worker"
history = []


@room.post("/join")
def join():
    session["name"] = request.get_json()["name"]
    return jsonify(joined=session["name"])


@room.post("/messages")
def say():
    text = request.get_json()["text"]
    history.append({"from": session["name"], "text": text})
    oracle.wrote("messages", text)
    return jsonify(sent=True), 201


@room.get("/messages")
def read():
    oracle.showed("messages", [m["text"] for m in history])
    return jsonify(history)


app = oracle.watch(room)


def journey(client):
    """Three people at once, each for itself: their requests overlap."""
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(talk, client(keep_alive=n == 1), n) for n in range(3)]:
            done.result()


def talk(person, number):
    with person:
        person.post("/join", json={"name": "person%d" % number})
        for text in ("good morning", "who has seen the lamp", "it is in the cellar"):
            person.post("/messages", json={"text": "%s, says %s" % (text, person.name)})
            for _ in range(3):
                person.get("/messages")
