"""The register of cars: Basic auth, a list of the module, a page that shows it."""
import time

from flask import Flask, Response, render_template_string, request

import oracle

SICK = True
EXPECT = {"guarantees": {"read-your-writes", "monotonic-reads"}, "cause": "worker-memory"}

site = Flask(__name__)
cars = [{"name": "Golf", "plate": "W-100"}, {"name": "Uno", "plate": "W-200"}]

PAGE = """<!doctype html><title>Cars</title><h1>{{ cars|length }} cars</h1>
<ul>{% for car in cars %}<li>{{ car.name }} <b>{{ car.plate }}</b></li>{% endfor %}</ul>
<p>Generated {{ now }}</p>"""


@site.before_request
def authorized():
    given = request.authorization
    if not given or given.password != "secret":
        return Response("", 401, {"WWW-Authenticate": 'Basic realm="cars"'})
    return None


@site.post("/cars/add")
def add():
    car = {"name": request.form["name"], "plate": request.form["plate"]}
    cars.append(car)
    oracle.wrote("cars", car["plate"])
    return Response("", 303, {"Location": "/cars"})


@site.get("/cars")
def show():
    oracle.showed("cars", [car["plate"] for car in cars])
    return render_template_string(PAGE, cars=cars, now=time.strftime("%H:%M:%S"))


app = oracle.watch(site)


def journey(client):
    for user in ("ada", "bob"):
        with client(keep_alive=user == "bob") as browser:
            browser.auth = (user, "secret")
            browser.get("/cars")
            for turn, name in enumerate(("Figo", "Ka", "Fiesta", "Escort")):
                browser.post("/cars/add", data={"name": name, "plate": "%s-%s" % (
                    name.upper(), browser.name)})
                for _ in range(turn % 3):
                    browser.get("/cars")
