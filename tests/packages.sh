# The Debian packages of this project, listed once; sourced by tests/run.sh and examples/demo.sh.
# shellcheck shell=bash disable=SC2034

# to build
PACKAGES_BUILD=(gcc libc6-dev meson ninja-build pkg-config
  libuv1-dev node-llhttp libpcre2-dev libsqlite3-dev libjansson-dev libxxhash-dev
  libcyaml-dev libyaml-dev zlib1g-dev libbrotli-dev libzstd-dev libsodium-dev libcmocka-dev
  libexpat1-dev)

# to play the example
PACKAGES_EXAMPLE=(python3 python3-pytest python3-requests python3-flask gunicorn)

# to run all tests. None of these leaves a service running: apache2-bin is the program alone, and
# unicorn's unit ends at once for want of a configuration. redis-tools has the server's program
# in it, and no unit.
PACKAGES_TEST=(make python3-uvicorn python3-websockets valgrind sqlite3 wrk curl
  python3-gevent python3-eventlet uwsgi-core uwsgi-plugin-python3 puma unicorn nodejs
  apache2-bin libapache2-mod-wsgi-py3 libcap2-bin
  python3-flask-login python3-flaskext.wtf python3-jwt python3-django python3-prometheus-client
  python3-socketio zsh fish shellcheck groff redis-tools python3-redis python3-brotli
  python3-jsonschema python3-junitparser libxml2-utils cmark-gfm python3-yaml
  docker-compose)
# npm fetches the published schemas that reports are held against; some builds of nodejs bring it.
command -v npm >/dev/null || PACKAGES_TEST+=(npm)

# Prints those of its arguments that are not installed.
packages_missing() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed \
      || printf '%s\n' "$package"
  done
}

# Installs what is missing, as root or with sudo; says what it does.
packages_install() {
  local missing said as_root=()
  mapfile -t missing < <(packages_missing "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]} (this is not Debian: install them by hand)" >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "missing: ${missing[*]} (run as root)" >&2; return 1; }
    as_root=(sudo)
  fi
  echo "installing ${missing[*]}"
  said=$({
    "${as_root[@]}" apt-get -qq update \
      && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
        --no-install-recommends "${missing[@]}"
  } </dev/null 2>&1) || { printf '%s\n' "$said" >&2; return 1; }
}
