"""The `Engine` that asks Docker, through the SDK's low-level client (API 1.41 or later)."""

from __future__ import annotations

import datetime
import functools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from docker.errors import APIError, DockerException
from requests import Response
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from app.adapters.docker_api import ANSWER_SECONDS, DockerConnection, engine_errors, reader
from app.adapters.engine import (
    CommandResult,
    ContainerSpec,
    ContainerState,
    EngineEvent,
    ImageState,
    LogLine,
)
from app.adapters.engine.answers import (
    container_state,
    engine_event,
    frames,
    image_state,
    log_lines,
    program_places,
)
from app.adapters.engine.commands import container_settings, files_archive
from app.adapters.engine.execution import DockerExecution
from app.adapters.engine.networks import DockerNetworks
from app.adapters.engine.refusals import CONFLICT, GONE, label_filter, refuse_foreign, silent
from app.adapters.engine.volumes import DockerVolumes
from app.adapters.lines import LineCutter
from app.errors import Invalid, Unavailable

# How often a one-off command looks at its clock; the kill comes within this plus the engine's.
_LOOK_SECONDS = 0.1
_ACTIONS = ["start", "die", "oom", "destroy"]


class DockerEngine(DockerNetworks, DockerVolumes, DockerExecution):
    """One Docker engine. Safe for threads; connects at the first question, not when made.

    `base_url` is `unix://…` or `tcp://…`; None means `DOCKER_HOST` or the default socket.
    """

    def __init__(self, base_url: str | None = None) -> None:
        self._connection = DockerConnection(base_url)

    def ping(self) -> str:
        """The engine's version, or `Unavailable`."""
        with engine_errors():
            return str(self._connection.api().version()["Version"])

    # Containers ----------------------------------------------------------------------------

    def start_container(self, spec: ContainerSpec) -> ContainerState:
        """Create and start; a leftover of the same name is replaced if it is this installation's.

        One that cannot start is removed again, so that nothing half-made stays.
        """
        with engine_errors():
            container = self._create(spec, one_off=False)
            with self._removed_on_error(container):
                self._refuse_missing_program(container)
                self._put_files(container, spec)
                self._connection.api().start(container)
            return container_state(self._connection.api().inspect_container(container))

    def check_program(self, spec: ContainerSpec) -> None:
        """`Invalid` when the program is not in the image: looked for in a container that is
        created, never started, and removed."""
        with engine_errors():
            container = self._create(spec, one_off=True)
            try:
                self._refuse_missing_program(container)
            finally:
                self.remove_container(container)

    def stop_container(self, name: str, grace_seconds: int) -> None:
        """SIGTERM, then SIGKILL after `grace_seconds`; silent when it is gone or stopped."""
        with engine_errors(), silent(GONE):
            self._connection.api().stop(name, timeout=grace_seconds)

    def remove_container(self, name: str) -> None:
        """Kill and remove with its anonymous volumes; silent when it is gone."""
        # 409: another thread is removing it already.
        with engine_errors(), silent(GONE, CONFLICT):
            self._connection.api().remove_container(name, force=True, v=True)

    def inspect_container(self, name: str) -> ContainerState | None:
        """State now, or None when there is no such container."""
        with engine_errors(), silent(GONE):
            return container_state(self._connection.api().inspect_container(name))
        return None

    def list_containers(self, labels: Mapping[str, str]) -> list[ContainerState]:
        """All containers, running or not, that carry all of `labels`, sorted by name."""
        api = self._connection.api()
        with engine_errors():
            found = api.containers(all=True, filters=label_filter(labels))
        states = (self.inspect_container(container["Id"]) for container in found)
        return sorted((s for s in states if s is not None), key=lambda s: s.name)

    # Logs and events -----------------------------------------------------------------------

    def tail_logs(self, name: str, lines: int) -> list[LogLine]:
        """The last `lines` lines, in the order they were written; empty when it is gone."""
        with engine_errors(), silent(GONE):
            response = self._logs(name, {"tail": lines, "follow": 0}, ANSWER_SECONDS)
            with response:
                found = list(log_lines(reader(response)))
            return found[-lines:] if lines else []
        return []

    def follow_logs(self, name: str, since: datetime.datetime | None) -> Iterator[LogLine]:
        """Lines as they come, until the container ends or is removed; none when it is gone.

        From `since` on, that moment included: who resumes at the last line sees it again.
        """
        params: dict[str, str | int] = {"follow": 1, "tail": "all"}
        if since is not None:
            params["since"] = _timestamp(since)
        with engine_errors(), silent(GONE):
            response = self._logs(name, params, None)
            # An engine that goes away ends the stream; asking again says why.
            with response, suppress(HTTPError, RequestException, OSError):
                yield from log_lines(response.raw.read)

    def was_killed_for_memory(self, name: str, since: datetime.datetime) -> bool:
        """Whether the kernel killed any process of the container, children included.

        Docker remembers its last 256 events only and none across its own restart: ask soon.
        """
        with engine_errors():
            params: dict[str, str | int] = {
                "since": _timestamp(since),
                # An end that has passed makes the engine answer from memory and close.
                "until": _timestamp(datetime.datetime.now(datetime.UTC)),
                "filters": json.dumps(
                    {"type": ["container"], "event": ["oom"], "container": [name]}
                ),
            }
            with self._connection.ask("GET", "/events", params, None, ANSWER_SECONDS) as answer:
                if answer.content.strip():
                    return True
        state = self.inspect_container(name)
        return state is not None and state.oom_killed

    def follow_events(
        self, labels: Mapping[str, str], since: datetime.datetime | None
    ) -> Iterator[EngineEvent]:
        """Events of labelled containers as they happen, until the engine goes away.

        From `since` on, as far back as the engine remembers (256 events).
        """
        filters = {"type": ["container"], "event": _ACTIONS, **label_filter(labels)}
        params: dict[str, str | int] = {"filters": json.dumps(filters)}
        if since is not None:
            params["since"] = _timestamp(since)
        with engine_errors():
            response = self._connection.ask("GET", "/events", params)
        with response, suppress(HTTPError, RequestException, OSError):
            for line in response.iter_lines(chunk_size=None):
                if line:
                    yield engine_event(json.loads(line))

    # One-off commands ----------------------------------------------------------------------

    def run_command(
        self,
        spec: ContainerSpec,
        timeout_seconds: float,
        on_line: Callable[[str], None],
        cancelled: threading.Event,
    ) -> CommandResult:
        """Run `spec.command`; its output, both streams in order, goes to `on_line` as it comes.

        The container is removed afterwards, also when `on_line` raises.
        """
        began = datetime.datetime.now(datetime.UTC)
        with engine_errors():
            container = self._create(spec, one_off=True)
        watch = _Watch(self, container, timeout_seconds, cancelled)
        try:
            with engine_errors():
                self._refuse_missing_program(container)
                self._put_files(container, spec)
                # Attached before the start, so that the first line cannot be missed.
                asked: dict[str, str | int] = {"stream": 1, "stdout": 1, "stderr": 1}
                output = self._connection.ask("POST", f"/containers/{container}/attach", asked)
            with output:
                with engine_errors():
                    self._connection.api().start(container)
                watch.start()
                _pass_on(output, on_line)
            with engine_errors():
                code = int(self._connection.api().wait(container)["StatusCode"])
            # Stopped before judging: from here on the clock can change nothing any more.
            watch.stop()
            killed = watch.reason is not None
            return CommandResult(
                exit_code=None if killed else code,
                timed_out=watch.reason == "timeout",
                cancelled=watch.reason == "cancel",
                oom_killed=not killed and self.was_killed_for_memory(container, began),
            )
        finally:
            watch.stop()
            self.remove_container(container)

    # Images --------------------------------------------------------------------------------

    def inspect_image(self, reference: str) -> ImageState | None:
        """The image, or None."""
        with engine_errors(), silent(GONE):
            return image_state(self._connection.api().inspect_image(reference))  # type: ignore[no-untyped-call]
        return None

    def list_images(self, labels: Mapping[str, str]) -> list[ImageState]:
        """Images that carry all of `labels`, newest first."""
        with engine_errors():
            found = self._connection.api().images(filters=label_filter(labels))
        states = (self.inspect_image(image["Id"]) for image in found)
        return sorted((s for s in states if s), key=lambda s: s.created_at, reverse=True)

    def remove_image(self, reference: str) -> None:
        """Remove a tag (and the image with its last tag); silent when gone or in use."""
        with engine_errors(), silent(GONE, CONFLICT):
            self._connection.api().remove_image(reference)

    # ---------------------------------------------------------------------------------------

    def _create(self, spec: ContainerSpec, one_off: bool) -> str:
        """The new container's id; a leftover of ours makes room."""
        api = self._connection.api()
        settings = container_settings(spec, one_off)
        create = functools.partial(api.create_container_from_config, settings, spec.name)
        try:
            return str(create()["Id"])
        except APIError as error:
            if error.status_code != CONFLICT:
                raise
        leftover = self.inspect_container(spec.name)
        if leftover is not None:
            refuse_foreign(leftover.labels, spec.labels, "container", spec.name)
            self.remove_container(leftover.id)
        return str(create()["Id"])

    def _refuse_missing_program(self, container: str) -> None:
        """`Invalid` when the created container's program is not in its image.

        Docker itself would only see its init program start well; that one then ends with 127.
        """
        api = self._connection.api()
        program, places = program_places(api.inspect_container(container))
        for place in places:
            with silent(GONE):
                self._connection.ask(
                    "HEAD", f"/containers/{container}/archive", {"path": place}
                ).close()
                return
        raise Invalid(f"The command “{program}” is not in the image.")

    def _put_files(self, container: str, spec: ContainerSpec) -> None:
        if spec.files:
            self._connection.api().put_archive(container, "/", files_archive(spec.files))

    @contextmanager
    def _removed_on_error(self, container: str) -> Iterator[None]:
        try:
            yield
        except (DockerException, RequestException, Invalid):
            with suppress(Unavailable):
                self.remove_container(container)
            raise

    def _logs(
        self, name: str, params: dict[str, str | int], read_timeout: float | None
    ) -> Response:
        asked = {"stdout": 1, "stderr": 1, "timestamps": 1, **params}
        return self._connection.ask("GET", f"/containers/{name}/logs", asked, None, read_timeout)

    def _kill(self, container: str) -> None:
        with engine_errors(), silent(GONE, CONFLICT):
            self._connection.api().kill(container)


class _Watch(threading.Thread):
    """Kills a one-off container when its time is up or someone cancels. `reason` says which."""

    def __init__(
        self, engine: DockerEngine, container: str, seconds: float, cancelled: threading.Event
    ) -> None:
        super().__init__(name=f"watch-{container[:12]}", daemon=True)
        self.reason: str | None = None
        self._engine = engine
        self._container = container
        self._deadline = time.monotonic() + seconds
        self._cancelled = cancelled
        self._over = threading.Event()

    def run(self) -> None:
        """Wait for the end, the clock or the cancel event, whichever is first."""
        while not self._over.wait(_LOOK_SECONDS):
            if self._cancelled.is_set():
                self.reason = "cancel"
            elif time.monotonic() >= self._deadline:
                self.reason = "timeout"
            else:
                continue
            # Removing ends the attached stream too; when the engine is away, so is the stream.
            with suppress(Unavailable):
                self._engine._kill(self._container)
            return

    def stop(self) -> None:
        """End the watch; afterwards `reason` no longer changes."""
        self._over.set()
        if self.is_alive():
            self.join()


def _pass_on(output: Response, on_line: Callable[[str], None]) -> None:
    cutters = {"stdout": LineCutter(), "stderr": LineCutter()}
    for stream, chunk in frames(reader(output)):
        for line in cutters[stream].feed(chunk):
            on_line(line)
    for cutter in cutters.values():
        for line in cutter.finish():
            on_line(line)


def _timestamp(at: datetime.datetime) -> str:
    """Seconds with a fraction, as Docker wants them; `.timestamp()` alone would lose digits."""
    return f"{int(at.timestamp())}.{at.microsecond:06d}"
