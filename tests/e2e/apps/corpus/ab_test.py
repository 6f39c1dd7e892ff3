"""Two designs: by a cookie that is given out once, by a coin at each request, and by a share of the users that
grows with the clock. Nothing of it is any worker's own."""
import random
import time

from flask import Flask, jsonify, render_template_string, request

import oracle

SICK = False

site = Flask(__name__)
HOME = """<!doctype html><html><body class="design-{{ design }}"><h1>{{ title }}</h1>
<button class="{{ colour }}">{{ call }}</button></body></html>"""
DESIGNS = {"a": ("Welcome", "red", "Buy now"), "b": ("Good to see you", "green", "Add to cart")}


def page(design):
    title, colour, call = DESIGNS[design]
    return render_template_string(HOME, design=design, title=title, colour=colour, call=call)


@site.get("/")
def by_cookie():
    design = request.cookies.get("ab_bucket") or random.choice("ab")
    answer = site.make_response(page(design))
    if "ab_bucket" not in request.cookies:
        answer.set_cookie("ab_bucket", design, max_age=86400)
    return answer


@site.get("/coin")
def by_coin():
    return page(random.choice("ab"))


@site.get("/flags")
def flags():
    """A roll-out: by a hash of who asks, and by how far it has come."""
    share = int(time.time() * 20) % 100
    bucket = sum(request.headers["User-Agent"].encode()) % 100
    return jsonify({"new_search": bucket < share, "dark_mode": bucket % 2 == 0})


app = oracle.watch(site)


def journey(client):
    for number in range(4):
        with client(keep_alive=number == 2, agent="browser/%d" % number) as browser:
            for _ in range(4):
                for path in ("/", "/coin", "/flags"):
                    browser.get(path)
