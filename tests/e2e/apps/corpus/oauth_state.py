"""Log in with somebody else's account: the `state` of the OAuth dance is kept in the worker's memory."""
import secrets
from urllib.parse import urlencode

from flask import Flask, redirect, request, session

import oracle

SICK = True
EXPECT = {"guarantees": {"status-flip"}, "cause": {"worker-memory", "unknown"}}

site = Flask(__name__)
site.secret_key = "the same in every worker"
states = set()


@site.get("/")
def home():
    user = session.get("user")
    oracle.honoured("login", user is not None)
    return "<p>Hello %s</p>" % user if user else "<a href=/login>Log in</a>"


@site.get("/login")
def login():
    state = secrets.token_urlsafe(16)
    states.add(state)
    oracle.promised("state " + state)
    return redirect("/provider/authorize?" + urlencode(
        {"response_type": "code", "client_id": "shop", "state": state,
         "redirect_uri": "/callback"}))


@site.get("/provider/authorize")
def provider():
    """Stands in for the other site: it agrees at once, and remembers nothing."""
    return redirect(request.args["redirect_uri"] + "?" + urlencode(
        {"code": secrets.token_urlsafe(16), "state": request.args["state"]}))


@site.get("/provider/picture<int:number>")
def picture(number):
    return "GIF89a", 200, {"Content-Type": "image/gif"}


@site.get("/callback")
def callback():
    state = request.args["state"]
    oracle.honoured("state " + state, state in states)
    if state not in states:
        return "<h1>Bad Request</h1><p>state mismatch</p>", 400
    states.discard(state)
    oracle.withdrawn("state " + state)
    session["user"] = "ada"
    oracle.promised("login")
    return redirect("/")


app = oracle.watch(site)


def journey(client):
    for number in range(6):
        with client(keep_alive=number == 1) as browser:
            browser.get("/")
            for attempt in range(4):
                if "Hello" in log_in(browser, pictures=(number + attempt) % 3).text:
                    break
            browser.get("/")


def log_in(browser, pictures):
    """By way of the other site, whose page has pictures."""
    there = browser.get("/login", allow_redirects=False).headers["Location"]
    back = browser.get(there, allow_redirects=False).headers["Location"]
    for number in range(pictures):
        browser.get("/provider/picture%d" % number)
    return browser.get(back)
