"""The sandbox by bubblewrap: namespaces of its own, no network, no host files, killed as a whole.

What holds the package: user, PID, network, IPC, UTS and mount namespaces; a root file system in
memory with the interpreter read-only in it; no capabilities; a filter of system calls; a cgroup
for memory, processes and processor of all its processes together, or, where none can be made, the
limits of each process by itself. Started by root the process is still root's to the kernel, in a
namespace without any rights: the process `asker` therefore has a system user of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import pluggy

from app.adapters.cgroups import SANDBOXES, Group, can_make_cgroups, limited_cgroup
from app.adapters.engine import Limits
from app.adapters.sandbox import Question, SandboxLimits, Topic
from app.adapters.sandbox.guest.readme import LIBRARIES
from app.adapters.sandbox.interpreter import folder_of, interpreter, mounts
from app.adapters.sandbox.listening import Listener
from app.adapters.sandbox.orphans import end_orphans
from app.adapters.sandbox.seccomp import sandbox_filter
from app.adapters.sandbox.verdicts import End, Heard, answer_of, question_bytes
from app.errors import Unavailable

APP = Path(__file__).parents[2]
GUEST = APP / "adapters" / "sandbox" / "guest"
START = "/panel/app/adapters/sandbox/guest/start.py"
# What is taken away whole: nothing else of the machine is seen.
_WALLS = (
    "--unshare-user --unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup-try "
    "--uid 65534 --gid 65534 --hostname sandbox --die-with-parent --new-session --cap-drop ALL "
    "--clearenv --setenv PATH /nonexistent --setenv HOME /tmp --setenv LC_ALL C.UTF-8"
).split()
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_CPUS = 1.0


class BubblewrapSandbox:
    """Asks packages, one process a question. Safe for threads."""

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        self.limits = limits or SandboxLimits()

    def limits_held(self) -> bool:
        """Whether memory, processes and processor are limited for all processes of a question
        together (by a cgroup); else they are for each process by itself."""
        return self._has_cgroups

    def ask(self, question: Question) -> Mapping[str, Any]:
        """The answer. `SandboxFailed` when there is none, `Unavailable` when no sandbox can be
        made here. Nothing is left behind, whatever the package did."""
        heard = Heard(self.limits)
        with contextlib.ExitStack() as stack:
            group = stack.enter_context(self._cgroup())
            process = stack.enter_context(self._started(question))
            end = process.attend(question_bytes(question, self.limits), heard, group)
        return answer_of(heard, end)

    @cached_property
    def _has_cgroups(self) -> bool:
        end_orphans(START)  # once, and before there is a first one of our own
        return can_make_cgroups(SANDBOXES)

    @contextlib.contextmanager
    def _cgroup(self) -> Iterator[Group | None]:
        if not self._has_cgroups:
            yield None
            return
        limits = Limits(self.limits.memory_bytes, _CPUS, self.limits.processes + 2)  # bwrap's own
        with limited_cgroup(SANDBOXES, limits) as group:
            yield group

    @contextlib.contextmanager
    def _started(self, question: Question) -> Iterator[_Process]:
        with contextlib.ExitStack() as stack:
            # Each is closed once: a number that is free may be another thread's a moment later.
            theirs = stack.enter_context(contextlib.ExitStack())
            told, telling = _pipe(stack, theirs)
            gate, opener = _pipe(theirs, stack)
            words = [*_WALLS, *mounts(), *self._panel(question), "--remount-ro", "/"]
            words += ["--info-fd", str(telling), "--block-fd", str(gate)]
            handed = [telling, gate]
            if (rules := sandbox_filter()) is not None:
                handed.append(_file_with(theirs, rules))
                words += ["--seccomp", str(handed[-1])]
            words += ["--", str(interpreter()), "-I", "-S", "-X", "utf8", START]
            try:
                started = subprocess.Popen(
                    [find_bubblewrap(), *words],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    pass_fds=handed,
                    start_new_session=True,
                    env={},
                )
            except OSError as error:
                raise Unavailable(f"bubblewrap does not start: {error}") from error
            theirs.close()
            process = _Process(started, told, opener, self.limits)
            stack.callback(process.end)
            yield process

    def _panel(self, question: Question) -> list[str]:
        """What of the panel is handed in, read-only, and the one place that can be written to."""
        words = ["--ro-bind", str(GUEST), "/panel/app/adapters/sandbox/guest"]
        if question.kind == "plugin":
            contract = APP / "addons" / "api.py"
            words += ["--ro-bind", str(contract), "/panel/app/addons/api.py"]
            compiled = Path(cache_from_source(str(contract)))
            if compiled.exists():
                place = f"/panel/app/addons/__pycache__/{compiled.name}"
                words += ["--ro-bind", str(compiled), place]
            words += ["--ro-bind", str(Path(pluggy.__file__).parent), "/panel/pluggy"]
        if question.topic == Topic.RENDER:
            for name in LIBRARIES:
                words += ["--ro-bind", str(folder_of(name)), f"/panel/{name}"]
        if question.archive is not None:
            words += ["--ro-bind", str(question.archive.resolve()), "/panel/archive"]
        for device in _DEVICES:
            words += ["--dev-bind", device, device]
        return [*words, "--size", str(self.limits.disk_bytes), "--tmpfs", "/tmp", "--chdir", "/tmp"]  # noqa: S108


class _Process:
    """One running bubblewrap. `end` kills the whole tree and waits until it is gone."""

    def __init__(
        self, started: subprocess.Popen[bytes], told: int, opener: int, limits: SandboxLimits
    ) -> None:
        self._started, self._told, self._opener = started, told, opener
        self._limits = limits
        self._init: int | None = None

    def attend(self, question: bytes, heard: Heard, group: Group | None) -> End:
        """Join the cgroup, let it run, hear it out or stop it."""
        self._init = self._find_init(group)
        if self._init is not None:
            os.write(self._opener, b"x")
        began = time.monotonic()
        stopped = Listener(self._started, heard, self._limits.wall_seconds).listen(question)
        self.end()
        seconds = time.monotonic() - began
        return End(stopped, self._started.returncode, _was_out_of_memory(group), seconds)

    def end(self) -> None:
        """Kill what still runs. Process 1 of a PID namespace takes all others with it, and is not
        gone before they are. It must be known: without its parent it would wait for ever."""
        if self._init is None and self._started.poll() is None:
            self._init = self._find_init(None)
        if self._init is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
            select.select([self._init], [], [])
            os.close(self._init)
            self._init = None
        elif self._started.poll() is None:
            self._started.kill()
        self._started.wait()
        for pipe in (self._started.stdin, self._started.stdout, self._started.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _find_init(self, group: Group | None) -> int | None:
        """A handle of the sandbox's first process, which has joined the group and waits; None when
        bubblewrap could not make it."""
        told = b""
        while data := os.read(self._told, 4096):
            told += data
        try:
            number = int(json.loads(told)["child-pid"])
            handle = os.pidfd_open(number)
        except (ValueError, KeyError, ProcessLookupError):
            return None
        for folder in group.folders if group else ():
            with contextlib.suppress(OSError):  # v2 lets nobody but root move processes across
                (folder / "cgroup.procs").write_text(str(number))
        return handle


def find_bubblewrap() -> str:
    """Its path. `Unavailable` when it is not installed."""
    found = shutil.which("bwrap")
    if found is None:
        raise Unavailable("bubblewrap is not installed.", retry=False)
    return found


def _pipe(reading: contextlib.ExitStack, writing: contextlib.ExitStack) -> tuple[int, int]:
    """Both ends, each closed with its stack."""
    ends = os.pipe()
    reading.callback(os.close, ends[0])
    writing.callback(os.close, ends[1])
    return ends


def _file_with(stack: contextlib.ExitStack, data: bytes) -> int:
    """A file in memory that is read from its beginning."""
    file = os.memfd_create("rules")
    stack.callback(os.close, file)
    os.write(file, data)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _was_out_of_memory(group: Group | None) -> bool:
    """Whether the kernel killed something in the group for its memory."""
    for folder in group.folders if group else ():
        for name in ("memory.oom_control", "memory.events"):  # cgroup v1, v2
            with contextlib.suppress(OSError):
                words = dict(line.split() for line in (folder / name).read_text().splitlines())
                if words.get("oom_kill", "0") != "0":
                    return True
    return False
