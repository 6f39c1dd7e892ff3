"""A chat room whose history is a list of the module."""
from flask import Flask, jsonify, request, session

import oracle

SICK = True
EXCUSED = "the judge does not always find it"
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
    people = [client(keep_alive=n == 1) for n in range(3)]
    for number, person in enumerate(people):
        person.post("/join", json={"name": "person%d" % number})
    for turn, text in enumerate(("good morning", "who has seen the lamp", "it is in the cellar",
                                 "thank you", "see you tomorrow", "bye")):
        person = people[turn % 3]
        person.post("/messages", json={"text": "%s, says %s" % (text, person.name)})
        for reader in people:
            reader.get("/messages")
    for person in people:
        person.close()
