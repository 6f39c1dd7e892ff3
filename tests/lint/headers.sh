#!/bin/sh
# Each header compiles alone, and its first line names its room and its job.
# usage: headers.sh SOURCE_ROOT COMPILER...
set -eu
cd "${1:?usage: headers.sh SOURCE_ROOT COMPILER...}"
shift
faults=0
checked=0

bad() {
  printf '%s: %s\n    mend: %s\n' "$1" "$2" "$3"
  faults=$((faults + 1))
}

room_of() {
  case $1 in
  include/*) sed -n '1s|^/\* \([a-z]*\): .*|\1|p' "$1" ;;
  *) printf '%s\n' "$1" | sed 's|^src/||; s|/.*||' ;;
  esac
}

for header in $(find include/whichworker src -name '*.h' | LC_ALL=C sort); do
  checked=$((checked + 1))
  room=$(room_of "$header")
  if [ -z "$room" ] || ! grep -q "^$room:" src/ROOMS ||
    ! sed -n 1p "$header" | grep -q "^/\* $room: [^ ]"; then
    bad "$header:1" "the first line does not name its room and its job" \
      "begin it with \"/* ${room:-ROOM}: its job. */\""
  fi
  if ! grep -q '^#ifndef ' "$header"; then
    bad "$header" "has no guard" "wrap it in #ifndef WW_..._H, #define, #endif"
  fi
  if ! errors=$(printf '#include "%s"\n#include "%s"\n' "$PWD/$header" "$PWD/$header" |
    "$@" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
      -Iinclude "-Isrc/$room" -isystem /usr/share/include/llhttp -x c - 2>&1); then
    printf '%s\n' "$errors" | sed -n '1,12s/^/    /p'
    bad "$header" "does not compile alone, twice in a row" \
      "include what it uses, declare structs that it only points at, and define nothing twice"
  fi
done

if [ "$checked" -eq 0 ]; then
  bad include/whichworker "no header was found" "give the source root to this script"
fi
if [ "$faults" -gt 0 ]; then
  printf '%d wrong\n' "$faults"
  exit 1
fi
printf '%d headers compile alone\n' "$checked"
