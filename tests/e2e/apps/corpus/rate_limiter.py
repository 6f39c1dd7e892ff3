"""Ten requests for each key, counted by each worker for itself: what remains goes up again."""
from flask import Flask, jsonify, request

import oracle

SICK = True
EXPECT = {"guarantees": {"monotonic-reads", "status-flip"}, "cause": "worker-memory"}

api = Flask(__name__)
LIMIT = 10
used = {}


@api.get("/quotes")
def quotes():
    key = request.headers["X-Api-Key"]
    used[key] = used.get(key, 0) + 1
    refused = used[key] > LIMIT
    oracle.counted("used", min(used[key], LIMIT))
    remaining = {"X-RateLimit-Limit": str(LIMIT),
                 "X-RateLimit-Remaining": str(max(0, LIMIT - used[key]))}
    if refused:
        return jsonify(error="too many requests"), 429, remaining
    return jsonify(quote="Buy low", used=used[key], limit=LIMIT), 200, remaining


app = oracle.watch(api)


def journey(client):
    for number in range(2):
        with client(keep_alive=number == 1, agent="trader/%d" % number) as program:
            program.headers["X-Api-Key"] = "key of %s" % program.name
            for _ in range(26):
                program.get("/quotes")
