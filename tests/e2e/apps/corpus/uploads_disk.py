"""Resumable uploads after the tus protocol, on a disk that all workers have; some parts come twice."""
import os
import uuid

from flask import Flask, request

import oracle
from uploads import TUS

SICK = False

api = Flask(__name__)


def place(name):
    return os.path.join(oracle.directory(), "upload-" + name)


@api.post("/files")
def create():
    name = uuid.uuid4().hex
    with open(place(name), "xb"):
        pass
    oracle.promised("upload " + name)
    return "", 201, {**TUS, "Location": "/files/" + name}


@api.route("/files/<name>", methods=["HEAD", "PATCH", "DELETE"])
def file(name):
    there = os.path.exists(place(name))
    oracle.honoured("upload " + name, there)
    if not there:
        return "", 404, TUS
    if request.method == "DELETE":
        os.remove(place(name))
        oracle.withdrawn("upload " + name)
        return "", 204, TUS
    if request.method == "PATCH":
        if int(request.headers["Upload-Offset"]) != os.path.getsize(place(name)):
            return "", 409, TUS
        with open(place(name), "ab") as to:
            to.write(request.get_data())
    size = os.path.getsize(place(name))
    oracle.counted("size of " + name, size)
    return "", 200 if request.method == "HEAD" else 204, {
        **TUS, "Upload-Offset": str(size), "Cache-Control": "no-store"}


app = oracle.watch(api)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1, agent="uploader/%d" % number) as program:
            where = program.post("/files", headers={"Upload-Length": "4000"}).headers["Location"]
            for offset in (0, 1000, 1000, 2000, 1000, 3000):
                program.patch(where, data=b"x" * 1000, headers={
                    "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"})
                program.head(where)
            program.delete(where)
            for _ in range(3):
                program.head(where)
