#!/bin/sh
# No room keeps a mutable variable at file scope, nor a static one in a function; only base/log.c
# has the log level. usage: globals.sh BUILD_ROOT
set -eu
cd "${1:?usage: globals.sh BUILD_ROOT}"

# Constant tables of pointers stand in .data.rel.ro, which is read-only once the process runs.
# __gcov and __asan names come from the compiler, where it measures or checks.
find src -name 'libww-*.a' | LC_ALL=C sort | xargs -r nm -A --defined-only --format=sysv |
  awk -F'|' '
  {
    where = $1
    sub(/ *$/, "", where)
    symbol = where
    sub(/.*:/, "", symbol)
    sub(/:[^:]*$/, "", where)
    section = $NF
    gsub(/ /, "", section)
    symbols++
  }
  section !~ /^\.(data|bss|tdata|tbss|ldata|lbss)/ && section !~ /^\*COM\*/ { next }
  section ~ /^\.data\.rel\.ro/ || symbol ~ /^(__|\.L)/ { next }
  where ~ /libww-base\.a:.*log\.c\.o$/ { next }
  {
    printf "%s: %s is a mutable global (%s)\n", where, symbol, section
    printf "    mend: make it const, or put it into a struct that its user owns and hands in\n"
    faults++
  }
  END {
    if (symbols == 0) {
      print "src: no room library was found; mend: build first, and give the build root"
      exit 1
    }
    if (faults > 0) {
      printf "%d wrong\n", faults
      exit 1
    }
    printf "%d symbols, none of them a mutable global\n", symbols
  }'
