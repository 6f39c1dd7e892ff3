"""Prices in SQLite that all workers share, and an lru_cache before it that each has for itself."""
import functools
import os
import sqlite3

from flask import Flask, jsonify, request

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads"},
          "cause": {"worker-memory", "stale-cache"}}

api = Flask(__name__)


def database():
    return sqlite3.connect(os.path.join(oracle.directory(), "prices.db"), timeout=30)


def prepare():
    with database() as db:
        db.execute("CREATE TABLE price (name TEXT PRIMARY KEY, cents INTEGER, version INTEGER)")
        db.executemany("INSERT INTO price VALUES (?, ?, 1)",
                       [("lamp", 1999), ("chair", 4950), ("teapot", 1200)])


@functools.lru_cache(maxsize=128)
def price(name):
    with database() as db:
        return db.execute("SELECT cents, version FROM price WHERE name = ?", [name]).fetchone()


@api.get("/prices/<name>")
def show(name):
    cents, version = price(name)
    oracle.counted("price of " + name, version)
    return jsonify(name=name, cents=cents)


@api.put("/prices/<name>")
def change(name):
    with database() as db:
        db.execute("UPDATE price SET cents = ?, version = version + 1 WHERE name = ?",
                   [request.get_json()["cents"], name])
    price.cache_clear()
    cents, version = price(name)
    oracle.counted("price of " + name, version)
    return jsonify(name=name, cents=cents)


app = oracle.watch(api)


def journey(client):
    with client(agent="till/2.1") as clerk:
        for name, cents in (("lamp", 2549), ("chair", 5275), ("teapot", 1349)):
            for _ in range(5):
                clerk.get("/prices/" + name)
            for step in range(3):
                clerk.put("/prices/" + name, json={"cents": cents + 111 * step})
                for _ in range(3):
                    clerk.get("/prices/" + name)
