"""prometheus_client without its directory for several processes: each scrape meets other counters."""
import prometheus_client
from flask import Flask, Response

import oracle

SICK = True
EXPECT = {"guarantees": {"monotonic-reads", "read-your-writes"}, "cause": "worker-memory"}

site = Flask(__name__)
registry = prometheus_client.CollectorRegistry()
orders = prometheus_client.Counter("orders", "Orders taken", ["kind"], registry=registry)
for kind in ("retail", "trade"):
    orders.labels(kind)


@site.post("/orders/<kind>")
def order(kind):
    orders.labels(kind).inc()
    return "taken\n", 201


@site.get("/metrics")
def metrics():
    for kind in ("retail", "trade"):
        oracle.counted(kind, int(registry.get_sample_value("orders_total", {"kind": kind})))
    return Response(prometheus_client.generate_latest(registry),
                    content_type=prometheus_client.CONTENT_TYPE_LATEST)


app = oracle.watch(site)


def journey(client):
    with client(keep_alive=True) as shop, client(agent="Prometheus/2.42.0") as scraper:
        for number in range(12):
            shop.post("/orders/" + ("retail" if number % 3 else "trade"))
            scraper.get("/metrics")
            scraper.get("/metrics")
