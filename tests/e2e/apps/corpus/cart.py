"""A shop whose carts are a dict of the module: every worker has its own."""
import uuid

from flask import Flask, jsonify, request

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads"}, "cause": "worker-memory"}

shop = Flask(__name__)
carts = {}


def shopper():
    return request.cookies.get("cart_id")


@shop.post("/cart/items")
def add():
    owner = shopper() or uuid.uuid4().hex
    item = request.get_json()["item"]
    carts.setdefault(owner, []).append(item)
    oracle.wrote("cart", item)
    answer = jsonify(added=item)
    answer.status_code = 201
    answer.set_cookie("cart_id", owner, httponly=True)
    return answer


@shop.get("/cart")
def show():
    items = carts.get(shopper(), [])
    oracle.showed("cart", items)
    return jsonify(items=items, count=len(items))


app = oracle.watch(shop)


def journey(client):
    for number in range(3):
        with client(keep_alive=number != 1) as buyer:
            for turn, item in enumerate(("teapot", "lamp", "chair-%d" % number, "mirror")):
                buyer.post("/cart/items", json={"item": item})
                for _ in range(1 + (turn + number) % 3):
                    buyer.get("/cart")
