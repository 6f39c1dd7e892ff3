"""Adds up JUnit files: `summary.py DIR [STEP]` prints what failed and the last line of tests/run.sh.

DIR/nonzero names the runs that ended with a failure: one whose file shows none (it crashed, or ran out
of time) counts as one failure, and so does STEP, a step that failed before any test could run.
"""
import collections
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def outcome(case):
    for tag in ("failure", "error"):
        if case.find(tag) is not None:
            return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def count(path):
    """Outcomes of one file; each failure is named on the way."""
    counts = collections.Counter()
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        result = outcome(case)
        counts[result] += 1
        if result != "passed":
            print("%s: %s: %s %s" % (result, path.stem, case.get("classname"), case.get("name")))
    return counts


def main():
    results = Path(sys.argv[1])
    total = collections.Counter()
    by_run = {}
    for path in sorted(results.glob("*.xml")):
        by_run[path.stem] = count(path)
        total += by_run[path.stem]
    nonzero = results / "nonzero"
    runs = set(nonzero.read_text().split("\n")) - {""} if nonzero.exists() else set()
    for run in sorted(runs | set(sys.argv[2:])):
        if not by_run.get(run, {}).get("failed"):
            print("failed: %s ended without a result for every test" % run)
            total["failed"] += 1
    print("%d passed, %d failed, %d skipped"
          % (total["passed"], total["failed"], total["skipped"]))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
