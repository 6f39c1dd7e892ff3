"""The visits, as they should be counted: by Redis."""
from flask import Flask, session

import oracle
import stores
from visits import journey  # noqa: F401

SICK = False
NEEDS = ["/usr/bin/redis-check-rdb"]

site = Flask(__name__)
site.secret_key = "the same in every worker"
redis = stores.redis() if oracle.LOG else None


@site.get("/")
def home():
    session["seen"] = True
    number = redis.incr("visits")
    oracle.counted("visits", number)
    return "<h1>Welcome</h1><p>You are visitor number %d.</p>" % number


app = oracle.watch(site)
