"""Settings in a file; who saves them reloads them, in the worker that happened to do it."""
import json
import os

from flask import Flask, jsonify, request

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads"},
          "cause": {"worker-memory", "stale-cache"}}

site = Flask(__name__)
FILE = os.path.join(oracle.directory(), "settings.json")


def prepare():
    with open(FILE, "w", encoding="utf-8") as file:
        json.dump({"version": 1, "theme": "light", "banner": "Welcome", "maintenance": False}, file)


def load():
    with open(FILE, encoding="utf-8") as file:
        return json.load(file)


current = load() if oracle.LOG and os.path.exists(FILE) else {}


@site.get("/settings")
def show():
    oracle.counted("settings", current["version"])
    return jsonify({key: value for key, value in current.items() if key != "version"})


@site.put("/settings")
def save():
    saved = {**load(), **request.get_json()}
    saved["version"] += 1
    with open(FILE, "w", encoding="utf-8") as file:
        json.dump(saved, file)
    current.update(saved)
    oracle.counted("settings", current["version"])
    return "", 204


app = oracle.watch(site)


def journey(client):
    with client(agent="console/1.0") as admin:
        admin.get("/settings")
        for theme, banner in (("dark", "We are moving"), ("sepia", "Moved at last"),
                              ("plain", "Summer sale"), ("night", "Closed on Monday")):
            admin.put("/settings", json={"theme": theme, "banner": banner})
            for _ in range(5):
                admin.get("/settings")
