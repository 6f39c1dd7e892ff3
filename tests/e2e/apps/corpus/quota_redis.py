"""Eight requests for each key in a window of time, counted in Redis for all workers."""
import time

from flask import Flask, jsonify, request

import oracle
import stores

SICK = False
NEEDS = ["/usr/bin/redis-check-rdb"]
ROUNDS = 1
LIMIT, WINDOW_MS = 8, 400

api = Flask(__name__)
redis = stores.redis() if oracle.LOG else None


@api.get("/quotes")
def quotes():
    """Some interfaces say 429 to it, others 403: both are there."""
    key = "used:" + request.headers["X-Api-Key"]
    redis.set(key, 0, px=WINDOW_MS, nx=True)
    used, left_ms = redis.incr(key), redis.pttl(key)
    remaining = {"X-RateLimit-Limit": str(LIMIT), "X-RateLimit-Reset": str(max(0, left_ms)),
                 "X-RateLimit-Remaining": str(max(0, LIMIT - used))}
    if used > LIMIT:
        status = 403 if request.headers["X-Api-Key"].endswith("1") else 429
        return jsonify(error="too many requests"), status, {**remaining, "Retry-After": "1"}
    return jsonify(quote="Buy low", remaining=LIMIT - used), 200, remaining


@api.get("/usage")
def usage():
    key = request.headers["X-Api-Key"]
    total = redis.incr("total:" + key)
    oracle.counted("total", total)
    return jsonify(total=total)


app = oracle.watch(api)


def journey(client):
    for number in range(3):
        with client(keep_alive=number == 2, agent="trader/%d" % number) as program:
            program.headers["X-Api-Key"] = "key%d" % number
            for _ in range(3):
                for _ in range(10):
                    program.get("/quotes")
                program.get("/usage")
                time.sleep(0.15)
