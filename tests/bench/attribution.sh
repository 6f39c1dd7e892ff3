#!/usr/bin/env bash
# The table of docs/attribution.md: every server of tests/e2e/test_servers.py in its full form, as Markdown.
# A server that is not installed is missing from the table, and named on standard error.
#
#   tests/bench/attribution.sh [WHICHWORKER]
set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PROGRAM=${1:-$ROOT/build/src/cli/whichworker}
PYTHON=/usr/bin/python3
exec </dev/null

[ -x "$PROGRAM" ] || { echo "no program at $PROGRAM: build first" >&2; exit 1; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cd "$ROOT" || exit 1
WW_FULL=1 WW_ATTRIBUTION_ROWS=$dir/rows WHICHWORKER_BIN=$(readlink -f "$PROGRAM") \
  $PYTHON -B -m pytest tests/e2e/test_servers.py -k attributed -q -rs -p no:cacheprovider --color=no \
  --basetemp="$dir/tests" >"$dir/log" 2>&1
status=$?
grep -E '^(SKIPPED|FAILED)|passed|failed' "$dir/log" >&2
[ -s "$dir/rows" ] || { tail -40 "$dir/log" >&2; exit 1; }
$PYTHON -B tests/bench/attribution_table.py "$dir/rows"
exit $status
