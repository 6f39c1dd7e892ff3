"""The test command of a gate: journeys through WHICHWORKER_URL, or through the URL in its argument.

shopper.py [--url URL] [JOURNEYS [STATUS]]: adds and reads, and exits with STATUS whatever it saw.
"""
import json
import os
import sys
import urllib.request
import uuid

arguments = sys.argv[1:]
url = os.environ.get("WHICHWORKER_URL")
if arguments[:1] == ["--url"]:
    url, arguments = arguments[1], arguments[2:]
journeys = int(arguments[0]) if arguments else 6
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(method, cookie, body=None):
    headers = {"Content-Type": "application/json"} if body else {}
    request = urllib.request.Request(url + "/items", method=method, data=body,
                                     headers={**headers, **({"Cookie": cookie} if cookie else {})})
    with opener.open(request, timeout=20) as answer:
        answer.read()
        return cookie or answer.headers["Set-Cookie"].partition(";")[0]


for _ in range(journeys):
    cookie = ask("GET", None)
    ask("POST", cookie, json.dumps({"name": "item-" + uuid.uuid4().hex[:8]}).encode())
    for _ in range(4):
        ask("GET", cookie)
sys.exit(int(arguments[1]) if len(arguments) > 1 else 0)
