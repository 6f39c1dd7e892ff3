"""Jobs whose progress the clock makes, kept in a database; a finished one is thrown away after a while."""
import time
import uuid

from flask import Flask, jsonify

import oracle
import stores

SICK = False
ROUNDS = 1
TAKES, KEPT = 0.25, 0.5

api = Flask(__name__)


def prepare():
    stores.sqlite("CREATE TABLE job (id TEXT PRIMARY KEY, began REAL)")


@api.post("/jobs")
def order():
    job = str(uuid.uuid4())
    stores.sqlite().execute("INSERT INTO job VALUES (?, ?)", [job, time.time()])
    oracle.promised("job " + job)
    return jsonify(id=job, state="queued", progress=0), 202, {"Location": "/jobs/" + job}


@api.get("/jobs/<job>")
def status(job):
    row = stores.sqlite().execute("SELECT * FROM job WHERE id = ?", [job]).fetchone()
    age = time.time() - row["began"] if row else 0
    if row is None or age > KEPT:
        oracle.withdrawn("job " + job)
        return jsonify(error="no such job"), 404
    done = min(100, int(100 * age / TAKES))
    oracle.honoured("job " + job, True)
    oracle.counted("progress of " + job, done)
    state = "queued" if done < 10 else "running" if done < 100 else "finished"
    return jsonify(id=job, state=state, progress=done, eta=max(0, round(TAKES - age, 3)))


app = oracle.watch(api)


def journey(client):
    for number in range(2):
        with client(keep_alive=number == 1, agent="batch/%d" % number) as program:
            where = program.post("/jobs").headers["Location"]
            for pause in (0, 0, 0.05, 0.05, 0.05, 0.1, 0, 0, 0.35, 0, 0):
                time.sleep(pause)
                program.get(where)
