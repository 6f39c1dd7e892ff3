"""What attribution made of a run: counted against what the workers said, and kept as a table's row."""
import json
import os
import sqlite3
import statistics

ROWS_FILE = os.environ.get("WW_ATTRIBUTION_ROWS")
UNKNOWN = ("unknown", "ambiguous")


class Score:
    """Replies by what their tag says: the PID that answered, nobody, or somebody else."""

    def __init__(self, replies):
        self.total = len(replies)
        self.pids = {r.json()["pid"] for r in replies}
        self.unknown = sum(r.tag in UNKNOWN for r in replies)
        self.wrong = [(r.tag, r.json()["pid"]) for r in replies
                      if r.tag not in UNKNOWN and r.tag != str(r.json()["pid"])]
        self.known = self.total - self.unknown - len(self.wrong)

    def __str__(self):
        return "%d known, %d unknown, %d wrong %s of %d by %d workers" % (
            self.known, self.unknown, len(self.wrong), self.wrong[:10], self.total, len(self.pids))


def median_hold_ms(trace):
    """From the connection's being made to the worker's being known, which is when the head goes out."""
    db = sqlite3.connect(trace)
    waits = [row[0] / 1000 for row in db.execute(
        "SELECT accepted_us - connected_us FROM exchange WHERE accepted_us IS NOT NULL")]
    db.close()
    return statistics.median(waits) if waits else None


def keep_row(server, bind, clients, source, score, hold_ms):
    """Only where a table is being made (tests/bench/attribution.sh)."""
    if not ROWS_FILE:
        return
    with open(ROWS_FILE, "a") as file:
        json.dump({"server": server, "bind": bind, "clients": clients, "source": source,
                   "requests": score.total, "known": score.known, "unknown": score.unknown,
                   "wrong": len(score.wrong), "hold_ms": hold_ms}, file)
        file.write("\n")
