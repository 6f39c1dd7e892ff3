#!/usr/bin/python3
"""How long a proxy takes from its start to the first forwarded answer: startup.py [PROGRAM [RUNS]]

With a trace, as one would use it; the backend runs already. Prints least, median and most.
"""
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(sys.argv[1] if len(sys.argv) > 1 else
               Path(__file__).resolve().parents[2] / "build/src/cli/whichworker")
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


# In a process of its own: what is measured must not wait for the measuring interpreter.
ORIGIN = r"""
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(64)
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    c.recv(65536)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    c.close()
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ask(port):
    """The answer, as soon as there can be one."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.sendall(REQUEST)
                data = b""
                while piece := sock.recv(65536):
                    data += piece
                return data
        except ConnectionRefusedError:
            time.sleep(0.0005)


def measure(upstream, directory, run):
    port = free_port()
    began = time.perf_counter()
    proxy = subprocess.Popen(
        [PROGRAM, "proxy", "--quiet", "--upstream", "127.0.0.1:%d" % upstream, "--listen",
         "127.0.0.1:%d" % port, "--trace", "%s/%d.db" % (directory, run)], stderr=subprocess.DEVNULL)
    try:
        answer = ask(port)
        took = time.perf_counter() - began
        assert answer.startswith(b"HTTP/1.1 200") and b"X-Worker-PID: " in answer, answer
        return took
    finally:
        proxy.terminate()
        proxy.wait()


def main():
    origin = subprocess.Popen([sys.executable, "-c", ORIGIN], stdout=subprocess.PIPE, text=True)
    try:
        upstream = int(origin.stdout.readline())
        with tempfile.TemporaryDirectory() as directory:
            ms = sorted(1000 * measure(upstream, directory, i) for i in range(RUNS))
        used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of the proxies: they have ended
    finally:
        origin.kill()
        origin.wait()
    print("start to first forwarded answer, %d runs: least %.1f ms, median %.1f ms, most %.1f ms; "
          "%.1f ms of CPU each" % (RUNS, ms[0], statistics.median(ms), ms[-1],
                                   1000 * (used.ru_utime + used.ru_stime) / RUNS))


if __name__ == "__main__":
    main()
