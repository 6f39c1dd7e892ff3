"""The ground-truth corpus: real applications behind the proxy, and the judge against their own oracle.

    corpus.py --keep DIR [NAME[/SERVER]…] [--repeat N] [--jobs N] [--json FILE]
              [--again] [--second-chance]

plays every application of apps/corpus under each kind of server, has the recording judged, compares
that with what the application knows to be true, and prints the table of precision and recall. With
--again the recordings that are in DIR are judged once more. Which worker meets which request is luck, and
a recording may hold too little proof: with --second-chance a run whose fault was missed is played once more.

An application is a module apps/corpus/NAME.py with these names:

    app              WSGI (see oracle.watch). Or `asgi` beside it: then uvicorn serves that one.
    journey(client)  what its clients do; client() is a new visitor, see Visitor
    SICK             True: it is broken by several workers; False: a control, which must stay green
    EXPECT           of a sick one: {"guarantees": {…}, "cause": …}; cause may be a set
    SERVERS          optional: the kinds of server under which it is played (all)
    WORKERS          optional: how many (3)
    GUNICORN         optional: more options for gunicorn
    ENV              optional: environment of the server; {directory} is a directory of the run's own
    NEEDS            optional: programs without which it cannot be played; then it is left out
    EXCUSED          optional: why the judge cannot find this one yet; leaves it out of the recall, by name
    ROUNDS           optional: how often the journey is played at most (sick: until enough was lost)
    prepare()        optional: called once before the workers start, say to create a database

The upper-case ones are literals: they are read without importing the module.

Each run is a process of its own, forked from this one, which has imported the frameworks and nothing of
the applications: gunicorn is forked in turn, and its workers import the application each for itself, as
always without --preload. That saves seconds of importing for each run and changes nothing else.
"""
import argparse
import ast
import functools
import json
import os
import re
import signal
import sqlite3
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import requests  # noqa: E402

from servers import Process, Proxy, whichworker  # noqa: E402

CORPUS = HERE / "apps/corpus"
NOT_APPS = {"oracle", "serving", "stores"}
SERVERS = ("sync", "gthread", "uvicorn")
ENOUGH = 3
SICK_ROUNDS, HEALTHY_ROUNDS = 6, 2
RUN_SECONDS = 120
LIVE = "%(grade)s %(guarantee)s %(method)s %(route)s, %(cause)s"
ACCUSING = ("read-lost", "read-lower", "reset")
SURE = ("likely", "confirmed", "proven")
FACTS = {"SICK": None, "EXPECT": {}, "SERVERS": SERVERS, "WORKERS": 3, "GUNICORN": (), "ENV": {},
         "ROUNDS": None, "EXCUSED": None, "NEEDS": (), "prepare": False, "asgi": False}


# ---- the applications

def names():
    return sorted(p.stem for p in CORPUS.glob("*.py") if p.stem not in NOT_APPS)


def facts(name):
    """What a module says of itself, without importing it."""
    found = dict(FACTS)
    for node in ast.parse((CORPUS / (name + ".py")).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "prepare":
            found["prepare"] = True
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in (t.id for t in targets if isinstance(t, ast.Name)):
            if target in FACTS and target.isupper():
                found[target] = ast.literal_eval(node.value)
            elif target == "asgi":
                found["asgi"] = True
    if found["SICK"] is None:
        raise ValueError("%s.py does not say whether it is SICK" % name)
    return found


def missing(name):
    """The programs that the application needs and this machine has not."""
    return [path for path in facts(name)["NEEDS"] if not os.access(path, os.X_OK)]


def import_frameworks():
    """What takes long to import and holds no state of an application."""
    for module in ("gunicorn.app.wsgiapp", "gunicorn.workers.sync", "gunicorn.workers.gthread",
                   "uvicorn.workers", "uvicorn.lifespan.on", "uvicorn.protocols.http.auto",
                   "uvicorn.middleware.wsgi", "flask", "flask_login", "flask_wtf", "jwt", "sqlite3",
                   "prometheus_client", "socketio", "redis", "asgiref.sync", "django.http",
                   "django.core.handlers.wsgi", "django.core.handlers.asgi", "django.urls",
                   "django.contrib.sessions.middleware", "django.core.cache", "django.db.models"):
        try:
            __import__(module)
        except ImportError:
            pass  # the application that needs it says so


# ---- clients

class Visitor(requests.Session):
    """One client: keeps its cookies, numbers its requests, and as a rule connects anew for each. Those
    that have neither cookie nor credentials need an agent: to all but themselves they were one client."""

    def __init__(self, base, name, keep_alive=False, agent=None):
        super().__init__()
        self.base, self.name, self.sent = base, name, 0
        self.trust_env = False
        if not keep_alive:
            self.headers["Connection"] = "close"
        if agent:
            self.headers["User-Agent"] = "%s (%s)" % (agent, name)

    def request(self, method, url, **kwargs):
        kwargs.setdefault("timeout", 30)
        return super().request(method, self.base + url, **kwargs)

    def send(self, request, **kwargs):  # each hop of a redirect, too
        self.sent += 1
        request.headers["X-Request-ID"] = "%s-%d" % (self.name, self.sent)
        return super().send(request, **kwargs)


class Visitors:
    """client(keep_alive=False, agent=None): the next visitor, v1, v2, …, of a run."""

    def __init__(self, base):
        self.base, self.count = base, 0

    def __call__(self, **kwargs):
        self.count += 1
        return Visitor(self.base, "v%d" % self.count, **kwargs)


# ---- one run

class Forked(Process):
    """gunicorn, forked from this process."""

    name = "gunicorn"
    CLASSES = {"sync": ["sync"], "gthread": ["gthread", "--threads", "4"],
               "uvicorn": ["serving.WsgiUvicornWorker"]}
    NATIVE = ["uvicorn.workers.UvicornWorker"]

    def __init__(self, directory, app, server, said, env):
        super().__init__(directory)
        native = server == "uvicorn" and said["asgi"]
        argv = ["gunicorn", "--worker-class", *(self.NATIVE if native else self.CLASSES[server]),
                "--workers", str(said["WORKERS"]), "--bind", "127.0.0.1:0", "--no-sendfile",
                "--config", str(HERE / "apps/gunicorn_ready.py"), *said["GUNICORN"],
                "%s:%s" % (app, "asgi" if native else "app")]
        self.child = Fork(lambda: self.become(argv), self.log, env)
        try:
            self.address = self.wait_for_log(r"Listening at: http://(\S+)").group(1)
            self.wait_for_log(r"Worker is ready: \d+", count=said["WORKERS"])
        except BaseException:
            self.child.kill()
            raise

    @staticmethod
    def become(argv):
        from gunicorn.app.wsgiapp import run
        sys.argv = argv
        run()


class Fork:
    """As much of subprocess.Popen as Process needs, for a function in a group of its own."""

    def __init__(self, function, log, env=None):
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                self.enter(log, env)
                function()
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)

    @staticmethod
    def enter(log, env):
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for fd in (1, 2):
            os.dup2(out, fd)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(env or {})
        os.chdir(CORPUS)
        sys.path.insert(0, str(CORPUS))

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self):
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def kill(self):
        """The whole group, at once: nobody waits for a farewell."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.wait()


def play(name, server, directory):
    """One application under one server: its journeys, the judge, the oracle. Returns the comparison."""
    said, began = facts(name), time.monotonic()
    env = {key: str(value).format(directory=directory) for key, value in said["ENV"].items()}
    env.update(ORACLE=str(directory / "oracle.jsonl"), PYTHONDONTWRITEBYTECODE="1",
               PYTHONPATH=str(CORPUS))
    if said["prepare"]:
        log = directory / "prepare.log"
        if Fork(lambda: __import__(name).prepare(), log, env).wait() != 0:
            raise RuntimeError("prepare() failed\n" + log.read_text())
    backend = Forked(directory, name, server, said, env)
    try:
        with Proxy(directory, backend.address, "--quiet") as proxy:
            rounds = travel(name, said, proxy.url, directory / "oracle.jsonl")
            if proxy.stop() != 0:
                raise RuntimeError("the proxy failed\n" + proxy.tail())
    except BaseException as error:
        raise RuntimeError("%s\n%s" % (error, backend.tail())) from error
    finally:
        backend.child.kill()
    return {"rounds": rounds,
            **compare(said, directory), "seconds": time.monotonic() - began}


def travel(name, said, url, log):
    """Plays the journey: of a sick one until enough was lost, and enough was kept to tell that it
    should have been, within bounds. Returns how often."""
    sys.path.insert(0, str(CORPUS))
    journey = __import__(name).journey
    visitors = Visitors(url)
    rounds = said["ROUNDS"] or (SICK_ROUNDS if said["SICK"] else HEALTHY_ROUNDS)
    for number in range(rounds):
        journey(visitors)
        if said["SICK"] and min(len(losses(log)), keeps(log)) >= ENOUGH:
            return number + 1
    return rounds


def losses(log):
    """Why, by request id."""
    import oracle
    return {line["request"]: line["why"] for line in oracle.read(log) if line["lost"]}


def keeps(log):
    """How many answers showed what they should, where they should have shown something."""
    import oracle
    return sum(not line["lost"] and bool(line.get("should")) for line in oracle.read(log))


# ---- judge against oracle

def compare(said, directory):
    trace = directory / "proxy-0.db"
    done = whichworker("report", trace, "--format", "json", "--fail-on", "likely")
    (directory / "report.json").write_text(done.stdout)
    if done.returncode not in (0, 1, 2) or done.stderr:
        raise RuntimeError("report: exit %d: %s" % (done.returncode, done.stderr))
    report, lost = json.loads(done.stdout), losses(directory / "oracle.jsonl")
    with sqlite3.connect(trace) as db:
        request_of = dict(db.execute("SELECT id, request_id FROM exchange"))
    found = [judged(f, said, request_of, lost) for f in report["findings"]]
    told = live_findings((directory / "proxy-0.log").read_text())
    return {"exchanges": report["summary"]["exchanges"], "splits": report["summary"]["splits"],
            "verdict": report["summary"]["verdict"], "losses": len(lost), "findings": found,
            "coverage": report["attribution"]["coverage"],
            "sample": dict(list(lost.items())[:5]), **verdict_of(said, lost, found),
            "live_differs": told != sorted(LIVE % f for f in report["findings"])}


def live_findings(log):
    """The findings that the proxy told of at its end, sorted."""
    return sorted(" ".join(m.group(1).split()) for m in re.finditer(
        r"^  ((?:proven|confirmed|likely|possible) .*?)(?:, \d+ times?)?$", log, re.M))


def judged(finding, said, request_of, lost):
    """A finding, and whether the oracle agrees: one of its witnesses lost something, and so did each
    that is said to."""
    witnesses = [request_of[e["exchange"]] for e in finding["evidence"]]
    accused = [request_of[e["exchange"]] for e in finding["evidence"] if e["role"] in ACCUSING]
    wanted = said["EXPECT"].get("cause")
    return {"guarantee": finding["guarantee"], "grade": finding["grade"], "cause": finding["cause"],
            "resource": finding["resource"], "message": finding["message"], "witnesses": witnesses,
            "sure": finding["grade"] in SURE,
            "right": any(w in lost for w in witnesses) and all(w in lost for w in accused),
            "expected": finding["guarantee"] in said["EXPECT"].get("guarantees", ()),
            "cause_right": finding["cause"] in (wanted if isinstance(wanted, set) else {wanted})}


def verdict_of(said, lost, found):
    """What is wrong with a run: nothing, if all four are false. A sick one may have had the luck to lose
    nothing."""
    hits = [f for f in found if f["sure"] and f["right"] and f["expected"]]
    return {"wrong": any(f["sure"] and not f["right"] for f in found),
            "missed": bool(lost) and not hits,
            "cause_wrong": bool(hits) and not any(f["cause_right"] for f in hits),
            "void": bool(lost) and not said["SICK"]}    # a control that loses something is none


def idle(results):
    """Sick applications that lost nothing in any of their runs: they prove nothing."""
    return sorted({r["app"] for r in results if r["sick"]}
                  - {r["app"] for r in results if r.get("losses")})


# ---- all runs

def jobs_of(wanted, repeat):
    """Every run: (application, server, number). Wanted: "cart" (all its servers) or "cart/sync"."""
    pairs = [(w.partition("/")[0], w.partition("/")[2]) for w in wanted]
    return [(name, kind, number) for number in range(repeat) for name, only in pairs
            for kind in facts(name)["SERVERS"] if only in ("", kind) and not missing(name)]


def chances(results, keep, at_once, tell):
    """The results, those whose fault was missed (or its cause) replaced by another run's."""
    missed = [r for r in results if r.get("missed") or r.get("cause_wrong")]
    jobs = [(r["app"], r["server"], "again-%s" % r["number"]) for r in missed]
    return [r for r in results if r not in missed] + run_all(jobs, keep, at_once, tell)


def said_of(job):
    said = facts(job[0])
    return {"app": job[0], "server": job[1], "number": job[2], "sick": said["SICK"],
            "excused": said["EXCUSED"]}


def give_up(signum, _):
    """A signal's handler: whatever was started is taken down on the way out."""
    raise KeyboardInterrupt(signal.Signals(signum).name)


def run_one(job, directory):
    name, server, _ = job
    result = said_of(job)
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(RUN_SECONDS)
    try:
        result.update(play(name, server, directory))
    except BaseException as error:
        result["error"] = "%s: %s" % (type(error).__name__, error)
    (directory / "result.json").write_text(json.dumps(result))


def judge_again(keep, wanted, tell):
    """The runs that are recorded in a directory, compared anew."""
    results = []
    for directory in sorted(keep.iterdir()):
        result = json.loads((directory / "result.json").read_text())
        if not {result["app"], "%(app)s/%(server)s" % result}.intersection(wanted):
            continue
        if "error" not in result:
            said = facts(result["app"])
            # What the proxy told of was another judge's word.
            result.update(compare(said, directory), excused=said["EXCUSED"], live_differs=False)
        results.append({**result, "directory": str(directory)})
        tell(results[-1])
    return results


def run_all(jobs, keep, at_once, tell=lambda result: None):
    """Runs them, at_once at a time, each in a process of its own. Results in the order of jobs."""
    import_frameworks()
    waiting, running, results = list(enumerate(jobs)), {}, {}
    try:
        run_waiting(waiting, running, results, keep, at_once, tell)
    finally:
        for *_, child in running.values():
            os.kill(child.pid, signal.SIGTERM)
        for *_, child in running.values():
            child.wait()
    return [results[i] for i in range(len(jobs))]


def run_waiting(waiting, running, results, keep, at_once, tell):
    while waiting or running:
        while waiting and len(running) < at_once:
            index, job = waiting.pop(0)
            directory = keep / ("%s-%s-%s" % job)
            directory.mkdir(parents=True)
            child = Fork(functools.partial(run_one, job, directory), directory / "run.log")
            running[child.pid] = (index, job, directory, child)
        pid, status = os.wait()
        index, job, directory, child = running.pop(pid)
        child.returncode = os.waitstatus_to_exitcode(status)
        results[index] = result_in(directory, job)
        tell(results[index])


def result_in(directory, job):
    try:
        result = json.loads((directory / "result.json").read_text())
    except (OSError, ValueError):
        result = {**said_of(job), "error": "no result: " + (directory / "run.log").read_text()}
    result["directory"] = str(directory)
    return result


# ---- the table

def share(part, whole):
    return "%d/%d = %.1f%%" % (part, whole, 100.0 * part / whole) if whole else "0/0"


def totals(results):
    ran = [r for r in results if "error" not in r]
    found = [f for r in ran for f in r["findings"]]
    sure = [f for f in found if f["grade"] in ("confirmed", "proven")]
    likely = [f for f in found if f["grade"] == "likely"]
    visible = [r for r in ran if r["losses"] and not r["excused"]]
    return {"runs": len(results), "errors": len(results) - len(ran),
            "exchanges": sum(r["exchanges"] for r in ran),
            "losses": sum(r["losses"] for r in ran),
            "precision of confirmed": share(sum(f["right"] for f in sure), len(sure)),
            "precision of likely": share(sum(f["right"] for f in likely), len(likely)),
            "recall": share(sum(not r["missed"] for r in visible), len(visible)),
            "cause right": share(sum(not r["cause_wrong"] for r in visible if not r["missed"]),
                                 sum(not r["missed"] for r in visible)),
            "controls green": share(sum(r["verdict"] != "fail" for r in ran if not r["sick"]),
                                    sum(not r["sick"] for r in ran))}


def row_of(app, runs):
    ran = [r for r in runs if "error" not in r]
    found = [f for r in ran for f in r["findings"] if f["sure"]]
    return [app + ("*" if runs[0]["excused"] else ""), "sick" if runs[0]["sick"] else "healthy", len(runs),
            sum(r["exchanges"] for r in ran), sum(r["splits"] for r in ran),
            sum(r["losses"] for r in ran), sum(f["right"] for f in found),
            sum(not f["right"] for f in found), sum(r["missed"] for r in ran),
            sum(r["cause_wrong"] for r in ran), len(runs) - len(ran)]


def table(results):
    """One row an application, then the totals."""
    head = ["application", "kind", "runs", "exchanges", "splits", "losses", "right", "wrong",
            "missed", "cause", "errors"]
    apps = sorted({r["app"] for r in results}, key=lambda a: (
        not next(r["sick"] for r in results if r["app"] == a), a))
    rows = [head] + [row_of(a, [r for r in results if r["app"] == a]) for a in apps]
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(head))]
    lines = ["  ".join(str(v).ljust(w) if i < 2 else str(v).rjust(w)
                       for i, (v, w) in enumerate(zip(row, widths))) for row in rows]
    excuses = sorted({"* %(app)s is left out of the recall: %(excused)s" % r
                      for r in results if r["excused"]})
    return "\n".join(lines + [""] + ["%-24s %s" % item for item in totals(results).items()] + excuses)


def faults(result):
    """What is wrong with a run, in words."""
    if "error" in result:
        return ["error: " + result["error"]]
    said = []
    for f in result["findings"]:
        if f["sure"] and not f["right"]:
            said.append("wrong: %(guarantee)s %(grade)s: %(message)s (%(witnesses)s)" % f)
    if result["missed"] and not result["excused"]:
        said.append("missed: %d losses, such as %s; found %s" % (
            result["losses"], result["sample"],
            ["%(guarantee)s %(grade)s %(cause)s %(resource)s" % f for f in result["findings"]]))
    if result["cause_wrong"] and not result["excused"]:
        said.append("cause: %s" % sorted({f["cause"] for f in result["findings"] if f["sure"]}))
    if result["void"]:
        said.append("void: %d losses: %s" % (result["losses"], result["sample"]))
    if result["live_differs"]:
        said.append("live: the proxy told of other findings than the report")
    if not result["sick"] and result["verdict"] == "fail":
        said.append("a control failed")
    return said


def main():
    parser = argparse.ArgumentParser(description="Precision and recall over the corpus.")
    parser.add_argument("run", nargs="*", metavar="NAME[/SERVER]", default=names())
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", required=True, help="a new directory for logs and traces")
    parser.add_argument("--json", help="the results of all runs, for a program")
    parser.add_argument("--second-chance", action="store_true", help="play a missed run once more")
    parser.add_argument("--again", action="store_true", help="judge what lies in --keep once more")
    args = parser.parse_args()

    def tell(result):
        said = faults(result)
        mark = "BAD" if said else "MISS" if result.get("missed") else "ok"
        print("%-4s %s %s %.1fs" % (mark, result["app"], result["server"], result.get("seconds", 0)),
              flush=True)
        for line in said:
            print("     " + line, flush=True)

    signal.signal(signal.SIGTERM, give_up)
    keep = Path(args.keep).resolve()
    if args.again:
        sys.path.insert(0, str(CORPUS))
        results = judge_again(keep, args.run, tell)
    else:
        results = run_all(jobs_of(args.run, args.repeat), keep, args.jobs, tell)
    if args.second_chance:
        results = chances(results, keep, args.jobs, tell)
    if args.json:
        Path(args.json).write_text(json.dumps(results))
    print("\n" + table(results))
    for name in idle(results):
        print("BAD  %s lost nothing in any run" % name)
    return 1 if idle(results) or any(faults(r) for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
