"""Bearer tokens signed with one key, which end after a third of a second, or are revoked, for all workers at once."""
import time
import uuid

import jwt
from flask import Flask, jsonify, request

import oracle
import stores

SICK = False
ROUNDS = 1
KEY = "one key for every worker, from the environment"
LIFE = 0.3

api = Flask(__name__)


def prepare():
    stores.sqlite("CREATE TABLE revoked (jti TEXT PRIMARY KEY)")


@api.post("/token")
def token():
    made = {"sub": request.form["user"], "jti": uuid.uuid4().hex, "until": time.time() + LIFE}
    oracle.promised("token")
    return jsonify(access_token=jwt.encode(made, KEY, algorithm="HS256"), expires_in=LIFE)


def claims():
    try:
        given = jwt.decode(request.headers["Authorization"].partition(" ")[2], KEY, algorithms=["HS256"])
    except (KeyError, jwt.InvalidTokenError):
        return None
    ended = stores.sqlite().execute("SELECT 1 FROM revoked WHERE jti = ?", [given["jti"]]).fetchone()
    if ended or given["until"] < time.time():
        oracle.withdrawn("token")
        return None
    return given


@api.get("/me")
@api.get("/orders")
def guarded():
    given = claims()
    oracle.honoured("token", given is not None)
    if given is None:
        return jsonify(error="invalid_token"), 401, {"WWW-Authenticate": "Bearer"}
    return jsonify(user=given["sub"], path=request.path)


@api.post("/revoke")
def revoke():
    given = claims()
    if given is not None:
        stores.sqlite().execute("INSERT INTO revoked VALUES (?)", [given["jti"]])
    oracle.withdrawn("token")
    return "", 204


app = oracle.watch(api)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1) as program:
            for turn in range(2):
                program.headers.pop("Authorization", None)
                given = program.post("/token", data={"user": "user%d" % number}).json()
                program.headers["Authorization"] = "Bearer " + given["access_token"]
                for path in ("/me", "/orders", "/me", "/me"):
                    program.get(path)
                if turn == number % 2:
                    program.post("/revoke")
                else:
                    time.sleep(LIFE)
                for path in ("/me", "/orders", "/me"):
                    program.get(path)
