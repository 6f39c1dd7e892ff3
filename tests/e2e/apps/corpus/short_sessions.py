"""Sessions in a database that end after a third of a second of rest; then one has to log in again."""
import secrets
import time

from flask import Flask, jsonify, request

import oracle
import stores

SICK = False
ROUNDS = 1
REST = 0.3

api = Flask(__name__)


def prepare():
    stores.sqlite("CREATE TABLE session (id TEXT PRIMARY KEY, user TEXT, used REAL, steps INTEGER)")


def current():
    """The session of the request, if it is alive; an old one is thrown away."""
    db, sid = stores.sqlite(), request.cookies.get("sessionid", "")
    row = db.execute("SELECT * FROM session WHERE id = ?", [sid]).fetchone()
    alive = row is not None and time.time() - row["used"] < REST
    if alive:
        db.execute("UPDATE session SET used = ?, steps = steps + 1 WHERE id = ?", [time.time(), sid])
    else:
        db.execute("DELETE FROM session WHERE id = ?", [sid])
        oracle.withdrawn("login")
    oracle.honoured("login", alive)
    return row if alive else None


@api.post("/login")
def login():
    sid = secrets.token_hex(16)
    stores.sqlite().execute("INSERT INTO session VALUES (?, ?, ?, 0)",
                            [sid, request.form["name"], time.time()])
    oracle.promised("login")
    answer = jsonify(welcome=request.form["name"])
    answer.set_cookie("sessionid", sid, httponly=True)
    return answer


@api.get("/me")
@api.get("/me/steps")
def me():
    row = current()
    if row is None:
        answer = jsonify(error="your session has ended")
        answer.status_code = 401
        if request.cookies.get("sessionid"):
            answer.delete_cookie("sessionid")
        return answer
    return jsonify(user=row["user"], steps=row["steps"])


@api.post("/logout")
def logout():
    stores.sqlite().execute("DELETE FROM session WHERE id = ?", [request.cookies.get("sessionid", "")])
    oracle.withdrawn("login")
    answer = jsonify(bye=True)
    answer.delete_cookie("sessionid")
    return answer


app = oracle.watch(api)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1) as program:
            for turn in range(2):
                program.post("/login", data={"name": "user%d" % number})
                for path in ("/me", "/me/steps", "/me", "/me"):
                    program.get(path)
                if turn == 0:
                    time.sleep(REST + 0.05)
                else:
                    program.post("/logout")
                for path in ("/me", "/me", "/me/steps"):
                    program.get(path)
