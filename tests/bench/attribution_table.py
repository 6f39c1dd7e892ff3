"""Rows of the end-to-end tests (one JSON object a line) as a Markdown table: attribution_table.py FILE"""
import json
import sys

HEAD = ("server", "reached over", "requests", "known", "unknown", "wrong", "hold, 1 client",
        "hold, 16 clients")


def grouped(rows):
    """Rows of one server and source belong together, whatever the number of clients."""
    groups = {}
    for row in rows:
        groups.setdefault((row["source"], row["server"], row["bind"]), []).append(row)
    return groups


def hold(rows, clients):
    found = [r["hold_ms"] for r in rows if r["clients"] == clients and r["hold_ms"] is not None]
    return "%.2f ms" % found[-1] if found else "-"


def line(cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def main(path):
    with open(path) as file:
        groups = grouped([json.loads(text) for text in file])
    for source in sorted({key[0] for key in groups}):
        print("By %s:\n" % source)
        print(line(HEAD))
        print("|---|---|" + "---:|" * (len(HEAD) - 2))
        for (by, server, bind), rows in groups.items():
            if by == source:
                print(line([server, bind] + [sum(r[k] for r in rows) for k in
                                             ("requests", "known", "unknown", "wrong")] +
                           [hold(rows, 1), hold(rows, 16)]))
        print()


main(sys.argv[1])
