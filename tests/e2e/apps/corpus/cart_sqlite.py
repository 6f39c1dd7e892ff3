"""The cart, as it should be: in a database."""
import uuid

from flask import Flask, g, jsonify, request

import oracle
import stores
from cart import journey  # noqa: F401

SICK = False

shop = Flask(__name__)


def prepare():
    stores.sqlite("CREATE TABLE cart (id INTEGER PRIMARY KEY, owner TEXT, item TEXT)")


def database():
    if "db" not in g:
        g.db = stores.sqlite()
    return g.db


@shop.teardown_appcontext
def close(error):
    db = g.pop("db", None)
    if db is not None:
        db.close()


@shop.post("/cart/items")
def add():
    owner = request.cookies.get("cart_id") or uuid.uuid4().hex
    item = request.get_json()["item"]
    database().execute("INSERT INTO cart (owner, item) VALUES (?, ?)", [owner, item])
    oracle.wrote("cart", item)
    answer = jsonify(added=item)
    answer.status_code = 201
    answer.set_cookie("cart_id", owner, httponly=True)
    return answer


@shop.get("/cart")
def show():
    items = [row["item"] for row in database().execute(
        "SELECT item FROM cart WHERE owner = ? ORDER BY id", [request.cookies.get("cart_id")])]
    oracle.showed("cart", items)
    return jsonify(items=items, count=len(items))


app = oracle.watch(shop)
