"""Every format of a report, read by somebody else's reader: of honest traces, and of hostile ones."""
import json
import os
import re
import stat
import subprocess
import xml.etree.ElementTree

import pytest

import report_formats as formats
from servers import BINARY, whichworker
from trace_file import Text, TraceFile

JSON = ((b"Content-Type", b"application/json"),)


def quoted(value):
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def lose_a_car(trace, session, name, path=b"/cars", fields=()):
    """One session's worth of it: written on one worker, missing on the other, there on the first."""
    cookie = b"session=mac:" + session
    car = b"[" + b'{"name":' + quoted(name) + b"}]"
    host = ((b"Host", b"app.test"),) + tuple(fields)
    trace.exchange(101, target=path, response=b"[]", response_fields=JSON, cookie=cookie, request_fields=host)
    trace.exchange(101, b"POST", path + b"/add", request=b'{"name":' + quoted(name) + b"}", cookie=cookie,
                   request_fields=host + JSON, response=b'{"ok":true}', response_fields=JSON)
    trace.exchange(102, target=path, response=b"[]", response_fields=JSON, cookie=cookie, request_fields=host)
    trace.exchange(101, target=path, response=car, response_fields=JSON, cookie=cookie, request_fields=host)


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    trace = TraceFile(tmp_path_factory.mktemp("lost") / "lost.db")
    for i in range(3):
        lose_a_car(trace, b"%024d" % i, "Figo-%d" % i)
    return trace.close()


def all_formats(trace, directory, *options):
    """{format: bytes}, all of them written by one run."""
    files = {name: directory / ("report." + name) for name in formats.CHECKS}
    listed = ",".join("%s=%s" % item for item in files.items())
    done = whichworker("report", trace, "--report", listed, *options)
    assert done.returncode in (0, 1, 2) and done.stderr == "", done.stderr
    return {name: path.read_bytes() for name, path in files.items()}


@pytest.fixture(scope="module")
def written(lost, tmp_path_factory):
    return all_formats(lost, tmp_path_factory.mktemp("written"))


# ---- an honest trace

def test_the_trace_loses_something(lost):
    assert whichworker("report", lost).returncode == 1


@pytest.mark.parametrize("name", formats.CHECKS)
def test_a_format_is_read_by_others(written, name):
    formats.CHECKS[name](written[name])


def test_junit_keeps_to_the_schema_of_jenkins(written, tmp_path):
    (tmp_path / "junit.xml").write_bytes(written["junit"])
    formats.check_junit_schema(tmp_path / "junit.xml")


def test_junit_is_read_by_a_consumer(written, tmp_path):
    junitparser = pytest.importorskip("junitparser")
    (tmp_path / "junit.xml").write_bytes(written["junit"])
    suites = list(junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml")))
    failed = [(s.name, c.name) for s in suites for c in s
              if any(isinstance(r, junitparser.Failure) for r in c.result)]
    assert ("read-your-writes", "POST /cars/add -> GET /cars") in failed


def test_sarif_keeps_to_its_schema(written):
    formats.check_sarif_schema(written["sarif"])


def test_har_keeps_to_its_schema(written):
    formats.check_har_schema(written["har"])


def test_har_has_every_exchange_with_its_worker(written):
    entries = formats.check_har(written["har"])["entries"]
    assert [e["_worker"] for e in entries] == [101, 101, 102, 101] * 3
    assert {e["_session"] for e in entries} == {"s1", "s2", "s3"}
    assert [e["response"]["content"]["text"] for e in entries[:3]] == ["[]", '{"ok":true}', "[]"]
    assert entries[1]["request"]["postData"]["text"] == '{"name":"Figo-0"}'


def test_all_formats_tell_the_same(written):
    report = json.loads(written["json"])
    cases = xml.etree.ElementTree.fromstring(written["junit"]).iter("failure")
    results = json.loads(written["sarif"])["runs"][0]["results"]
    messages = [f["message"] for f in report["findings"]]
    assert messages and [r["message"]["text"].split(". Cause: ")[0] for r in results] == messages
    assert any(messages[0] in case.get("message") for case in cases)
    for name in ("text", "markdown", "github"):
        assert report["findings"][0]["grade"].encode() in written[name]


def test_names_and_fingerprints_are_those_of_another_run(written, tmp_path):
    trace = TraceFile(tmp_path / "again.db", workers=(5001, 5002))
    trace.exchanges = 7  # other ids and times
    for i in range(3):
        lose_a_car(trace, b"%024x" % (i + 1000), "Fiesta-%d" % i)
    trace.db.execute("UPDATE exchange SET pid = pid + 4900")
    again = all_formats(trace.close(), tmp_path)

    def names(content):
        return [(c.get("classname"), c.get("name"), c.find("failure") is not None)
                for c in formats.check_junit(content).iter("testcase")]

    def prints(content):
        return [r["partialFingerprints"] for r in json.loads(content)["runs"][0]["results"]]

    assert names(again["junit"]) == names(written["junit"])
    assert prints(again["sarif"]) == prints(written["sarif"])


def test_a_filter_leaves_every_format_valid(lost, written, tmp_path):
    selected = all_formats(lost, tmp_path, "--filter", "~split & ~m GET")
    for name, check in formats.CHECKS.items():
        check(selected[name])
    entries = formats.check_har(selected["har"])["entries"]
    assert 0 < len(entries) < len(formats.check_har(written["har"])["entries"])
    assert [e["_exchange"] for e in entries] == [2, 3, 4, 6, 7, 8, 10, 11, 12], "splits, each with the step before"


# ---- hostile traces: each of these in every field

HOSTILE = {
    "terminal": "\x1b[31mHOSTILE\x1b]0;title\x07\x9b2J",
    "cdata": "]]>HOSTILE<![CDATA[",
    "script": "</script><script>HOSTILE</script><!--",
    "not utf-8": b"HOSTILE\xff\xfe\xc3\x28\xed\xa0\x80",
    "nul": "HOS\0TILE",
    "crlf": "HOSTILE\r\nX-Injected: 1\r\n\r\n<b>",
    "encoded line feed": "HOSTILE%0A::error::x%0D%0A",
    "workflow command": "::error title=x::HOSTILE ::stop-commands::y ##[error]z ##vso[task.complete]",
    "markdown": "HOSTILE [x](http://evil.test) ![i](http://evil.test/i.png) @all *b* _i_ ~s~ #1 | c \\| d \\",
    "html": "<img src=x onerror=alert(1)>HOSTILE<a href='javascript:1'>&amp;&#x41;",
    "backticks": "`````HOSTILE`` ` ",
    "bidi": "HOSTILE\u202egnp.exe\u2066\u200f\u2028\u061c\ufeff\U000e0041",
    "no characters of xml": "HOSTILE\ufffe\uffff\ufdd0",
    "sql": "HOSTILE'; DROP TABLE exchange; --\"",
    "format": "HOSTILE%s%n%p{0}${x}{{y}}",
    "empty": "",
}


def hostile_trace(path, value):
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    text = raw.decode("utf-8", "replace")
    trace = TraceFile(path, upstream=Text(raw[:100]), schedule=Text(raw[:12]), command=Text(raw[:40]))
    for i in range(3):
        lose_a_car(trace, b"%024d" % i, text + "-%d" % i, b"/cars/" + raw, [(b"X-" + raw, raw)])
        lose_a_car(trace, b"1%023d" % i, "plain-%d" % i)
    trace.exchange(101, raw, raw, 500, request=raw, response=raw, request_id=Text(raw), client=Text(raw),
                   request_fields=((b"Host", raw), (raw, raw), (b"Cookie", raw + b"=" + raw),
                                   (b"Authorization", raw), (b"Content-Type", raw)),
                   response_fields=((b"Content-Type", raw), (b"Content-Encoding", raw), (b"Location", raw),
                                    (b"Set-Cookie", b"a=" + raw + b"; Path=" + raw), (raw, raw)))
    trace.exchange(102, b"GET", b"http://" + raw, 302, response=raw, cookie=raw)
    trace.insert("payload", value=Text(raw or b"x"), form="jwt", json=Text(quoted({text: text})))
    return trace.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """hostile(kind): all formats of the hostile trace of that kind."""
    made = {}

    def of(kind):
        if kind not in made:
            directory = tmp_path_factory.mktemp("hostile")
            made[kind] = all_formats(hostile_trace(directory / "hostile.db", HOSTILE[kind]), directory)
        return made[kind]
    return of


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", formats.CHECKS)
def test_hostile_content_leaves_a_format_valid_and_inert(hostile, kind, name):
    content = hostile(kind)[name]
    if name == "markdown":
        formats.check_markdown(content, "HOSTILE")
    else:
        formats.CHECKS[name](content)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_content_does_not_hide_the_finding(hostile, kind):
    findings = json.loads(hostile(kind)["json"])["findings"]
    assert any(f["resource"] == "/cars" and f["guarantee"] == "read-your-writes" for f in findings)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_content_keeps_to_the_published_schemas(hostile, kind, tmp_path):
    (tmp_path / "junit.xml").write_bytes(hostile(kind)["junit"])
    formats.check_junit_schema(tmp_path / "junit.xml")
    formats.check_sarif_schema(hostile(kind)["sarif"])
    formats.check_har_schema(hostile(kind)["har"])


def test_a_value_of_a_megabyte(tmp_path):
    for name, content in all_formats(hostile_trace(tmp_path / "large.db", b"HOSTILE" * 150_000), tmp_path).items():
        formats.CHECKS[name](content)


# ---- files

def test_one_run_writes_files_and_prints(lost, tmp_path):
    done = whichworker("report", lost, "--report", "junit=%s/j.xml" % tmp_path, "--report", "har=%s/h.har" % tmp_path)
    assert done.returncode == 1 and done.stdout.rstrip().splitlines()[-1].startswith("3 passed, 1 failed")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["h.har", "j.xml"]
    assert stat.S_IMODE(os.stat(tmp_path / "h.har").st_mode) == 0o600


def test_output_goes_to_a_file(lost, tmp_path):
    done = whichworker("report", lost, "--format", "sarif", "-o", tmp_path / "x.sarif")
    assert done.returncode == 1 and done.stdout == ""
    formats.check_sarif((tmp_path / "x.sarif").read_bytes())


def test_a_place_that_cannot_be_is_told_before_anything(lost, tmp_path):
    done = whichworker("report", lost, "--report", "json=%s/absent/x.json" % tmp_path)
    assert done.returncode == 4 and "absent/x.json" in done.stderr and done.stdout == ""


def test_help_lists_the_formats():
    text = whichworker("report", "--help").stdout
    for name in formats.CHECKS:
        assert re.search(r"^ +%s +\S" % name, text, re.M), name


# ---- a gate

def test_a_gate_that_could_not_run_leaves_whole_reports(tmp_path):
    listed = ",".join("%s=%s" % (name, tmp_path / name) for name in formats.CHECKS)
    done = whichworker("gate", "--backend", "false", "--report", listed, "--", "true")
    assert done.returncode == 4
    for name, check in formats.CHECKS.items():
        check((tmp_path / name).read_bytes())
    assert len(list(formats.check_junit((tmp_path / "junit").read_bytes()).iter("error"))) == 1
    assert not json.loads((tmp_path / "sarif").read_bytes())["runs"][0]["invocations"][0]["executionSuccessful"]
    assert (tmp_path / "github").read_text().count("::") == 2


# ---- GitHub Actions

def in_actions(trace, summary, *options):
    env = {**os.environ, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    return subprocess.run([str(BINARY), "report", str(trace), *options], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, env=env, timeout=60)


def test_in_github_actions_annotations_and_a_summary_come_by_themselves(lost, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("# of another program\n")
    done = in_actions(lost, summary, "--format", "json")
    json.loads(done.stdout)
    formats.check_github(done.stderr.encode())
    assert summary.read_text().startswith("# of another program\n## whichworker: ")


def test_a_full_summary_is_told_and_left_alone(lost, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * ((1 << 20) - 100))
    done = in_actions(lost, summary)
    assert done.returncode == 1 and "summary is full" in done.stderr
    assert summary.stat().st_size == (1 << 20) - 100


def test_github_can_be_told_nothing(lost, tmp_path):
    done = in_actions(lost, tmp_path / "summary.md", "--no-github")
    assert done.stderr == "" and not (tmp_path / "summary.md").exists()
