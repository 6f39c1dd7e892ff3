"""A shop of which only the cart is broken: it is in the worker's memory. Around it is what differs
rightly from answer to answer: orders in SQLite that others add to, a page that recommends at random, stock
that sinks as others buy, a health page that names its worker, messages that are shown once, log-out."""
import os
import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, flash, get_flashed_messages, jsonify, redirect, render_template_string
from flask import request, session

import oracle

SICK = True
EXCUSED = "an order that names what lies in the cart might rightly have emptied it"
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads"}, "cause": "worker-memory"}

shop = Flask(__name__)
shop.secret_key = "the same in every worker"
carts = {}
GOODS = ("lamp", "chair", "teapot", "carpet", "mirror", "shelf")
HOME = """<!doctype html><title>Shop</title>{% for m in messages %}<p class=flash>{{ m }}</p>{% endfor %}
<h1>Good day, {{ name }}</h1><ul>{% for g in goods %}<li>{{ g }}</li>{% endfor %}</ul>
<script nonce="{{ nonce }}">var now = {{ now }}</script>"""


def database():
    return sqlite3.connect(os.path.join(oracle.directory(), "shop.db"), timeout=30)


def prepare():
    with database() as db:
        db.execute("CREATE TABLE purchase (id INTEGER PRIMARY KEY, who TEXT, item TEXT)")
        db.execute("CREATE TABLE stock (item TEXT PRIMARY KEY, pieces INTEGER)")
        db.executemany("INSERT INTO stock VALUES (?, 500)", [(g,) for g in GOODS])


@shop.post("/login")
def login():
    session["who"] = request.form["name"]
    flash("Welcome back")
    return redirect("/")


@shop.post("/logout")
def logout():
    session.clear()
    return redirect("/")


@shop.get("/")
def home():
    return render_template_string(
        HOME, messages=get_flashed_messages(), name=session.get("who", "stranger"),
        goods=random.sample(GOODS, 3), nonce=os.urandom(12).hex(), now=time.time())


@shop.get("/health")
def health():
    return jsonify(status="up", pid=os.getpid(), load=round(random.random(), 2))


@shop.post("/cart")
def add():
    carts.setdefault(session["who"], []).append(request.form["item"])
    oracle.wrote("cart", request.form["item"])
    return jsonify(added=request.form["item"]), 201


@shop.get("/cart")
def cart():
    items = carts.get(session["who"], [])
    oracle.showed("cart", items)
    return jsonify(items=items)


@shop.post("/orders")
def order():
    with database() as db:
        db.execute("INSERT INTO purchase (who, item) VALUES (?, ?)",
                   [session["who"], request.form["item"]])
        db.execute("UPDATE stock SET pieces = pieces - 1 WHERE item = ?", [request.form["item"]])
    oracle.wrote("orders", request.form["item"])
    return jsonify(ordered=request.form["item"]), 201


@shop.get("/orders")
def orders():
    with database() as db:
        mine = [row[0] for row in db.execute(
            "SELECT item FROM purchase WHERE who = ? ORDER BY id DESC", [session["who"]])]
    oracle.showed("orders", mine)
    return jsonify(orders=mine)


@shop.get("/stock")
def stock():
    with database() as db:
        return jsonify(dict(db.execute("SELECT item, pieces FROM stock")))


app = oracle.watch(shop)


def journey(client):
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(buy, client(keep_alive=n == 1), n) for n in range(3)]:
            done.result()


def buy(browser, number):
    with browser:
        browser.get("/")
        browser.post("/login", data={"name": "buyer-" + browser.name})
        for item in GOODS[number:number + 3]:
            browser.post("/cart", data={"item": item})
            for page in ("/cart", "/stock", "/health", "/cart"):
                browser.get(page)
            browser.post("/orders", data={"item": item})
            for page in ("/orders", "/", "/cart"):
                browser.get(page)
        browser.post("/logout")
        browser.get("/")
