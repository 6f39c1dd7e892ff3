"""A small car catalogue with a JSON API, and with the two commonest ways to fail behind several workers.

As it stands, each worker process
  - signs the session cookie with a random key of its own, so that the others refuse it, and
  - keeps the registered cars in a module global, so that the others do not see them.
With one worker nobody notices. CARS_FIXED=1 runs the same application with both mended.
"""
import os
import sqlite3
from functools import wraps

from flask import Flask, Response, jsonify, request, session

app = Flask(__name__)

FIELDS = ("name", "brand", "price_range", "car_type")
USERS = {"eric": "testqxf2", "morgan": "secret-of-morgan"}
CATALOGUE = [
    {"name": "Swift", "brand": "Maruti", "price_range": "3-5 lacs", "car_type": "hatchback"},
    {"name": "Creta", "brand": "Hyundai", "price_range": "8-14 lacs", "car_type": "hatchback"},
    {"name": "City", "brand": "Honda", "price_range": "3-6 lacs", "car_type": "sedan"},
]


class RegisterInMemory:
    """The fault: a list in the process. Each worker has its own."""

    def __init__(self):
        self.cars = []

    def add(self, car):
        self.cars.append(car)

    def all(self):
        return list(self.cars)


class RegisterInDatabase:
    """The cure: a place that all workers share."""

    def __init__(self, path):
        self.path = path
        with self.connect() as db:
            db.execute("CREATE TABLE IF NOT EXISTS registered (%s)" % ", ".join(FIELDS))

    def connect(self):
        return sqlite3.connect(self.path, timeout=10)

    def add(self, car):
        with self.connect() as db:
            db.execute("INSERT INTO registered VALUES (?, ?, ?, ?)", [car[f] for f in FIELDS])

    def all(self):
        with self.connect() as db:
            rows = db.execute("SELECT * FROM registered ORDER BY rowid")
            return [dict(zip(FIELDS, row)) for row in rows]


if os.environ.get("CARS_FIXED") == "1":
    app.secret_key = os.environ["SECRET_KEY"]
    register = RegisterInDatabase(os.environ.get("CARS_DB", "cars.db"))
else:
    app.secret_key = os.urandom(24)
    register = RegisterInMemory()


def authenticated(view):
    @wraps(view)
    def guarded(*args, **kwargs):
        auth = request.authorization
        if auth is None or USERS.get(auth.username) != auth.password:
            return Response("Who are you?\n", 401,
                            {"WWW-Authenticate": 'Basic realm="cars"'})
        return view(*args, **kwargs)
    return guarded


def car_of_request():
    """The car in the request's JSON; None if a field is missing or is no text."""
    data = request.get_json(silent=True)
    if not isinstance(data, dict) or not all(isinstance(data.get(f), str) for f in FIELDS):
        return None
    return {f: data[f] for f in FIELDS}


def cars_of_session():
    if "cars" not in session:
        session["cars"] = list(CATALOGUE)
    return session["cars"]


@app.get("/cars")
@authenticated
def list_cars():
    return jsonify(cars_list=cars_of_session(), successful=True)


@app.post("/cars/add")
@authenticated
def add_car():
    car = car_of_request()
    if car is None:
        return jsonify(successful=False, wanted=FIELDS), 400
    session["cars"] = cars_of_session() + [car]
    return jsonify(car=car, successful=True)


@app.post("/register/car")
@authenticated
def register_car():
    car = car_of_request()
    if car is None:
        return jsonify(successful=False, wanted=FIELDS), 400
    register.add(car)
    return jsonify(registered_car=car, successful=True)


@app.get("/register/")
@authenticated
def list_registered():
    return jsonify(registered=register.all(), successful=True)
