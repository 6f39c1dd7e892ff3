"""One list in every dress: gzip, brotli, deflate, as it is; JSON, text or HTML; with HEAD, ranges and charsets."""
import gzip
import zlib

from flask import Flask, Response, jsonify, request

import oracle
import stores

SICK = False

api = Flask(__name__)
ACCEPTS = ("application/json", "text/plain", "text/html")
CODINGS = ("gzip", "identity", "br", "deflate")


def prepare():
    stores.sqlite("CREATE TABLE line (id INTEGER PRIMARY KEY, text TEXT)")


def brotli_or_not(body):
    try:
        import brotli
    except ImportError:
        return None
    return brotli.compress(body)


def coded(answer):
    """As the client asked for it; the coding's own noise (a gzip's time) is there, too."""
    coding, body = request.headers.get("Accept-Encoding", "identity"), answer.get_data()
    made = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli_or_not}.get(coding)
    packed = made(body) if made else None
    answer.headers["Vary"] = "Accept, Accept-Encoding"
    if packed is not None:
        answer.set_data(packed)
        answer.headers["Content-Encoding"] = coding
    return answer


@api.post("/lines")
def add():
    text = request.get_data(as_text=True) if not request.is_json else request.get_json()["text"]
    stores.sqlite().execute("INSERT INTO line (text) VALUES (?)", [text])
    oracle.wrote("lines", text)
    return coded(jsonify(added=text)), 201


@api.get("/lines")
def show():
    lines = [row["text"] for row in stores.sqlite().execute("SELECT text FROM line ORDER BY id")]
    if request.method != "HEAD":
        oracle.showed("lines", lines)
    wanted = request.headers.get("Accept", "application/json")
    if wanted == "text/plain":
        return coded(Response("\n".join(lines) + "\n", mimetype="text/plain"))
    if wanted == "text/html":
        return coded(Response("<ul>" + "".join("<li>%s</li>" % line for line in lines) + "</ul>",
                              content_type="text/html; charset=ISO-8859-1"))
    return coded(jsonify(lines=lines))


app = oracle.watch(api)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1, agent="reader/%d" % number) as reader:
            for turn in range(3):
                text = "line %d of %s: tea and honey" % (turn, reader.name)
                reader.post("/lines", json={"text": text} if turn % 2 else None,
                            data=None if turn % 2 else text.encode())
                for step in range(4):
                    at = number + turn + step
                    reader.get("/lines", headers={"Accept": ACCEPTS[at // 2 % 3],
                                                  "Accept-Encoding": CODINGS[at % 4]})
                reader.head("/lines")
