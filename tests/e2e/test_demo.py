"""The demonstration is run as a user runs it, and leaves nothing behind but what it says."""
import os
import re
import subprocess
import uuid

import pytest

from servers import ROOT


def marked(mark):
    """Command lines of the processes that inherited the mark, by PID."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                if mark.encode() not in file.read():
                    continue
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                found[int(pid)] = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            pass
    return found


@pytest.mark.demo
def test_the_demonstration_goes_as_told(tmp_path):
    mark = "WHICHWORKER_DEMO_TEST=%s" % uuid.uuid4()
    done = subprocess.run(["bash", str(ROOT / "examples/demo.sh")], cwd=tmp_path, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=300,
                          env=dict([*os.environ.items(), mark.split("=")]))
    assert done.returncode == 0, done.stdout + done.stderr
    for needed in ("per-worker-secret", "worker-memory", "pass"):
        assert needed in done.stdout
    assert "\x1b" not in done.stdout, "colours only on a terminal"
    traces = re.findall(r"\S+\.db\b", done.stdout)
    assert traces and any((ROOT / t).exists() for t in traces)
    assert not marked(mark)
