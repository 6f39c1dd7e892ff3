#!/usr/bin/env bash
# Whether a package works on a machine that has nothing else: packaging/check.sh FILE.deb. As root:
# it makes a minimal Debian in a directory of its own (debootstrap), installs the package there with
# what it depends on, names the workers of a real gunicorn, and removes the directory.
set -euo pipefail

deb=$(realpath "$1")
suite=${2:-bookworm}
root=$(mktemp -d /tmp/whichworker-check-XXXXXX)
leave() {
  umount "$root/proc" 2>/dev/null || true
  mountpoint -q "$root/proc" || rm -rf --one-file-system "$root"
}
trap leave EXIT

debootstrap --variant=minbase "$suite" "$root" >/dev/null
mount -t proc proc "$root/proc"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
  DEBIAN_FRONTEND=noninteractive "$@"; }

cp "$deb" "$root/tmp/"
inside apt-get -qq install -y --no-install-recommends "/tmp/$(basename "$deb")" >/dev/null
inside whichworker --version
inside whichworker help config | head -n 1
inside apt-get -qq install -y --no-install-recommends gunicorn curl >/dev/null
cat > "$root/root/app.py" <<'APP'
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
APP
cat > "$root/root/test.sh" <<'TEST'
for turn in 1 2 3 4 5 6 7 8; do
  said=$(curl -s -D /root/head "$BASE_URL/")
  grep -qi "^X-Worker-PID: $said" /root/head || exit 1
done
TEST
inside sh -c 'cd /root && whichworker gate --trace t.db --backend "gunicorn -w 2 -b 127.0.0.1:0 app:app" -- sh test.sh'
inside whichworker report /root/t.db --format json | grep '"preload": 8'
inside dpkg --purge whichworker >/dev/null
[ -z "$(find "$root/usr" -name '*whichworker*' -print -quit)" ]
echo "installs, works, and leaves nothing behind"
