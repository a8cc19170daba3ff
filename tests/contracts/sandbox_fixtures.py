"""Sandboxes with limits that are soon reached, and what must not be left of a question."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.adapters.sandbox import Question, Sandbox, SandboxFailed, SandboxLimits, Topic
from app.adapters.sandbox.bubblewrap import BubblewrapSandbox
from app.adapters.sandbox.container import LABEL, ContainerSandbox
from tests.engine.private_engine import PrivateEngine

LIMITS = SandboxLimits(
    memory_bytes=96 * 1024**2,
    processes=6,
    cpu_seconds=1,
    wall_seconds=5,
    output_bytes=200_000,
    disk_bytes=4 * 1024**2,
)


Box = BubblewrapSandbox | ContainerSandbox


@pytest.fixture
def bubblewrap() -> Iterator[BubblewrapSandbox]:
    """For what is the guest's to do, so the same in any sandbox."""
    with nothing_left():
        yield BubblewrapSandbox(LIMITS)


@pytest.fixture(params=["bubblewrap", "container"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Box]:
    """Each sandbox there is; afterwards nothing of its questions may be left."""
    if request.param == "bubblewrap":
        with nothing_left():
            yield BubblewrapSandbox(LIMITS)
        return
    engine: PrivateEngine = request.getfixturevalue("private_engine")
    image = request.getfixturevalue("python_base_image")
    yield ContainerSandbox(engine.socket, LIMITS, image)
    assert engine.client().containers.list(all=True, filters={"label": LABEL}) == []


@dataclass
class nothing_left:  # noqa: N801 - reads as what it says
    """Of processes, cgroups, mounts and open files of this process there are no more than before.

    A cgroup that is gone had no process left in it: the kernel would not have let it go.
    """

    before: tuple[list[str], ...] = ()

    def __enter__(self) -> None:
        self.before = self._seen()

    def __exit__(self, *arguments: object) -> None:
        if arguments[0] is None:
            pairs = zip(self._seen(), self.before, strict=True)
            left = [list((Counter(after) - Counter(before)).elements()) for after, before in pairs]
            assert not any(left), left

    @staticmethod
    def _seen() -> tuple[list[str], ...]:
        links = sorted(_of_each(Path("/proc/self/fd"), lambda link: str(link.readlink())))
        files = [file for file in links if file.startswith(("pipe:", "/memfd:", "anon_"))]
        own = f"moonbase-sandbox-{os.getpid()}-*"
        root = Path("/sys/fs/cgroup")
        groups = [str(path) for path in (*root.glob(own), *root.glob(f"*/{own}"))]
        tasks = _of_each(Path("/proc/self/task"), lambda task: (task / "children").read_text())
        children = sorted(pid for text in tasks for pid in text.split())
        table = Path("/proc/self/mountinfo").read_text().splitlines()
        mounts = [line for line in table if "/panel" in line or "/newroot" in line]
        return groups, children, mounts, files


def _of_each(folder: Path, read: Callable[[Path], str]) -> Iterator[str]:
    """What is read of each entry of a folder of the kernel's; a thread or a file that is gone by
    then has nothing to say."""
    for entry in folder.iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            yield read(entry)


def describe(sandbox: Sandbox, source: str, kind: str = "aldryn") -> Mapping[str, Any]:
    """What a package says of itself."""
    return sandbox.ask(Question(Topic.DESCRIBE, kind, source))


def validate(
    sandbox: Sandbox, source: str, settings: Mapping[str, Any], kind: str = "aldryn"
) -> Mapping[str, Any]:
    """What it says of settings."""
    return sandbox.ask(Question(Topic.VALIDATE, kind, source, {"settings": dict(settings)}))


def failure(sandbox: Sandbox, source: str, kind: str = "aldryn") -> SandboxFailed:
    """Why it cannot say anything of itself."""
    with pytest.raises(SandboxFailed) as caught:
        describe(sandbox, source, kind)
    return caught.value
