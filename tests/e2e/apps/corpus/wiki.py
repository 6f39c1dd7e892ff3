"""A wiki that several edit at once: ETags, 304, If-Match, and edits that replace one's own."""
import hashlib
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, Response, jsonify, request

import oracle
import stores

SICK = False

wiki = Flask(__name__)
PAGES = ("start", "garden", "kitchen")


def prepare():
    db = stores.sqlite("CREATE TABLE page (name TEXT PRIMARY KEY, text TEXT, version INTEGER)")
    db.executemany("INSERT INTO page VALUES (?, 'Nothing yet.', 1)", [(p,) for p in PAGES])


def etag(row):
    return '"%s"' % hashlib.sha1(("%d %s" % (row["version"], row["text"])).encode()).hexdigest()


def find(name):
    return stores.sqlite().execute("SELECT * FROM page WHERE name = ?", [name]).fetchone()


@wiki.get("/pages/<name>")
def show(name):
    row = find(name)
    if row is None:
        return jsonify(error="no such page"), 404
    oracle.counted("version of " + name, row["version"])
    if request.headers.get("If-None-Match") == etag(row):
        return Response(status=304, headers={"ETag": etag(row)})
    return jsonify(name=name, text=row["text"], version=row["version"]), 200, {"ETag": etag(row)}


@wiki.put("/pages/<name>")
def edit(name):
    db = stores.sqlite()
    row = find(name)
    if request.headers.get("If-Match", etag(row)) != etag(row):
        return jsonify(error="somebody else was faster"), 412
    done = db.execute("UPDATE page SET text = ?, version = version + 1 WHERE name = ? AND version = ?",
                      [request.get_json()["text"], name, row["version"]]).rowcount
    if done == 0:
        return jsonify(error="somebody else was faster"), 409
    oracle.counted("version of " + name, row["version"] + 1)
    return jsonify(saved=True, version=row["version"] + 1)


@wiki.get("/changes")
def changes():
    rows = stores.sqlite().execute("SELECT name, version FROM page ORDER BY version DESC, name")
    return jsonify([dict(r) for r in rows])


app = oracle.watch(wiki)


def journey(client):
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work, client(keep_alive=n == 1, agent="editor/%d" % n), n)
                     for n in range(3)]:
            done.result()


def work(editor, number):
    with editor:
        for turn in range(4):
            name = PAGES[(number + turn) % 2]
            page = editor.get("/pages/" + name)
            editor.put("/pages/" + name, json={"text": "%s writes edition %d" % (editor.name, turn)},
                       headers={"If-Match": page.headers["ETag"]} if turn % 2 else {})
            page = editor.get("/pages/" + name)
            editor.get("/pages/" + name, headers={"If-None-Match": page.headers["ETag"]})
            editor.get("/changes")
