"""An `Engine` in memory, for tests of whatever uses one: it can fail and play scripted parts."""

from __future__ import annotations

import datetime
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from app.adapters.engine import (
    CommandResult,
    ContainerSpec,
    ContainerState,
    EngineEvent,
    Execution,
    ImageState,
    LogLine,
)
from app.adapters.engine.fake_state import (
    FakeContainer,
    FakeNetworks,
    FakeVolumes,
    carries,
    now,
    refuse_foreign,
)
from app.errors import Invalid, PanelError, Unavailable


@dataclass(frozen=True)
class ScriptedRun:
    """What a command does: prints `lines`, works for `seconds`, ends with `exit_code`. A container
    that is started with it and has `seconds` runs until a test ends it."""

    lines: tuple[str, ...] = ()
    exit_code: int = 0
    seconds: float = 0.0
    oom_killed: bool = False


@dataclass(frozen=True)
class ScriptedExecution:
    """What a command in a running container does: reads all of its input, writes `output`, says
    `errors`, works for `seconds`, ends with `exit_code`."""

    output: bytes = b""
    errors: str = ""
    exit_code: int = 0
    seconds: float = 0.0


class FakeEngine(FakeNetworks, FakeVolumes):
    """Plays one engine. `calls` lists the methods asked, with their first argument.

    Tests steer it: `add_image`, `fail_next`, `script`, `play`, `write`, `crash`,
    `kill_for_memory`. `fed` is what executed commands were given to read, in order.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.specs: dict[str, ContainerSpec] = {}
        self.missing_programs: set[str] = set()
        self.fed: list[tuple[tuple[str, ...], bytes]] = []
        self._networks = {}
        self._connected = defaultdict(dict)
        self._volumes = {}
        self._containers = {}
        self._images: dict[str, ImageState] = {}
        self._scripts: dict[tuple[str, ...], ScriptedRun] = {}
        self._plays: dict[tuple[str, ...], ScriptedExecution] = {}
        self._exits: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._failures: dict[str, list[PanelError]] = defaultdict(list)
        self._events: list[EngineEvent] = []
        self._numbers = itertools.count(1)
        self._changed = threading.Condition(threading.RLock())
        self._away = False

    # Steering, for tests -------------------------------------------------------------------

    def fail_next(self, method: str, error: PanelError) -> None:
        """Let the next call of `method` raise `error`; several are raised in order."""
        self._failures[method].append(error)

    def add_image(
        self,
        reference: str,
        exposed_ports: tuple[int, ...] = (),
        labels: Mapping[str, str] | None = None,
        command: tuple[str, ...] = (),
        entrypoint: tuple[str, ...] = (),
        size: int = 1_000_000,
    ) -> ImageState:
        """Put an image there under a tag; one that has the tag already loses it."""
        with self._changed:
            self._untag(reference)
            image = ImageState(
                id=f"sha256:{next(self._numbers):064x}",
                tags=(reference,),
                labels=dict(labels or {}),
                exposed_ports=tuple(sorted(exposed_ports)),
                entrypoint=entrypoint,
                command=command,
                size=size,
                created_at=now(),
            )
            self._images[image.id] = image
            return image

    def script(self, command: tuple[str, ...], run: ScriptedRun) -> None:
        """Say what `run_command` does when its spec has this command."""
        self._scripts[command] = run

    def play(self, command: tuple[str, ...], execution: ScriptedExecution) -> None:
        """Say what `execute` does when it is given this command."""
        self._plays[command] = execution

    def exit_at_start(self, image: str, exit_code: int, *lines: str) -> None:
        """Let each container of this image write `lines` to stderr and end at once."""
        self._exits[image] = (exit_code, lines)

    def write(self, name: str, text: str, stream: str = "stdout") -> None:
        """Let the container write one line."""
        with self._changed:
            self._containers[name].lines.append(LogLine(now(), stream, text))
            self._changed.notify_all()

    def crash(self, name: str, exit_code: int = 1) -> None:
        """Let the container's main process end by itself."""
        with self._changed:
            self._end(self._containers[name], exit_code)

    def age(self, name: str, seconds: float) -> None:
        """Let everything about the container have happened so much earlier."""
        with self._changed:
            container, earlier = self._containers[name], datetime.timedelta(seconds=seconds)
            state = container.state
            began = state.started_at and state.started_at - earlier
            ended = state.ended_at and state.ended_at - earlier
            container.state = replace(state, started_at=began, ended_at=ended)

    def kill_for_memory(self, name: str, child_only: bool = True) -> None:
        """Let the kernel kill a child, or the main process, for memory."""
        with self._changed:
            container = self._containers[name]
            container.memory_kills.append(now())
            self._record("oom", container)
            if not child_only:
                self._end(container, 137)
                container.state = replace(container.state, oom_killed=True)

    def go_away(self) -> None:
        """End all followed logs and events, as an engine does that stops."""
        with self._changed:
            self._away = True
            self._changed.notify_all()

    # The protocol --------------------------------------------------------------------------

    def ping(self) -> str:
        self._asked("ping", None)
        return "fake"

    def start_container(self, spec: ContainerSpec) -> ContainerState:
        self._asked("start_container", spec.name)
        with self._changed:
            container = self._create(spec)
            self._begin(container)
            return container.state

    def execute(
        self,
        container: str,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        timeout_seconds: float,
        source: BinaryIO | None = None,
        sink: BinaryIO | None = None,
    ) -> Execution:
        self._asked("execute", command)
        found = self.inspect_container(container)
        if found is None or not found.running:
            raise Unavailable(f"The container “{container}” does not run.")
        self.fed.append((command, source.read() if source else b""))
        play = self._plays.get(command, ScriptedExecution())
        time.sleep(min(play.seconds, timeout_seconds))
        if play.seconds > timeout_seconds:
            return Execution(None, timed_out=True)
        if sink:
            sink.write(play.output)
        return Execution(play.exit_code, play.errors[-4000:])

    def check_program(self, spec: ContainerSpec) -> None:
        self._asked("check_program", spec.name)
        program = (spec.command or ("",))[0]
        if program in self.missing_programs:
            raise Invalid(f"The command “{program}” is not in the image.")

    def stop_container(self, name: str, grace_seconds: int) -> None:
        self._asked("stop_container", name)
        with self._changed:
            container = self._containers.get(name)
            if container and container.state.running:
                self._end(container, 143)

    def remove_container(self, name: str) -> None:
        self._asked("remove_container", name)
        with self._changed:
            container = self._containers.get(name)
            if container:
                if container.state.running:
                    self._end(container, 137)
                self._containers.pop(name, None)
                self._connected.pop(name, None)
                self._record("destroy", container)

    def inspect_container(self, name: str) -> ContainerState | None:
        self._asked("inspect_container", name)
        with self._changed:
            container = self._containers.get(name)
            return container.state if container else None

    def list_containers(self, labels: Mapping[str, str]) -> list[ContainerState]:
        self._asked("list_containers", labels)
        with self._changed:
            states = [c.state for c in self._containers.values()]
        return sorted((s for s in states if carries(s.labels, labels)), key=lambda s: s.name)

    def tail_logs(self, name: str, lines: int) -> list[LogLine]:
        self._asked("tail_logs", name)
        with self._changed:
            container = self._containers.get(name)
            return list(container.lines[-lines:]) if container and lines else []

    def follow_logs(self, name: str, since: datetime.datetime | None) -> Iterator[LogLine]:
        self._asked("follow_logs", name)
        container = self._containers.get(name)
        read = 0
        while container is not None:
            with self._changed:
                new = container.lines[read:]
                over = self._away or not container.state.running
                if not new and not over:
                    self._changed.wait(1)
            read += len(new)
            yield from (line for line in new if since is None or line.at >= since)
            if over and not new:
                return

    def run_command(
        self,
        spec: ContainerSpec,
        timeout_seconds: float,
        on_line: Callable[[str], None],
        cancelled: threading.Event,
    ) -> CommandResult:
        self._asked("run_command", spec.command)
        with self._changed:
            container = self._create(spec)
            container.state = replace(container.state, running=True, exit_code=None)
        try:
            run = self._scripts.get(spec.command or (), ScriptedRun())
            for line in run.lines:
                on_line(line)
            ends = time.monotonic() + min(run.seconds, timeout_seconds)
            # One look at least: a command that takes no time can be cancelled before, too.
            if cancelled.wait(max(0.0, ends - time.monotonic())):
                return CommandResult(None, cancelled=True)
            if run.seconds > timeout_seconds:
                return CommandResult(None, timed_out=True)
            return CommandResult(run.exit_code, oom_killed=run.oom_killed)
        finally:
            with self._changed:
                self._containers.pop(spec.name, None)

    def was_killed_for_memory(self, name: str, since: datetime.datetime) -> bool:
        self._asked("was_killed_for_memory", name)
        with self._changed:
            container = self._containers.get(name)
            return container is not None and any(at >= since for at in container.memory_kills)

    def inspect_image(self, reference: str) -> ImageState | None:
        self._asked("inspect_image", reference)
        with self._changed:
            return self._image(reference)

    def list_images(self, labels: Mapping[str, str]) -> list[ImageState]:
        self._asked("list_images", labels)
        with self._changed:
            found = [i for i in self._images.values() if carries(i.labels, labels)]
        return sorted(found, key=lambda image: image.created_at, reverse=True)

    def remove_image(self, reference: str) -> None:
        self._asked("remove_image", reference)
        with self._changed:
            image = self._image(reference)
            in_use = {c.state.image for c in self._containers.values()}
            if image is None or (len(image.tags) < 2 and {*image.tags, image.id} & in_use):
                return
            if reference == image.id:
                del self._images[image.id]
            else:
                self._untag(reference)

    def follow_events(
        self, labels: Mapping[str, str], since: datetime.datetime | None
    ) -> Iterator[EngineEvent]:
        self._asked("follow_events", labels)
        read = 0 if since is not None else len(self._events)
        while True:
            with self._changed:
                new = self._events[read:]
                if not new and self._away:
                    return
                if not new:
                    self._changed.wait(1)
            read += len(new)
            for event in new:
                if carries(event.labels, labels) and (since is None or event.at >= since):
                    yield event

    # ---------------------------------------------------------------------------------------

    def _asked(self, method: str, about: object) -> None:
        with self._changed:
            self.calls.append((method, about))
            if self._failures[method]:
                raise self._failures[method].pop(0)

    def _create(self, spec: ContainerSpec) -> FakeContainer:
        if self._image(spec.image) is None:
            raise Invalid(f"The image “{spec.image}” is not on this engine.")
        if spec.network not in self._networks:
            raise Invalid(f"The network “{spec.network}” does not exist.")
        leftover = self._containers.get(spec.name)
        if leftover:
            refuse_foreign(leftover.state.labels, spec.labels, "container", spec.name)
        self.specs[spec.name] = spec
        self._connected.pop(spec.name, None)
        number = next(self._numbers)
        state = ContainerState(
            id=f"{number:064x}",
            name=spec.name,
            image=spec.image,
            running=False,
            exit_code=0,
            oom_killed=False,
            address=spec.address or f"10.0.{number // 250}.{number % 250 + 2}",
            labels=dict(spec.labels),
            restart_count=0,
        )
        container = self._containers[spec.name] = FakeContainer(spec, state)
        return container

    def _begin(self, container: FakeContainer) -> None:
        container.state = replace(
            container.state, running=True, exit_code=None, started_at=now(), ended_at=None
        )
        self._record("start", container)
        run = self._scripts.get(container.spec.command or ())
        if run:
            container.lines += [LogLine(now(), "stdout", line) for line in run.lines]
            container.memory_kills += [now()] if run.oom_killed else []
            if not run.seconds:
                self._end(container, run.exit_code)
        if container.spec.image in self._exits:
            exit_code, lines = self._exits[container.spec.image]
            container.lines += [LogLine(now(), "stderr", line) for line in lines]
            self._end(container, exit_code)

    def _end(self, container: FakeContainer, exit_code: int) -> None:
        container.state = replace(
            container.state, running=False, exit_code=exit_code, ended_at=now()
        )
        self._record("die", container, exit_code)

    def _record(self, action: str, container: FakeContainer, exit_code: int | None = None) -> None:
        state = container.state
        event = EngineEvent(now(), action, state.name, dict(state.labels), exit_code)
        self._events.append(event)
        self._changed.notify_all()

    def _image(self, reference: str) -> ImageState | None:
        named = (i for i in self._images.values() if reference in (i.id, *i.tags))
        return next(named, None)

    def _untag(self, tag: str) -> None:
        for image in [i for i in self._images.values() if tag in i.tags]:
            left = tuple(t for t in image.tags if t != tag)
            if left:
                self._images[image.id] = replace(image, tags=left)
            else:
                del self._images[image.id]
