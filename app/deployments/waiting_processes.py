"""The part of what waits that runs beside the web server: processes and cron jobs, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from app.runtime.models import Overlap
from app.runtime.processes import Process, ScheduledJob


@dataclass(frozen=True)
class Difference:
    """One process or cron job that differs; None where there is none."""

    name: str
    before: str | None
    after: str | None
    addon: str = ""


def process_differences(
    before: Sequence[Process], after: Sequence[Process]
) -> Iterator[Difference]:
    """By name. Who brings a process makes no difference, only what runs."""
    old, new = ({row.name: row for row in rows} for rows in (before, after))
    for name in sorted({*old, *new}):
        texts = [_process(rows.get(name)) for rows in (old, new)]
        if texts[0] != texts[1]:
            addon = (new.get(name) or old[name]).addon
            yield Difference(name, texts[0], texts[1], addon)


def job_differences(
    before: Sequence[ScheduledJob], after: Sequence[ScheduledJob]
) -> Iterator[Difference]:
    """By definition, in the order they were added. One that is paused is gone from the second."""
    old, new = _by_uuid(before), _by_uuid(after)
    for uuid in dict.fromkeys([*old, *new]):
        was, becomes = old.get(uuid), new.get(uuid)
        if was == becomes:
            continue
        label = becomes.label if becomes else old[uuid].label
        if was and becomes and was.label != becomes.label:
            label = _("%(new)s (was %(old)s)", new=becomes.label, old=was.label)
        yield Difference(label, _job(was), _job(becomes))


def _by_uuid(rows: Sequence[ScheduledJob]) -> Mapping[str, ScheduledJob]:
    return {row.uuid: row for row in rows}


def _process(row: Process | None) -> str | None:
    return None if row is None else f"{row.count} × {row.command}"


def _job(row: ScheduledJob | None) -> str | None:
    if row is None:
        return None
    overlaps = {
        Overlap.SKIP: _("skipped while the last run goes on"),
        Overlap.WAIT: _("waits for the last run"),
        Overlap.RUN: _("runs beside the last run"),
    }
    words = [
        f"{row.schedule} ({row.zone}): {row.command}",
        _("at most %(minutes)s min", minutes=f"{row.timeout_seconds / 60:g}"),
        overlaps[Overlap(row.overlap)],
    ]
    if row.repeats_lost:
        words.append(_("repeated when lost"))
    return "; ".join(words)
