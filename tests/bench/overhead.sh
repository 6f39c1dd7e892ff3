#!/usr/bin/env bash
# What a request costs: whichworker, haproxy and nginx in front of the same origin, in one run on loopback,
# each with one upstream connection per request. Only the ratios mean something on another machine.
#
#   tests/bench/overhead.sh [SECONDS for each, default 5] [WHICHWORKER]
set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SECONDS_EACH=${1:-5}
PROGRAM=${2:-$ROOT/build/src/cli/whichworker}
CLIENTS=16
ORIGIN_WORKERS=2
READY_TENTHS=100
exec </dev/null

for tool in wrk haproxy nginx gcc curl; do
  command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null \
    || { echo "needs the Debian packages wrk haproxy nginx-light gcc curl" >&2; exit 1; }
done
PATH=$PATH:/usr/sbin
[ -x "$PROGRAM" ] || { echo "no program at $PROGRAM: build first" >&2; exit 1; }

dir=$(mktemp -d)
pids=()
clean_up() {
  local pid
  for pid in "${pids[@]}"; do
    kill -TERM "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  rm -rf "$dir"
}
trap clean_up EXIT

free_port() {
  /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# until_ready PORT: an answer of any kind.
until_ready() {
  local tenths=0
  until curl -s -o /dev/null "http://127.0.0.1:$1/"; do
    [ $tenths -lt $READY_TENTHS ] || { echo "nothing answers on port $1" >&2; cat "$dir"/*.log >&2; exit 1; }
    tenths=$((tenths + 1))
    sleep 0.1
  done
}

# ticks PID: user and system time of the process, of all its threads.
ticks() {
  awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
}

# measure NAME PORT [PID]: one row of the table.
measure() {
  local name=$1 port=$2 pid=${3:-} before=0 after=0 out
  wrk -t1 -c$CLIENTS -d1s "http://127.0.0.1:$port/" >/dev/null
  [ -z "$pid" ] || before=$(ticks "$pid")
  out=$(wrk -t1 -c$CLIENTS -d"${SECONDS_EACH}s" --latency "http://127.0.0.1:$port/")
  [ -z "$pid" ] || after=$(ticks "$pid")
  awk -v name="$name" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
    / requests in / { requests = $1 }
    /Requests\/sec/ { rate = $2 }
    $1 == "50%" { p50 = $2 }
    $1 == "99%" { p99 = $2 }
    /Non-2xx|Socket errors/ { trouble = "  " $0 }
    END {
      cost = ticks ? sprintf("%.1f", ticks / hz * 1e6 / requests) : "-"
      printf "%-34s %10.0f %12s %10s %10s%s\n", name, rate, cost, p50, p99, trouble
    }' <<<"$out"
}

gcc -O2 -D_GNU_SOURCE -o "$dir/origin" "$ROOT/tests/bench/origin.c" || exit 1
"$dir/origin" $ORIGIN_WORKERS >"$dir/origin.log" 2>&1 &
pids+=($!)
until grep -q 'listening on' "$dir/origin.log"; do sleep 0.05; done
origin=$(sed -n 's/listening on .*:\([0-9]*\)$/\1/p' "$dir/origin.log")

haproxy_port=$(free_port)
cat >"$dir/haproxy.cfg" <<END
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option http-server-close
  http-reuse never
frontend in
  bind 127.0.0.1:$haproxy_port
  default_backend origin
backend origin
  server origin 127.0.0.1:$origin
END
haproxy -db -f "$dir/haproxy.cfg" >"$dir/haproxy.log" 2>&1 &
haproxy_pid=$!
pids+=("$haproxy_pid")

nginx_port=$(free_port)
cat >"$dir/nginx.conf" <<END
worker_processes 1;
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx-error.log;
events { worker_connections 1024; }
http {
  access_log $dir/nginx-access.log combined buffer=64k flush=1s;
  client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3;
  uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5;
  server {
    listen 127.0.0.1:$nginx_port;
    location / { proxy_pass http://127.0.0.1:$origin; }
  }
}
END
nginx -c "$dir/nginx.conf" >"$dir/nginx.log" 2>&1 &
nginx_master=$!
pids+=("$nginx_master")

ours_port=$(free_port)
"$PROGRAM" proxy --upstream "127.0.0.1:$origin" --listen "127.0.0.1:$ours_port" --quiet \
  --trace "$dir/trace.db" >"$dir/whichworker.log" 2>&1 &
ours_pid=$!
pids+=("$ours_pid")

# The backend that it starts itself tells who accepted: nothing is held.
run_port=$(free_port)
"$PROGRAM" run --listen "127.0.0.1:$run_port" --quiet --trace "$dir/run.db" \
  -- "$dir/origin" $ORIGIN_WORKERS >"$dir/run.log" 2>&1 &
run_pid=$!
pids+=("$run_pid")

for port in "$haproxy_port" "$nginx_port" "$ours_port" "$run_port"; do
  until_ready "$port"
done
nginx_pid=$(cut -d' ' -f1 "/proc/$nginx_master/task/$nginx_master/children")

printf '%-34s %10s %12s %10s %10s\n' "$CLIENTS clients, tiny JSON" "req/s" "µs CPU/req" p50 p99
measure "haproxy, no log" "$haproxy_port" $haproxy_pid
measure "nginx, buffered log" "$nginx_port" "$nginx_pid"
measure "whichworker proxy (kernel), trace" "$ours_port" $ours_pid
measure "whichworker run (preload), trace" "$run_port" $run_pid
