#!/usr/bin/env bash
# Prints the precision and recall of the judge over the ground-truth corpus:
#     tests/corpus.sh [--repeat N] [--again] [NAME[/SERVER]…]
# Installs what is missing, builds, plays every application of tests/e2e/apps/corpus under every kind of
# server. Logs and traces stay in build/corpus; --again judges these once more. The exit status is 0 only
# if nothing was wrong or missed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck source=tests/packages.sh
. tests/packages.sh

packages_install "${PACKAGES_BUILD[@]}" "${PACKAGES_EXAMPLE[@]}" "${PACKAGES_TEST[@]}" || exit 1
if [ -z "${WHICHWORKER_BIN:-}" ]; then
  [ -f build/build.ninja ] || meson setup build >/dev/null || exit 1
  ninja -C build src/cli/whichworker >/dev/null || exit 1
fi
[[ " $* " == *" --again "* ]] || rm -rf build/corpus
exec /usr/bin/python3 -B tests/e2e/corpus.py --keep build/corpus "$@"
