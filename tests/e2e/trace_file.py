"""A trace made by hand: whatever bytes a test wants in whichever column."""
import hashlib
import sqlite3

from servers import ROOT

START = 1_764_072_067_482_000


def as_bytes(value):
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


class TraceFile:
    """Writes src/store/schema.sql's tables. Text columns take any bytes, as a damaged file may have them."""

    def __init__(self, path, upstream="127.0.0.1:8000", schedule="natural", workers=(101, 102), command="gunicorn"):
        self.path = path
        self.db = sqlite3.connect(path)
        self.db.executescript((ROOT / "src/store/schema.sql").read_text())
        self.exchanges = 0
        self.insert("run", id=1, version="0.1.0", upstream=upstream, upstream_connections="fresh",
                    schedule=schedule, started_us=START, ended_us=START + 10_000_000)
        for slot, pid in enumerate(workers):
            self.insert("worker", pid=pid, start_ticks=1, slot=slot, started_us=START - 1_000_000, command=command)

    def insert(self, table, **columns):
        marks, values = [], []
        for value in columns.values():
            is_text = isinstance(value, str) or isinstance(value, Text)
            marks.append("CAST(? AS TEXT)" if is_text else "?")
            values.append(as_bytes(value.bytes if isinstance(value, Text) else value) if is_text else value)
        self.db.execute("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join(columns), ", ".join(marks)), values)

    def body(self, content):
        if not content:
            return None
        digest = hashlib.blake2b(content, digest_size=32).digest()
        self.insert("body", hash=digest, bytes=content)
        return self.db.execute("SELECT last_insert_rowid()").fetchone()[0]

    def exchange(self, pid, method=b"GET", target=b"/", status=200, request=b"", response=b"",
                 request_fields=((b"Host", b"app.test"),), response_fields=(), cookie=None, **columns):
        self.exchanges += 1
        at = START + self.exchanges * 10_000
        fields = list(request_fields)
        if cookie is not None:
            fields.append((b"Cookie", cookie))
        row = dict(id=self.exchanges, connection=1, upstream=self.exchanges, client="127.0.0.1", started_us=at,
                   connected_us=at + 100, accepted_us=at + 300, answered_us=at + 900, ended_us=at + 1000,
                   attributed_by="kernel", pid=pid, start_ticks=1, method=Text(method), target=Text(target),
                   request_minor=1, request_fields=lines(fields), request_body=self.body(request),
                   request_size=len(request), status=status, response_fields=lines(response_fields),
                   response_body=self.body(response), response_size=len(response), ended_as="complete")
        row.update(columns)
        self.insert("exchange", **row)

    def close(self):
        self.db.commit()
        self.db.close()
        return self.path


class Text:
    """Bytes for a TEXT column."""

    def __init__(self, content):
        self.bytes = content


def lines(fields):
    return Text(b"".join(name + b": " + value + b"\n" for name, value in fields))
