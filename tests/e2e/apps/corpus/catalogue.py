"""A catalogue in pages: by number, by cursor, by search, newest and oldest first; others add to it and take from it
meanwhile, so that everything moves from page to page."""
from concurrent.futures import ThreadPoolExecutor

from flask import Flask, jsonify, request

import oracle
import stores

SICK = False
SIZE = 5

shop = Flask(__name__)


def prepare():
    db = stores.sqlite("CREATE TABLE product (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)")
    db.executemany("INSERT INTO product (name) VALUES (?)", [("Lamp model %d" % n,) for n in range(7)])


def rows(sql, *values):
    return [dict(r) for r in stores.sqlite().execute(sql, values)]


@shop.get("/products")
def pages():
    """Without a number: the first page."""
    page = int(request.args.get("page", 1))
    order = "DESC" if request.args.get("sort") == "-id" else "ASC"
    found = rows("SELECT * FROM product ORDER BY id %s LIMIT ? OFFSET ?" % order, SIZE, SIZE * (page - 1))
    return jsonify(results=found, page=page)


@shop.get("/feed")
def feed():
    before = int(request.args.get("cursor", 1 << 40))
    found = rows("SELECT * FROM product WHERE id < ? ORDER BY id DESC LIMIT ?", before, SIZE)
    return jsonify(results=found, next=found[-1]["id"] if found else None)


@shop.get("/search")
def search():
    return jsonify(hits=rows("SELECT * FROM product WHERE name LIKE ? ORDER BY length(name), id LIMIT 3",
                             "%" + request.args["q"] + "%"))


@shop.get("/products/<int:number>")
def one(number):
    found = rows("SELECT * FROM product WHERE id = ?", number)
    gone = any(number in of for of in gone_products())
    if not gone:
        oracle.honoured("product %d" % number, bool(found))
    return jsonify(found[0]) if found else (jsonify(error="no such product"), 404)


def gone_products():
    with oracle.world() as w:
        return list(w.get("gone products", {}).values())


@shop.post("/products")
def add():
    db = stores.sqlite()
    number = db.execute("INSERT INTO product (name) VALUES (?)", [request.get_json()["name"]]).lastrowid
    oracle.promised("product %d" % number)
    return jsonify(id=number, name=request.get_json()["name"]), 201, {"Location": "/products/%d" % number}


@shop.delete("/products/<int:number>")
def delete(number):
    with oracle.world() as w:
        w.setdefault("gone products", {}).setdefault("all", []).append(number)
    stores.sqlite().execute("DELETE FROM product WHERE id = ?", [number])
    return "", 204


app = oracle.watch(shop)


def journey(client):
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(shopkeep, client(keep_alive=n == 1, agent="keeper/%d" % n), n)
                     for n in range(3)]:
            done.result()


def shopkeep(keeper, number):
    with keeper:
        for turn in range(3):
            name = "Lamp of %s, no. %d" % (keeper.name, turn)
            made = keeper.post("/products", json={"name": name}).json()["id"]
            for path in ("/products", "/products?page=2", "/products?sort=-id", "/feed",
                         "/products/%d" % made, "/search?q=Lamp"):
                keeper.get(path)
            if number == 0 and turn > 0:
                oldest = keeper.get("/products").json()["results"][0]["id"]
                keeper.delete("/products/%d" % oldest)
                keeper.get("/products/%d" % oldest)
            keeper.get("/products")
