"""python-socketio by long polling: an Engine.IO session lives in the worker that opened it."""
import json

import socketio

import oracle

SICK = True
EXPECT = {"guarantees": {"status-flip"}, "cause": "worker-memory"}

server = socketio.Server(async_mode="threading", cors_allowed_origins="*", logger=False)
engine = socketio.WSGIApp(server)


@server.event
def say(sid, text):
    return {"heard": text}


def told(environ, start_response):
    """The engine, and what its answer means for the session: 400 says that it is not known."""
    query = environ.get("QUERY_STRING", "")
    sid = query.partition("sid=")[2].partition("&")[0]
    status = []

    def note_status(line, headers, *more):
        status.append(line)
        return start_response(line, headers, *more)

    body = b"".join(engine(environ, note_status))
    if sid:
        oracle.honoured("sid " + sid, not status[0].startswith("400"))
    elif body.startswith(b"0{"):
        oracle.promised("sid " + json.loads(body[1:])["sid"])
    return [body]


app = oracle.watch(told)

POLL = "/socket.io/?EIO=4&transport=polling"


def journey(client):
    """The browser's client: opens, connects, says something, polls; after a refusal it begins again."""
    for number in range(3):
        with client(keep_alive=number == 1) as browser:
            for attempt in range(8):
                if talk(browser, "hello %d" % number):
                    break


def talk(browser, text):
    opened = browser.get(POLL)
    sid = json.loads(opened.text[1:])["sid"]
    there = POLL + "&sid=" + sid
    steps = [lambda: browser.post(there, data="40"), lambda: browser.get(there),
             lambda: browser.post(there, data='421["say",%s]' % json.dumps(text)),
             lambda: browser.get(there)]
    return all(step().status_code == 200 for step in steps)
