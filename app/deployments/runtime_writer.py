"""Writing what containers print into the runtime logs: masked, stamped, each line once."""

from __future__ import annotations

import datetime
import json
import re
import threading
from pathlib import Path

from sqlalchemy import select

from app.adapters.engine import LogLine
from app.deployments.models import Container, WorkerContainer
from app.extensions import db
from app.logs.masking import LineMasker
from app.logs.store import ChunkedLog

LINE_LENGTH = 8192
PLACES_KEPT = 50
OF_A_DEPLOYMENT = re.compile(r"moonbase-[0-9a-f]{8}-[0-9a-f]{4}-(?:process-)?")


def masked_values_of(container: str) -> list[str] | None:
    """The secrets of the release a container runs; None when no row knows it: then nobody knows
    what to mask, and its output must not be written."""
    row: Container | WorkerContainer | None = db.session.scalar(
        select(Container).where(Container.name == container)
    )
    if row is None:
        row = db.session.scalar(select(WorkerContainer).where(WorkerContainer.name == container))
    values = row.release.masked_values if row else None
    db.session.rollback()
    return values


class RuntimeWriter:
    """The runtime log of one environment. Its containers' threads share it."""

    def __init__(self, log: ChunkedLog) -> None:
        self._log = log
        self._places_file = log.directory / "followed.json"
        self._places: dict[str, str] = _read_places(self._places_file)
        self._lock = threading.Lock()

    def last_line_at(self, container: str) -> datetime.datetime | None:
        """When the last line of `container` that is written was printed."""
        text = self._places.get(container)
        return datetime.datetime.fromisoformat(text) if text else None

    def write(self, container: str, lines: list[LogLine], masker: LineMasker) -> None:
        """Append lines, and remember how far this container is written."""
        if not lines:
            return
        shown = [(line.at, masker.line(line.text)) for line in lines]
        text = "".join(
            f"{at:%Y-%m-%d %H:%M:%S} {_short(container)} | {masked}\n"
            for at, masked in shown
            if masked is not None
        )
        with self._lock:
            self._log.append(text)
            self._places.pop(container, None)
            self._places[container] = lines[-1].at.isoformat()
            for old in list(self._places)[:-PLACES_KEPT]:
                del self._places[old]
            draft = self._places_file.with_suffix(".draft")
            draft.write_text(json.dumps(self._places))
            draft.replace(self._places_file)

    def note(self, container: str, sentence: str) -> None:
        """A line of the platform's own, e.g. about a process that was killed."""
        at = datetime.datetime.now(datetime.UTC)
        with self._lock:
            self._log.append(f"{at:%Y-%m-%d %H:%M:%S} {_short(container)} | --- {sentence}\n")


def _short(name: str) -> str:
    """`web-1` of `moonbase-3f2a…-web-1`, `beat-1` of `moonbase-3f2a…-process-beat-1`."""
    begins = OF_A_DEPLOYMENT.match(name)
    return name[begins.end() :] if begins else "-".join(name.rsplit("-", 2)[-2:])


def _read_places(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(at) for name, at in found.items()} if isinstance(found, dict) else {}
