"""The chat room, as it should be: its history in Redis, of which only the newest thirty are kept."""
import json

from flask import Flask, jsonify, request, session

import oracle
import stores
from chat import journey  # noqa: F401

SICK = False
NEEDS = ["/usr/bin/redis-check-rdb"]

room = Flask(__name__)
room.secret_key = "the same in every worker"
redis = stores.redis() if oracle.LOG else None


@room.post("/join")
def join():
    session["name"] = request.get_json()["name"]
    redis.sadd("people", session["name"])
    return jsonify(joined=session["name"], people=redis.scard("people"))


@room.post("/messages")
def say():
    text = request.get_json()["text"]
    redis.rpush("messages", json.dumps({"from": session["name"], "text": text}))
    redis.ltrim("messages", -30, -1)
    oracle.wrote("messages", text)
    return jsonify(sent=True), 201


@room.get("/messages")
def read():
    messages = [json.loads(m) for m in redis.lrange("messages", 0, -1)]
    oracle.showed("messages", [m["text"] for m in messages])
    return jsonify(messages)


app = oracle.watch(room)
