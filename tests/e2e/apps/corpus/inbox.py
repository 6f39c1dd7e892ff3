"""What reading changes: messages that count as read, flash messages, the last three things looked at, a link that is
good once, and a list that others add to and empty."""
import secrets

from flask import Flask, flash, get_flashed_messages, jsonify, redirect, request, session

import oracle
import stores

SICK = False

site = Flask(__name__)
site.secret_key = "one key for every worker, from the environment"


def prepare():
    stores.sqlite("CREATE TABLE mail (id INTEGER PRIMARY KEY, who TEXT, text TEXT, seen INTEGER DEFAULT 0);"
                  "CREATE TABLE link (code TEXT PRIMARY KEY, used INTEGER DEFAULT 0)")


@site.post("/signin")
def signin():
    session["who"] = request.form["name"]
    flash("Welcome, %s" % session["who"])
    return redirect("/")


@site.get("/")
def home():
    return "<h1>Post office</h1>" + "".join("<p>%s</p>" % m for m in get_flashed_messages())


@site.post("/mail")
def send():
    stores.sqlite().execute("INSERT INTO mail (who, text) VALUES (?, ?)",
                            [request.form["to"], request.form["text"]])
    flash("Sent")
    return jsonify(sent=True), 202


@site.get("/mail/unread")
def unread():
    row = stores.sqlite().execute("SELECT count(*) AS n FROM mail WHERE who = ? AND NOT seen",
                                  [session["who"]]).fetchone()
    return jsonify(unread=row["n"])


@site.get("/mail")
def read():
    db = stores.sqlite()
    fresh = db.execute("SELECT id, text FROM mail WHERE who = ? AND NOT seen", [session["who"]]).fetchall()
    db.executemany("UPDATE mail SET seen = 1 WHERE id = ?", [(m["id"],) for m in fresh])
    return jsonify(news=[m["text"] for m in fresh])


@site.get("/stamps/<int:number>")
def stamp(number):
    session["recent"] = ([number] + session.get("recent", []))[:3]
    return jsonify(stamp=number, price=number * 10)


@site.get("/recent")
def recent():
    return jsonify(recent=session.get("recent", []))


@site.post("/links")
def link():
    code = secrets.token_hex(8)
    stores.sqlite().execute("INSERT INTO link (code) VALUES (?)", [code])
    return jsonify(url="/links/" + code), 201


@site.get("/links/<code>")
def follow(code):
    done = stores.sqlite().execute("UPDATE link SET used = 1 WHERE code = ? AND NOT used", [code]).rowcount
    return jsonify(welcome=True) if done else (jsonify(error="this link was used"), 410)


app = oracle.watch(site)


def journey(client):
    people = [client(keep_alive=n == 1) for n in range(3)]
    for person in people:
        person.post("/signin", data={"name": person.name})
        person.get("/")
        person.get("/")
    for turn in range(3):
        for number, person in enumerate(people):
            to = people[(number + 1 + turn) % 3]
            person.post("/mail", data={"to": to.name, "text": "letter %d of %s" % (turn, person.name)})
            for path in ("/mail/unread", "/mail", "/mail/unread", "/mail",
                         "/stamps/%d" % (number * 3 + turn), "/recent", "/recent", "/"):
                person.get(path)
        url = people[turn].post("/links").json()["url"]
        for _ in range(3):
            people[turn].get(url)
    for person in people:
        person.close()
