"""Docker's answers in our words: pure readings of its JSON and of its log frames."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from app.adapters.engine import ContainerState, EngineEvent, ImageState, LogLine
from app.adapters.lines import LineCutter

_STREAMS = {1: "stdout", 2: "stderr"}
_DOCKERS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEADER_BYTES = 8  # stream number, three zeros, length as four bytes big-endian
_EVENT_ATTRIBUTES = frozenset({"image", "name", "exitCode", "signal", "execID", "execDuration"})


def moment(text: str) -> datetime.datetime:
    """Docker's time (`2024-05-06T07:08:09.123456789Z`), cut to microseconds, in UTC."""
    short = re.sub(r"(\.\d{1,6})\d*", r"\1", text).replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(short).astimezone(datetime.UTC)


def container_state(answer: Mapping[str, Any]) -> ContainerState:
    """From `GET /containers/…/json`. One that waits between two crashes is not running. The
    address is the one in its own network, not in those it was connected to later."""
    state = answer["State"]
    running = bool(state["Running"]) and not state.get("Restarting")
    networks = answer["NetworkSettings"]["Networks"]
    own = networks.get((answer.get("HostConfig") or {}).get("NetworkMode"))
    endpoints = [own] if own else networks.values()
    return ContainerState(
        id=answer["Id"],
        name=answer["Name"].removeprefix("/"),
        image=answer["Config"]["Image"],
        running=running,
        exit_code=None if running else state["ExitCode"],
        oom_killed=bool(state["OOMKilled"]),
        address=next((e["IPAddress"] for e in endpoints if e.get("IPAddress")), None),
        labels=dict(answer["Config"].get("Labels") or {}),
        restart_count=answer.get("RestartCount", 0),
        restarting=bool(state.get("Restarting")),
        started_at=_moment_or_never(state.get("StartedAt")),
        ended_at=None if running else _moment_or_never(state.get("FinishedAt")),
    )


def _moment_or_never(text: str | None) -> datetime.datetime | None:
    """Docker says “never” as the year 1."""
    return moment(text) if text and not text.startswith("0001-") else None


def program_places(answer: Mapping[str, Any]) -> tuple[str, list[str]]:
    """What a created container will run, and the paths in its image where that may lie."""
    config = answer["Config"]
    program = next(iter([*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]), "")
    if "/" in program:
        return program, [str(PurePosixPath(config.get("WorkingDir") or "/") / program)]
    # The last PATH wins, as in the process itself; Docker sets its own where an image has none.
    environment = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
    folders = environment.get("PATH", _DOCKERS_PATH).split(":")
    return program, [f"{folder}/{program}" for folder in folders if folder]


def image_state(answer: Mapping[str, Any]) -> ImageState:
    """From `GET /images/…/json`. UDP ports are left out: sites speak HTTP."""
    config = answer.get("Config") or {}
    ports = (port.partition("/") for port in config.get("ExposedPorts") or {})
    return ImageState(
        id=answer["Id"],
        tags=tuple(answer.get("RepoTags") or ()),
        labels=dict(config.get("Labels") or {}),
        exposed_ports=tuple(sorted(int(port) for port, _, kind in ports if kind in ("", "tcp"))),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        size=answer["Size"],
        created_at=moment(answer["Created"]),
    )


def engine_event(answer: Mapping[str, Any]) -> EngineEvent:
    """From one line of `GET /events`; Docker mixes labels and facts in one map."""
    attributes = answer["Actor"]["Attributes"]
    exit_code = attributes.get("exitCode")
    return EngineEvent(
        at=datetime.datetime.fromtimestamp(answer["timeNano"] / 1e9, datetime.UTC),
        action=answer["Action"],
        container=attributes.get("name", answer["Actor"]["ID"]),
        labels={k: v for k, v in attributes.items() if k not in _EVENT_ATTRIBUTES},
        exit_code=int(exit_code) if exit_code is not None else None,
    )


def frames(read: Callable[[int], bytes]) -> Iterator[tuple[str, bytes]]:
    """(stream, payload) of a multiplexed body; ends with it, also in the middle of a frame."""
    while len(header := _exactly(read, _HEADER_BYTES)) == _HEADER_BYTES:
        payload = _exactly(read, int.from_bytes(header[4:], "big"))
        yield _STREAMS.get(header[0], "stdout"), payload


def log_lines(read: Callable[[int], bytes]) -> Iterator[LogLine]:
    """Lines of `GET /containers/…/logs?timestamps=1`, each at its own time.

    Docker cuts a line without newline at 16 KiB and stamps each piece; pieces stay pieces, and
    a character cut in two at such a border comes out whole, with the later piece.
    """
    cutters = {name: LineCutter() for name in _STREAMS.values()}
    last: dict[str, datetime.datetime] = {}
    for stream, payload in frames(read):
        stamp, _, text = payload.partition(b" ")
        try:
            at = last[stream] = moment(stamp.decode())
        except ValueError:  # broken off in the middle of a frame
            continue
        yield from (LogLine(at, stream, line) for line in cutters[stream].feed(text))
        if not text.endswith(b"\n"):
            yield from (LogLine(at, stream, line) for line in cutters[stream].release())
    for stream, at in last.items():
        yield from (LogLine(at, stream, line) for line in cutters[stream].finish())


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    parts: list[bytes] = []
    while count > 0 and (part := read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
