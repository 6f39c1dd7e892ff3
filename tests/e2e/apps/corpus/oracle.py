"""The oracle of the corpus: each application says itself what was true, and what its answers showed.

An application reports every write, and every answer that shows state, to a truth that all its workers
share: one JSON file under a lock, beside the log. It never answers from that truth. From it follows
what a client is entitled to see, by the session guarantees: what its own acknowledged writes made,
what it has already read, and that a session which nobody ended is still there. An answer that falls
short of this is *lost*.

A client is known by its X-Request-ID, "v3-17": the seventeenth request of visitor v3. That field goes
through whichworker unchanged and is in the trace, which is how the two accounts are joined.

$ORACLE names the log. Without it (the application is imported to play its journey) nothing is noted.

    app = oracle.watch(app)                     around the WSGI application; asgi = watch_asgi(asgi)
    oracle.wrote("cart", "figo")                this client's write is about to be acknowledged
    oracle.removed("cart", "figo")              … and so is this removal
    oracle.showed("cart", ["figo", "ka"])       the answer shows these: all of them that there are
    oracle.counted("visits", 7)                 the answer shows a number that never goes down
    oracle.raised("visits")                     this client's write adds one to it
    oracle.promised("login")                    from now on this client is logged in
    oracle.honoured("login", user is not None)  whether the answer acts on that; it must, until
    oracle.withdrawn("login")                   … the client gave it up, or it ended rightly
    oracle.lost("the session cookie was refused")   the answer breaks a promise of another kind
    with oracle.world() as w: …                 the truth itself, a dict, locked: for promises of the app's own
"""
import contextlib
import contextvars
import fcntl
import json
import os

LOG = os.environ.get("ORACLE")
REQUEST = contextvars.ContextVar("request", default=None)


class Request:
    """What is noted of one request, until it ends."""

    def __init__(self, request_id):
        self.id = request_id
        self.client = request_id.rpartition("-")[0]
        self.notes = []


def current():
    """The request that is being answered."""
    return REQUEST.get() or Request("nobody-0")


def client():
    return current().client


def directory():
    """Where an application may keep a database: a directory of this run."""
    return os.path.dirname(LOG) if LOG else os.environ.get("TMPDIR", "/tmp")


@contextlib.contextmanager
def world():
    """The truth, for reading and writing; nobody else has it meanwhile."""
    if not LOG:
        yield {}
        return
    with open(LOG + ".truth", "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        truth = json.loads(text) if text else {}
        yield truth
        file.seek(0)
        file.truncate()
        json.dump(truth, file)


def note(**facts):
    current().notes.append(facts)


def lost(why, **facts):
    note(lost=True, why=why, **facts)


def raised(what):
    with world() as truth:
        seen = truth.setdefault("number", {}).setdefault(client(), {})
        seen[what] = seen.get(what, 0) + 1
    note(wrote={what: "one more"}, lost=False)


def promised(what):
    with world() as truth:
        promises_of(truth).append(what)
    note(wrote={what: True}, lost=False)


def withdrawn(what):
    with world() as truth:
        promises_of(truth)[:] = [p for p in promises_of(truth) if p != what]
    note(wrote={what: False}, lost=False)


def honoured(what, is_so):
    """Lost: it was promised to this client, and is not so."""
    with world() as truth:
        due = what in promises_of(truth)
    broken = due and not is_so
    note(showed={what: bool(is_so)}, should=due, lost=broken,
         why="%s was promised" % what if broken else "")


def wrote(what, value):
    with world() as truth:
        add(known_of(truth, what), value)
        for gone in [removed_of(truth, what), *truth.get("gone", {}).get(what, {}).values()]:
            gone[:] = [v for v in gone if v != value]
    note(wrote={what: value}, lost=False)


def removed(what, value):
    """From now on nobody need see it, and this client must not."""
    with world() as truth:
        add(removed_of(truth, what), value)
        forget(truth, what, value)
    note(wrote={what: None}, removed=value, lost=False)


def showed(what, values):
    """Lost: what this client wrote or read is missing, or what it knows to be removed is back."""
    values = list(values)
    with world() as truth:
        known = known_of(truth, what)
        should = list(known)
        for value in [v for v in should if v not in values and v in removed_of(truth, what)]:
            should.remove(value)
            forget(truth, what, value)
        missing = [v for v in should if v not in values]
        back = [v for v in values if v in gone_of(truth, what)]
        for value in values:
            if value not in back:
                add(known, value)
    why = "; ".join(["%s is missing" % (v,) for v in missing] + ["%s is back" % (v,) for v in back])
    note(showed={what: values}, should=should, lost=bool(why), why=why)


def counted(what, number):
    """Lost: this client has already seen a greater number."""
    with world() as truth:
        seen = truth.setdefault("number", {}).setdefault(client(), {})
        should = max(number, seen.get(what, number))
        seen[what] = should
    note(showed={what: number}, should=should, lost=number < should,
         why="%d where it was %d" % (number, should) if number < should else "")


def promises_of(truth):
    return truth.setdefault("promised", {}).setdefault(client(), [])


def known_of(truth, what):
    """What this client wrote or read."""
    return truth.setdefault("known", {}).setdefault(what, {}).setdefault(client(), [])


def removed_of(truth, what):
    """What somebody removed."""
    return truth.setdefault("removed", {}).setdefault(what, [])


def gone_of(truth, what):
    """What this client removed, or has seen to be removed."""
    return truth.setdefault("gone", {}).setdefault(what, {}).setdefault(client(), [])


def forget(truth, what, value):
    add(gone_of(truth, what), value)
    known = known_of(truth, what)
    known[:] = [v for v in known if v != value]


def add(values, value):
    if value not in values:
        values.append(value)


def write(request):
    """One line with one write(): lines of several workers do not mix."""
    if not LOG:
        return
    line = {"request": request.id, "pid": os.getpid(), "lost": False, "why": ""}
    for facts in request.notes:
        why = "; ".join(filter(None, [line["why"], facts.get("why")]))
        should = line.get("should") or facts.get("should")
        line.update(facts, lost=line["lost"] or facts["lost"], why=why, should=should)
    fd = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, (json.dumps(line) + "\n").encode())
    finally:
        os.close(fd)


def watch(app):
    """The WSGI application, with every answer noted before it leaves."""
    def watched(environ, start_response):
        request = Request(environ.get("HTTP_X_REQUEST_ID", "nobody-0"))
        token = REQUEST.set(request)
        answer = None
        try:
            answer = app(environ, start_response)
            return [b"".join(answer)]
        finally:
            if hasattr(answer, "close"):
                answer.close()
            write(request)
            REQUEST.reset(token)
    return watched


def watch_asgi(app):
    """The same around an ASGI application: noted before the last part of the answer leaves."""
    async def watched(scope, receive, send):
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        names = {name: value for name, value in scope["headers"]}
        request = Request(names.get(b"x-request-id", b"nobody-0").decode())
        token = REQUEST.set(request)

        async def tell(message):
            if message["type"] == "http.response.body" and not message.get("more_body"):
                write(request)
            await send(message)

        try:
            await app(scope, receive, tell)
        finally:
            REQUEST.reset(token)
    return watched


def read(path):
    """The log of a run: its lines, in the order of writing."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
