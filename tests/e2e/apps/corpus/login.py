"""flask-login behind a key that each worker makes up at its start: half of the time, log in again."""
import os

import flask_login
from flask import Flask, redirect, request

import oracle

SICK = True
EXPECT = {"guarantees": {"session-reset", "status-flip"}, "cause": "per-worker-secret"}

site = Flask(__name__)
site.secret_key = os.urandom(24)
manager = flask_login.LoginManager(site)
manager.login_view = "login_page"


class User(flask_login.UserMixin):
    def __init__(self, name):
        self.id = name


@manager.user_loader
def load(name):
    return User(name)


@site.get("/login")
def login_page():
    return ("<h1>Log in</h1><form method=post><input name=name><input name=password type=password>"
            "</form>")


@site.post("/login")
def login():
    flask_login.login_user(User(request.form["name"]))
    oracle.promised("login")
    return redirect("/account")


@site.get("/account")
@site.get("/account/orders")
def account():
    user = flask_login.current_user
    oracle.honoured("login", user.is_authenticated)
    if not user.is_authenticated:
        return manager.unauthorized()
    return "<h1>%s</h1><p>%s of %s</p>" % (user.id, request.path.rpartition("/")[2], user.id)


app = oracle.watch(site)


def journey(client):
    for name in ("ada", "bob", "eve"):
        with client(keep_alive=name == "bob") as browser:
            page = browser.get("/account")
            for path in ("/account", "/account/orders") * 3:
                if page.url.split("?")[0].endswith("/login"):
                    browser.post("/login", data={"name": name, "password": "secret"})
                page = browser.get(path)
