"""A page that greets with the number of visits so far, counted in a global of the module."""
from flask import Flask, session

import oracle

SICK = True
EXPECT = {"guarantees": {"monotonic-reads", "read-your-writes"}, "cause": "worker-memory"}

site = Flask(__name__)
site.secret_key = "the same in every worker"
visits = 0


@site.get("/")
def home():
    global visits
    visits += 1
    session["seen"] = True
    oracle.counted("visits", visits)
    return "<h1>Welcome</h1><p>You are visitor number %d.</p>" % visits


app = oracle.watch(site)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 1) as browser:
            for _ in range(12):
                browser.get("/")
