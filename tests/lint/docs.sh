#!/usr/bin/env bash
# The generated pages are what the program says of itself: docs.sh ROOT PROGRAM
set -u
root=$1 program=$2
wrong=0

# same PAGE ARGUMENTS…: the page is what the program prints when it is given the arguments
same() {
  local page=$1
  shift
  diff -u "$root/$page" <("$program" "$@") && return
  echo "$page is not what 'whichworker $*' prints"
  echo "    mend: build/src/cli/whichworker $* > $page"
  wrong=1
}

same docs/options.md help --markdown
same docs/config.md help config
same docs/whichworker.1 help --man
exit $wrong
