#!/usr/bin/env bash
# docs/options.md is what the program says of itself: docs.sh ROOT PROGRAM
set -u
root=$1 program=$2
if ! diff -u "$root/docs/options.md" <("$program" help --markdown); then
  echo "docs/options.md is not what 'whichworker help --markdown' prints"
  echo "    mend: build/src/cli/whichworker help --markdown > docs/options.md"
  exit 1
fi
