#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: plain, under the sanitizers, under valgrind.
# The last line is `N passed, N failed, N skipped`; the exit status is 0 only if nothing failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
exec </dev/null
# shellcheck source=tests/packages.sh
. tests/packages.sh

PYTHON=/usr/bin/python3
RESULTS=build-results
E2E_SECONDS=800
started=$SECONDS

step() {
  printf '== %s (%d s)\n' "$1" $((SECONDS - started))
}

# A step that has no test results of its own: its failure counts as one.
must() {
  local name=$1
  shift
  if ! "$@"; then
    echo "FAILED: $name"
    $PYTHON -B tests/summary.py "$RESULTS" "$name" || [ -x $PYTHON ] \
      || echo "0 passed, 1 failed, 0 skipped"
    exit 1
  fi
}

configure() {
  local dir=$1
  shift
  if [ -f "$dir/build.ninja" ]; then
    meson configure "$dir" -Dwerror=true "$@" >/dev/null
  else
    meson setup "$dir" -Dwerror=true "$@"
  fi
}

compile() {
  local out
  if ! out=$(ninja -C "$1" 2>&1); then
    printf '%s\n' "$out" | grep -v '^\[' | tail -60
    return 1
  fi
}

# run_meson NAME BUILD LOG ARG…: meson's tests; their results as RESULTS/NAME.xml.
run_meson() {
  local name=$1 dir=$2 log=$3
  shift 3
  rm -f "$dir/meson-logs/$log.junit.xml"
  meson test -C "$dir" --no-rebuild --print-errorlogs "$@" || echo "$name" >>"$RESULTS/nonzero"
  cp "$dir/meson-logs/$log.junit.xml" "$RESULTS/$name.xml" || echo "$name" >>"$RESULTS/nonzero"
}

# run_e2e NAME BUILD ARG…: the end-to-end tests on that build's program.
run_e2e() {
  local name=$1 dir=$2
  shift 2
  WHICHWORKER_BIN="$PWD/$dir/src/cli/whichworker" timeout -s INT -k 30 "$E2E_SECONDS" \
    $PYTHON -B -m pytest tests/e2e -q -p no:cacheprovider --color=no --durations=5 \
    -o junit_family=xunit2 --junit-xml="$RESULTS/$name.xml" "$@" || echo "$name" >>"$RESULTS/nonzero"
}

step "packages"
rm -rf "$RESULTS" && mkdir -p "$RESULTS"
must packages packages_install "${PACKAGES_BUILD[@]}" "${PACKAGES_EXAMPLE[@]}" "${PACKAGES_TEST[@]}"

step "plain build, warnings as errors"
must "configure" configure build
must "build" compile build

step "unit, wire, case and lint tests"
run_meson meson build testlog --no-suite e2e

step "end-to-end tests"
run_e2e e2e build

step "sanitizer build"
must "configure-asan" configure build-asan -Db_sanitize=address,undefined \
  -Dc_args=-fno-sanitize-recover=undefined
must "build-asan" compile build-asan
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:quarantine_size_mb=16
export UBSAN_OPTIONS=print_stacktrace=1

step "unit, wire, case and lint tests under the sanitizers"
run_meson meson-asan build-asan testlog --no-suite e2e --timeout-multiplier 4

step "end-to-end tests under the sanitizers"
WHICHWORKER_SANITIZED=1 run_e2e e2e-asan build-asan -m "not demo"

step "unit tests under valgrind"
export WHICHWORKER_TEST_FEWER=50
run_meson meson-valgrind build testlog-valgrind --suite unit --timeout-multiplier 10 \
  --wrapper "valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite"

step "done"
$PYTHON -B tests/summary.py "$RESULTS"
