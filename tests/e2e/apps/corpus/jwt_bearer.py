"""An API with bearer tokens, JWT signed with a key that each worker makes up at its start."""
import secrets

import jwt
from flask import Flask, jsonify, request

import oracle

SICK = True
EXPECT = {"guarantees": {"status-flip"}, "cause": "per-worker-secret"}

api = Flask(__name__)
KEY = secrets.token_hex(32)


def bearer():
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        return jwt.decode(token, KEY, algorithms=["HS256"]) if kind == "Bearer" else None
    except jwt.InvalidTokenError:
        return None


@api.post("/token")
def token():
    oracle.promised("token")
    return jsonify(access_token=jwt.encode({"sub": request.form["user"]}, KEY, algorithm="HS256"),
                   token_type="Bearer")


@api.get("/me")
@api.get("/orders")
def guarded():
    claims = bearer()
    oracle.honoured("token", claims is not None)
    if claims is None:
        return jsonify(error="invalid_token"), 401, {"WWW-Authenticate": "Bearer"}
    return jsonify(user=claims["sub"], path=request.path)


app = oracle.watch(api)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1) as program:
            given = program.post("/token", data={"user": "user%d" % number}).json()
            program.headers["Authorization"] = "Bearer " + given["access_token"]
            for path in ("/me", "/orders", "/me", "/me", "/orders"):
                program.get(path)
