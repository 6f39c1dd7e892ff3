"""A list of things to do that each worker read at its start: what was deleted comes back elsewhere."""
from flask import Flask, jsonify

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads", "status-flip"}, "cause": "worker-memory"}

api = Flask(__name__)
todo = {number: "Thing number %d" % number for number in range(1, 9)}


@api.get("/todo")
def show():
    oracle.showed("todo", todo)
    return jsonify([{"id": number, "what": what} for number, what in todo.items()])


@api.delete("/todo/<int:number>")
def done(number):
    todo.pop(number, None)
    oracle.removed("todo", number)
    return "", 204


app = oracle.watch(api)


def journey(client):
    with client(agent="planner/1.0") as program:
        program.get("/todo")
        for number in (3, 5, 7):
            program.delete("/todo/%d" % number)
            for _ in range(5):
                program.get("/todo")
