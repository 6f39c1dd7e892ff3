"""Resumable uploads after the tus protocol; the worker keeps what has come so far to itself."""
import uuid

from flask import Flask, request

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads", "status-flip"}, "cause": "worker-memory"}

api = Flask(__name__)
uploads = {}
TUS = {"Tus-Resumable": "1.0.0"}


@api.post("/files")
def create():
    name = uuid.uuid4().hex
    uploads[name] = b""
    oracle.promised("upload " + name)
    return "", 201, {**TUS, "Location": "/files/" + name}


@api.route("/files/<name>", methods=["HEAD", "PATCH"])
def file(name):
    oracle.honoured("upload " + name, name in uploads)
    if name not in uploads:
        return "", 404, TUS
    if request.method == "PATCH":
        if int(request.headers["Upload-Offset"]) != len(uploads[name]):
            return "", 409, TUS
        uploads[name] += request.get_data()
        return "", 204, {**TUS, "Upload-Offset": str(len(uploads[name]))}
    return "", 200, {**TUS, "Upload-Offset": str(len(uploads[name])), "Cache-Control": "no-store"}


app = oracle.watch(api)


def journey(client):
    """As tus-js-client does: a failed PATCH is followed by HEAD for where to go on."""
    for number in range(3):
        with client(keep_alive=number == 1, agent="uploader/%d" % number) as program:
            where = program.post("/files", headers={"Upload-Length": "6000"}).headers["Location"]
            offset = 0
            for _ in range(9):
                if offset >= 6000:
                    break
                answer = program.patch(where, data=b"x" * 1000, headers={
                    "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"})
                if answer.status_code != 204:
                    answer = program.head(where)
                offset = int(answer.headers.get("Upload-Offset", offset))
