"""The code that is mailed for a new password is kept by the worker that made it up."""
import secrets

from flask import Flask, jsonify, request

import oracle

SICK = True
EXPECT = {"guarantees": {"status-flip"}, "cause": {"worker-memory", "unknown"}}

api = Flask(__name__)
codes = {}


@api.post("/reset")
def ask():
    code = secrets.token_hex(8)
    codes[code] = request.get_json()["user"]
    oracle.promised("code " + code)
    return jsonify(sent=True, code_for_tests=code)


@api.post("/reset/check")
def check():
    code = request.get_json()["code"]
    oracle.honoured("code " + code, code in codes)
    if code not in codes:
        return jsonify(error="unknown or expired code"), 403
    return jsonify(user=codes[code], valid=True)


app = oracle.watch(api)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1, agent="tester/%d" % number) as program:
            code = program.post("/reset", json={"user": "ada"}).json()["code_for_tests"]
            for _ in range(6):
                program.post("/reset/check", json={"code": code})
