"""The judge against the truth: every application of the corpus, under every kind of server.

The applications' own oracle says what was lost and where a client could see it. What the judge calls
likely or worse must be among that, and where something was lost the judge must have seen it.
"""
import json
import subprocess

import pytest

import corpus
from servers import PYTHON, SANITIZED

RUN_SECONDS = 300


def runs():
    """Under the sanitizers each application meets one kind of server, in turn."""
    for number, name in enumerate(corpus.names()):
        kinds = corpus.facts(name)["SERVERS"]
        for kind in ([kinds[number % len(kinds)]] if SANITIZED else kinds):
            yield "%s/%s" % (name, kind)


@pytest.fixture(scope="module")
def results(request, tmp_path_factory):
    """Results by run, of those that this session asks for: played by one program, side by side."""
    directory = tmp_path_factory.mktemp("corpus")
    wanted = [item.callspec.params["run"] for item in request.session.items
              if "run" in getattr(getattr(item, "callspec", None), "params", {})]
    with subprocess.Popen(
            [PYTHON, "-B", corpus.__file__, "--keep", directory, "--json", directory / "all.json",
             "--second-chance", *wanted], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True) as program:
        try:
            said = program.communicate(timeout=RUN_SECONDS)[0]
        finally:
            program.terminate()     # it takes down what it started
    assert program.returncode in (0, 1), said
    print(said)
    return {"%(app)s/%(server)s" % r: r for r in json.loads((directory / "all.json").read_text())}


@pytest.mark.parametrize("run", runs())
def test_the_judge_and_the_application_agree(results, run):
    wanting = corpus.missing(run.partition("/")[0])
    if wanting:
        pytest.skip("there is no " + ", ".join(wanting))
    assert not corpus.faults(results[run]), results[run]["directory"]


@pytest.mark.skipif(SANITIZED, reason="each is played once only")
def test_every_broken_application_lost_something(results):
    assert not corpus.idle(results.values())


# ---- the comparison itself

def test_an_application_that_never_loses_is_told():
    assert corpus.idle([{"app": "a", "sick": True, "losses": 0}, {"app": "a", "sick": True, "losses": 1},
                        {"app": "b", "sick": True, "losses": 0}, {"app": "c", "sick": True},
                        {"app": "d", "sick": False, "losses": 0}]) == ["b", "c"]


FOUND = {"sure": True, "right": True, "expected": True, "cause_right": True}
GOOD = {"wrong": False, "missed": False, "cause_wrong": False, "void": False}
LOST = {"v1-4": "teapot is missing"}


@pytest.mark.parametrize("sick, lost, found, fault", [
    (True, LOST, [FOUND], None),
    (True, LOST, [], "missed"),
    (True, LOST, [{**FOUND, "sure": False}], "missed"),
    (True, LOST, [{**FOUND, "expected": False}], "missed"),
    (True, LOST, [FOUND, {**FOUND, "right": False}], "wrong"),
    (True, LOST, [FOUND, {**FOUND, "right": False, "sure": False}], None),
    (True, LOST, [{**FOUND, "cause_right": False}], "cause_wrong"),
    (True, {}, [], None),
    (False, {}, [], None),
    (False, {}, [{**FOUND, "right": False}], "wrong"),
    (False, LOST, [FOUND], "void")])
def test_the_comparison_tells_faults(sick, lost, found, fault):
    said = corpus.verdict_of({"SICK": sick}, lost, found)
    assert said == {**GOOD, **({fault: True} if fault else {})}


@pytest.mark.parametrize("write, read, right", [
    ("v1-1", "v1-4", True), ("v1-1", "v1-2", False), ("v1-4", "v1-2", False)])
def test_a_finding_is_right_if_what_it_accuses_was_lost(write, read, right):
    finding = {"guarantee": "read-your-writes", "grade": "likely", "cause": "worker-memory",
               "resource": "/cart", "message": "", "evidence": [
                   {"exchange": 1, "role": "write"}, {"exchange": 2, "role": "read-lost"}]}
    said = {"EXPECT": {"guarantees": {"read-your-writes"}, "cause": "worker-memory"}}
    assert corpus.judged(finding, said, {1: write, 2: read}, LOST)["right"] == right


@pytest.fixture
def oracle(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(corpus.CORPUS))
    import oracle
    monkeypatch.setattr(oracle, "LOG", str(tmp_path / "oracle.jsonl"))
    return oracle


def answers(oracle, *requests):
    """Plays requests, each a client and what its answer does; which of them lost something."""
    for number, (client, act) in enumerate(requests):
        app = oracle.watch(lambda environ, start_response: act() or [b""])
        app({"HTTP_X_REQUEST_ID": "%s-%d" % (client, number)}, None)
    return [line["lost"] for line in oracle.read(oracle.LOG)]


def test_the_oracle_entitles_a_client_to_its_own_writes_and_reads(oracle):
    assert answers(
        oracle,
        ("v1", lambda: oracle.wrote("list", "a")),
        ("v2", lambda: oracle.showed("list", [])),          # never wrote it, never saw it
        ("v1", lambda: oracle.showed("list", [])),
        ("v2", lambda: oracle.showed("list", ["a"])),
        ("v2", lambda: oracle.showed("list", [])),          # has seen it now
    ) == [False, False, True, False, True]


def test_the_oracle_forgives_what_was_removed_by_anybody(oracle):
    assert answers(
        oracle,
        ("v1", lambda: oracle.wrote("list", "a")),
        ("v2", lambda: oracle.removed("list", "a")),
        ("v1", lambda: oracle.showed("list", [])),
        ("v1", lambda: oracle.showed("list", ["a"])),       # it is back
        ("v2", lambda: oracle.showed("list", ["a"])),       # who removed it need not have read
        ("v3", lambda: oracle.showed("list", ["a"])),       # knows nothing of it
    ) == [False, False, False, True, True, False]


def test_the_oracle_takes_what_was_written_again(oracle):
    assert answers(
        oracle,
        ("v1", lambda: oracle.wrote("list", "a")),
        ("v1", lambda: oracle.removed("list", "a")),
        ("v2", lambda: oracle.wrote("list", "a")),
        ("v1", lambda: oracle.showed("list", ["a"])),
        ("v1", lambda: oracle.showed("list", [])),
    ) == [False, False, False, False, True]


def test_the_oracle_holds_the_application_to_its_promises(oracle):
    assert answers(
        oracle,
        ("v1", lambda: oracle.honoured("login", False)),
        ("v1", lambda: oracle.promised("login")),
        ("v2", lambda: oracle.honoured("login", False)),
        ("v1", lambda: oracle.honoured("login", True)),
        ("v1", lambda: oracle.honoured("login", False)),
        ("v1", lambda: oracle.withdrawn("login")),
        ("v1", lambda: oracle.honoured("login", False)),
    ) == [False, False, False, False, True, False, False]


def test_the_oracle_holds_numbers_against_what_the_client_has_seen(oracle):
    assert answers(
        oracle,
        ("v1", lambda: oracle.counted("visits", 3)),
        ("v2", lambda: oracle.counted("visits", 1)),
        ("v1", lambda: oracle.counted("visits", 2)),
        ("v1", lambda: oracle.counted("visits", 3)),
        ("v1", lambda: oracle.raised("visits")),
        ("v1", lambda: oracle.counted("visits", 3)),
        ("v2", lambda: oracle.counted("visits", 3)),
    ) == [False, False, True, False, False, True, False]
