#!/usr/bin/env bash
# The story of the lost car, told by real servers: four gunicorn workers, the proxy in front of them, the
# application's own API test, and the report; then the same with the application mended.
set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CARS=$ROOT/examples/cars
OUT=$ROOT/build/demo
PROGRAM=$ROOT/build/src/cli/whichworker
PYTHON=/usr/bin/python3
WORKERS=4
READY_TENTHS=200
exec </dev/null
# shellcheck source=tests/packages.sh
. "$ROOT/tests/packages.sh"

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' plain=$'\e[0m'
fi

server='' proxy=''

say() {
  printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# Ends one of our processes and waits for it. Its exit status is this function's.
end() {
  kill -TERM "$1" 2>/dev/null
  wait "$1" 2>/dev/null
}

clean_up() {
  [ -z "$proxy" ] || end "$proxy"
  [ -z "$server" ] || end "$server"
  proxy='' server=''
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "demo: $1" >&2
  if [ -n "${2:-}" ] && [ -f "$2" ]; then
    tail -n 20 "$2" >&2
  fi
  exit 1
}

# wait_for FILE PATTERN COUNT PID: until FILE has COUNT lines with PATTERN, as long as PID lives.
wait_for() {
  local tenths=0 seen
  while seen=$(grep -c -- "$2" "$1" 2>/dev/null); [ "${seen:-0}" -lt "$3" ]; do
    kill -0 "$4" 2>/dev/null || return 1
    [ "$tenths" -lt "$READY_TENTHS" ] || return 1
    tenths=$((tenths + 1))
    sleep 0.1
  done
}

build() {
  local log=$ROOT/build/demo-build.log
  mkdir -p "$ROOT/build"
  if [ ! -f "$ROOT/build/build.ninja" ]; then
    echo "configuring build/"
    meson setup "$ROOT/build" "$ROOT" >"$log" 2>&1 || fail "meson setup failed" "$log"
  fi
  [ -x "$PROGRAM" ] || echo "building whichworker"
  # The shim too: what is left in build/ is to be used, and `run` and `gate` load it.
  ninja -C "$ROOT/build" src/cli/whichworker src/shim/libwhichworker-shim.so >"$log" 2>&1 \
    || fail "the build failed" "$log"
}

# start_server LOG ENV…: gunicorn on a free port, with all its workers up; sets server and upstream.
start_server() {
  local log=$1
  shift
  env "$@" PYTHONDONTWRITEBYTECODE=1 $PYTHON -m gunicorn --workers $WORKERS --worker-class sync \
    --bind 127.0.0.1:0 --chdir "$CARS" cars_app:app >"$log" 2>&1 &
  server=$!
  wait_for "$log" "Booting worker with pid" $WORKERS $server || fail "gunicorn did not start" "$log"
  upstream=$(sed -n 's/.*Listening at: http:\/\/\([^ ]*\).*/\1/p' "$log")
}

# start_proxy LOG TRACE: the proxy on a free port; sets proxy and url.
start_proxy() {
  "$PROGRAM" proxy --upstream "$upstream" --listen 127.0.0.1:0 --trace "$2" >"$1" 2>&1 &
  proxy=$!
  wait_for "$1" "listening on http://" 1 $proxy || fail "the proxy did not start" "$1"
  url=$(sed -n 's/.*listening on \(http:\/\/[^ ]*:[0-9]*\).*/\1/p' "$1" | head -n 1)
}

# run_test LOG: the application's API test through the proxy; its exit status.
run_test() {
  (cd "$CARS" && BASE_URL=$url COLUMNS=140 $PYTHON -B -m pytest -q --tb=no --color=no \
    -p no:cacheprovider test_cars_api.py >"$1" 2>&1)
}

# play NAME WANTED_TEST WANTED_REPORT ENV…: one act: server, proxy, test, report.
play() {
  local name=$1 wanted_test=$2 wanted_report=$3 tested reported trace=$OUT/$1.db
  shift 3
  start_server "$OUT/$name-gunicorn.log" "$@"
  start_proxy "$OUT/$name-proxy.log" "$trace"
  echo "\$ whichworker proxy --upstream $upstream --listen ${url#http://} --trace ${trace#"$ROOT"/}"
  echo "\$ BASE_URL=$url pytest test_cars_api.py"
  run_test "$OUT/$name-test.log"
  tested=$?
  grep -m 3 '^FAILED' "$OUT/$name-test.log"
  tail -n 1 "$OUT/$name-test.log"
  end "$proxy" || fail "the proxy did not end cleanly" "$OUT/$name-proxy.log"
  proxy=''
  end "$server"
  server=''
  printf '\n$ whichworker report %s\n' "${trace#"$ROOT"/}"
  (cd "$ROOT" && "$PROGRAM" report "${trace#"$ROOT"/}")
  reported=$?
  echo "(exit status $reported)"
  [ $tested -eq "$wanted_test" ] \
    || fail "the API test ended with $tested, not $wanted_test" "$OUT/$name-test.log"
  [ $reported -eq "$wanted_report" ] || fail "the report ended with $reported, not $wanted_report"
}

packages_install "${PACKAGES_BUILD[@]}" "${PACKAGES_EXAMPLE[@]}" || fail "packages are missing"
build
rm -rf "$OUT"
mkdir -p "$OUT" || fail "cannot write to $OUT"

say "1. $WORKERS workers, each with a random key and a list of its own: the API test fails. Why?"
play broken 1 1 CARS_FIXED=0

say "2. The same application with one key and one shared list: as many workers, and all is well."
play fixed 0 0 CARS_FIXED=1 SECRET_KEY=one-key-for-all CARS_DB="$OUT/registered.sqlite"

say "The sessions changed their worker here too, and nothing was wrong with that."
echo "The traces are in ${OUT#"$ROOT"/}/: broken.db and fixed.db. Look again with
  ${PROGRAM#"$ROOT"/} report ${OUT#"$ROOT"/}/broken.db"
