"""Jobs that run in the background of the worker that took the order; only it knows how they fare."""
import uuid

from flask import Flask, jsonify

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads", "status-flip"}, "cause": "worker-memory"}

api = Flask(__name__)
jobs = {}


@api.post("/jobs")
def order():
    job = str(uuid.uuid4())
    jobs[job] = "running"
    oracle.promised("job " + job)
    return jsonify(id=job, status="running"), 202, {"Location": "/jobs/" + job}


@api.get("/jobs/<job>")
def status(job):
    oracle.honoured("job " + job, job in jobs)
    if job not in jobs:
        return jsonify(error="no such job"), 404
    return jsonify(id=job, status=jobs[job])


app = oracle.watch(api)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1, agent="batch/%d" % number) as program:
            for _ in range(2):
                where = program.post("/jobs", json={"report": number}).headers["Location"]
                for _ in range(5):
                    program.get(where)
