"""What the controls keep their state in: a database, or a Redis of this run, that all workers share."""
import ctypes
import fcntl
import os
import signal
import sqlite3
import subprocess
import time

import oracle

# Debian's redis-tools has the whole server in it: it goes by the name that it is called by.
REDIS = "/usr/bin/redis-check-rdb"


def sqlite(script=""):
    """A connection that commits each statement; script prepares the tables."""
    db = sqlite3.connect(os.path.join(oracle.directory(), "state.db"), timeout=30,
                         isolation_level=None)
    db.row_factory = sqlite3.Row
    if script:
        db.executescript("PRAGMA journal_mode = WAL;" + script)
    return db


def redis():
    """A client of this run's Redis, which the first worker to ask starts."""
    from redis import Redis
    where = os.path.join(oracle.directory(), "redis")
    os.makedirs(where, exist_ok=True)
    client = Redis(unix_socket_path=os.path.join(where, "socket"), decode_responses=True)
    with open(os.path.join(where, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(where, "socket")):
            start(where)
            wait(client)
    return client


def start(where):
    """It ends with the process that started it, so nothing outlives a run."""
    parent = os.getpid()

    def die_with_parent():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
        ["redis-server", "--port", "0", "--unixsocket", "socket", "--save", "", "--dir", where,
         "--logfile", "redis.log"], executable=REDIS, cwd=where, stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent)


def wait(client):
    from redis import ConnectionError as NotYet
    for _ in range(1000):
        try:
            client.ping()
            return
        except NotYet:
            time.sleep(0.005)
    raise RuntimeError("Redis does not answer")
