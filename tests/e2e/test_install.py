"""What is installed works: the program with its shim, the man page, the completions in real shells."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

from client import Client
from servers import APPS, BINARY, PYTHON, ROOT, SANITIZED, Process, whichworker

pytestmark = pytest.mark.skipif(SANITIZED, reason="other programs' doing, the same in both runs")

PREFIX = "usr/local"
SECONDS = 60


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip("%s is not installed" % program)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The prefix below which `meson install` has put everything, moved away from where it was told."""
    need("meson")
    build = BINARY.parent.parent.parent
    if not (build / "build.ninja").exists():
        pytest.skip("the program is not in a build directory")
    destination = tmp_path_factory.mktemp("destination")
    subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--destdir", str(destination)],
                   check=True, capture_output=True, timeout=SECONDS)
    return destination / PREFIX


def test_everything_is_where_a_distribution_wants_it(installed):
    for path in ("bin/whichworker", "share/man/man1/whichworker.1", "share/doc/whichworker/README.md",
                 "share/doc/whichworker/docs/config.md", "share/doc/whichworker/examples/demo.sh",
                 "share/bash-completion/completions/whichworker", "share/zsh/site-functions/_whichworker",
                 "share/fish/vendor_completions.d/whichworker.fish"):
        assert (installed / path).is_file(), path
    assert len(list(installed.glob("lib*/**/whichworker/libwhichworker-shim.so"))) == 1


class InstalledRun(Process):
    name = "run"

    def __init__(self, directory, program):
        super().__init__(directory)
        self.trace = self.log.with_suffix(".db")
        self.spawn([program, "run", "--listen", "127.0.0.1:0", "--trace", self.trace, "--",
                    PYTHON, "-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:0", "whoami:app"], cwd=APPS,
                   env={"PYTHONDONTWRITEBYTECODE": "1"})
        found = self.wait_for_log(r"listening on http://([^:\s]+):(\d+)")
        self.host, self.port = found.group(1), int(found.group(2))


def test_the_installed_program_finds_its_shim(installed, start):
    run = start(InstalledRun, installed / "bin/whichworker")
    with Client(run) as client:
        reply = client.get("/")
        assert int(reply.tag) == reply.json()["pid"]
    assert run.stop() == 0
    done = subprocess.run([str(installed / "bin/whichworker"), "report", str(run.trace), "--format", "json"],
                          capture_output=True, text=True, timeout=SECONDS)
    assert '"preload": 1' in done.stdout


def test_the_man_page_is_right(tmp_path):
    need("groff")
    page = tmp_path / "whichworker.1"
    page.write_text(whichworker("help", "--man").stdout)
    done = subprocess.run(["groff", "-ww", "-man", "-Tutf8", "-P-c", str(page)], capture_output=True,
                          text=True, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub(r".\x08", "", done.stdout)
    assert "--attrib-timeout TIME" in text
    assert "NO_COLOR" in text and "./whichworker.yaml" in text


# ---- completions

def options_of(command):
    return set(re.findall(r"^  (?:-\w, )?--([\w-]+)", whichworker("help", command).stdout, re.M))


def bash_completes(script, *words):
    """What bash offers for the last of the words."""
    program = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _whichworker; ' \
              'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "--norc", "-c", program, "bash", str(script), *words], cwd=ROOT,
                          capture_output=True, text=True, timeout=SECONDS, check=True)
    return set(done.stdout.split())


@pytest.fixture
def script(tmp_path):
    def of(shell):
        path = tmp_path / shell
        path.write_text(whichworker("help", "--completions", shell).stdout)
        return path
    return of


def test_bash_offers_commands_options_and_values(script):
    need("bash")
    bash = script("bash")
    assert bash_completes(bash, "whichworker", "re") == {"report"}
    for command in ("proxy", "run", "gate", "report", "show", "doctor", "help"):
        assert bash_completes(bash, "whichworker", command, "--") == {"--" + o for o in options_of(command)}
    assert bash_completes(bash, "whichworker", "report", "--fail-on", "p") == {"proven", "possible"}
    assert bash_completes(bash, "whichworker", "report", "--fail-on", "=", "n") == {"none"}
    assert bash_completes(bash, "whichworker", "report", "--config", "REA") == {"README.md"}
    assert bash_completes(bash, "whichworker", "report", "REA") == {"README.md"}
    assert bash_completes(bash, "whichworker", "proxy", "--idle-timeout", "") == set()
    assert "bash" in bash_completes(bash, "whichworker", "run", "--", "bas")
    assert bash_completes(bash, "whichworker", "help", "con") == {"config"}


def test_shellcheck_has_nothing_against_the_bash_script(script):
    need("shellcheck")
    done = subprocess.run(["shellcheck", str(script("bash"))], capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout == ""


def test_fish_offers_commands_options_and_values(script, tmp_path):
    need("fish")

    def offers(line):
        done = subprocess.run(["fish", "--no-config", "-c", "source %s; complete -C '%s'" % (script("fish"), line)],
                              cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True,
                              timeout=SECONDS, check=True)
        assert done.stderr == ""
        return {found.split("\t")[0] for found in done.stdout.splitlines()}

    assert offers("whichworker re") == {"report"}
    assert offers("whichworker report --") == {"--" + o for o in options_of("report")}
    assert offers("whichworker report --fail-on p") == {"proven", "possible"}
    assert "README.md" in offers("whichworker report --config REA")
    assert offers("whichworker help con") == {"config"}


class Terminal:
    """An interactive shell behind a terminal."""

    def __init__(self, argv, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, env)
        self.seen = ""

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, pattern):
        """Reads on until the pattern is there, and forgets what is before its end."""
        deadline = time.monotonic() + SECONDS
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return found
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, "no %r in %r" % (pattern, self.seen)
            self.seen += os.read(self.fd, 65536).decode(errors="replace")

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def test_zsh_completes_at_a_prompt(script, tmp_path):
    need("zsh")
    script("zsh").rename(tmp_path / "_whichworker")
    shell = Terminal(["zsh", "-f", "-i"], {**os.environ, "HOME": str(tmp_path), "TERM": "dumb", "PS1": "ready> "})
    try:
        shell.send("fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D; cd %s; "
                   "show() { print -r -- \"<$BUFFER>\"; BUFFER=; zle redisplay }; zle -N show; "
                   "bindkey '^X' show; print 'all''set'\n" % (tmp_path, ROOT))
        shell.wait_for("allset")
        for typed, completed in (("whichworker rep", "whichworker report "),
                                 ("whichworker report --fail-", "whichworker report --fail-on="),
                                 ("whichworker report --fail-on pro", "whichworker report --fail-on proven "),
                                 ("whichworker report --config READ", "whichworker report --config README.md "),
                                 ("whichworker help conf", "whichworker help config "),
                                 ("whichworker proxy --keep", "whichworker proxy --keep-secrets ")):
            shell.send(typed + "\t\x18")
            assert shell.wait_for("<(.*?)>").group(1) == completed
    finally:
        shell.end()
