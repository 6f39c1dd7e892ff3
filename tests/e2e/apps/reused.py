"""A server whose only worker dies and comes back under the same PID, and a proxy in front of it.

To be run in a PID namespace of its own: reused.py WHICHWORKER TRACE. Prints what the proxy's tag said,
and the PID and the life (1, 2 …) of the worker that answered, as JSON.
"""
import json
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time

LIVES = 3
REQUESTS = 5
TICKS_APART = 3 / os.sysconf("SC_CLK_TCK")  # the start time of a process is counted in ticks
LAST_PID = "/proc/sys/kernel/ns_last_pid"


def serve(listener, life):
    while True:
        client, _ = listener.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(65536)
            if not piece:
                break
            head += piece
        body = json.dumps([os.getpid(), life]).encode()
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        client.close()


def born(listener, life, pid=None):
    if pid is not None:
        with open(LAST_PID, "w") as file:
            file.write(str(pid - 1))
    child = os.fork()
    if child == 0:
        serve(listener, life)
    assert pid is None or child == pid, "got %d for %d" % (child, pid)
    return child


def started(program, trace, upstream):
    proxy = subprocess.Popen([program, "proxy", "--upstream", upstream, "--listen", "127.0.0.1:0",
                              "--trace", trace], stderr=subprocess.PIPE, text=True)
    return proxy, int(re.search(r"listening on http://[^:]+:(\d+)",
                                proxy.stderr.readline()).group(1))


def main(program, trace):
    listener = socket.create_server(("127.0.0.1", 0))
    proxy, port = started(program, trace, "127.0.0.1:%d" % listener.getsockname()[1])
    worker, answers = born(listener, 1), []
    for life in range(1, LIVES + 1):
        for _ in range(REQUESTS):
            conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            conn.request("GET", "/")
            response = conn.getresponse()
            answers.append([response.headers["X-Worker-PID"], *json.loads(response.read())])
            conn.close()
        if life < LIVES:
            time.sleep(TICKS_APART)
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)
            worker = born(listener, life + 1, worker)
    proxy.send_signal(signal.SIGTERM)
    proxy.communicate()
    os.kill(worker, signal.SIGKILL)
    print(json.dumps(answers))


main(*sys.argv[1:])
