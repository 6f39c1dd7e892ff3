"""Log-out puts the token on a list of revoked ones; each worker has its own list."""
import uuid

import jwt
from flask import Flask, jsonify, request

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads", "status-flip"}, "cause": "worker-memory"}

api = Flask(__name__)
KEY = "one key for every worker, from the environment"
revoked = set()


def claims():
    try:
        return jwt.decode(request.headers["Authorization"].partition(" ")[2], KEY,
                          algorithms=["HS256"])
    except (KeyError, jwt.InvalidTokenError):
        return None


@api.post("/token")
def token():
    return jsonify(access_token=jwt.encode({"jti": uuid.uuid4().hex, "sub": "ada"}, KEY,
                                           algorithm="HS256"))


@api.post("/logout")
def logout():
    revoked.add(claims()["jti"])
    oracle.promised("revoked " + claims()["jti"])
    return "", 204


@api.get("/me")
def me():
    who = claims()
    refused = who is None or who["jti"] in revoked
    if who is not None:
        oracle.honoured("revoked " + who["jti"], refused)
    return (jsonify(error="invalid_token"), 401) if refused else jsonify(user=who["sub"])


app = oracle.watch(api)


def journey(client):
    """What a test of log-out does."""
    for number in range(3):
        with client(keep_alive=number == 1) as program:
            given = program.post("/token").json()["access_token"]
            program.headers["Authorization"] = "Bearer " + given
            program.get("/me")
            program.get("/me")
            program.post("/logout")
            for _ in range(6):
                program.get("/me")
