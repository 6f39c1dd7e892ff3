#!/usr/bin/env bash
# Builds a Debian package of this tree: packaging/deb.sh [DIRECTORY]. What it needs beside a compiler
# is in packaging/debian/control (apt-get build-dep ./packaging) and dpkg-dev.
set -euo pipefail

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(mkdir -p "${1:-.}" && cd "${1:-.}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# dpkg-buildpackage wants debian/ at the top, and leaves what it makes above it.
mkdir "$work/tree"
tar -C "$tree" --exclude='./build*' --exclude=./.git --exclude=__pycache__ -cf - . | tar -C "$work/tree" -xf -
cp -R "$tree/packaging/debian" "$work/tree/debian"
cd "$work/tree"
dpkg-buildpackage --build=binary --unsigned-changes --unsigned-source
cp "$work"/*.deb "$work"/*.buildinfo "$work"/*.changes "$out/"
ls "$out"/whichworker*.deb
