"""A form guarded by flask-wtf: its token is signed with a key that each worker makes up at its start."""
import os
import re

from flask import Flask, render_template_string
from flask_wtf.csrf import CSRFError, CSRFProtect

import oracle

SICK = True
EXPECT = {"guarantees": {"session-reset", "status-flip"}, "cause": "per-worker-secret"}

site = Flask(__name__)
site.secret_key = os.urandom(24)
CSRFProtect(site)

FORM = """<form method=post action=/comments><input type=hidden name=csrf_token
 value="{{ csrf_token() }}"><textarea name=text></textarea></form>"""


@site.get("/comments/new")
def form():
    oracle.promised("the form")
    return render_template_string(FORM)


@site.get("/style.css")
def style():
    return "textarea { width: 40em }", 200, {"Content-Type": "text/css"}


@site.post("/comments")
def post():
    oracle.honoured("the form", True)
    return "<p>Thank you</p>", 201


@site.errorhandler(CSRFError)
def refused(error):
    oracle.honoured("the form", False)
    return "<h1>Bad Request</h1><p>%s</p>" % error.description, 400


app = oracle.watch(site)


def journey(client):
    for number in range(4):
        with client(keep_alive=number == 2) as browser:
            for turn, text in enumerate(("first", "second", "third")):
                page = browser.get("/comments/new").text
                for _ in range((turn + number) % 3):
                    browser.get("/style.css")
                token = re.search(r'value="([^"]+)"', page).group(1)
                browser.post("/comments", data={"csrf_token": token, "text": text})
