"""Restoring: a worker's time against the raw calls that have the same result, and the most memory
it held. Raw is for a database what one would do by hand: a new one, `docker exec pg_restore`,
rename both, drop the old one; for media it is a raw copy into the bucket, and what else is there
goes. What a worker does besides: read the stored file and compare it before anything is touched,
decrypt, and replace what is there at once or not at all. No safety backup is taken here: `backup`
measures that.

MOONBASE_BENCH_MB (10,200,1024).
"""

from __future__ import annotations

import shutil
import statistics

from app.adapters.services import Content
from app.backups.models import Backup, Restoration
from app.extensions import db
from app.transactions import unit_of_work
from bench.backup import HEADINGS, begin, forget, memory_of, row_of
from bench.backup_ground import (
    BAR,
    SIZES,
    Done,
    Ground,
    copy_raw,
    dump,
    fill_database,
    fill_media,
    ground,
    replace_database,
    runs_of,
)
from bench.results import Result, print_table

VERSIONS = {Content.DATABASE: "15", Content.MEDIA: ""}


def run() -> list[Result]:
    """Each size of each kind, raw and by a worker in turn, into instances of their own."""
    results: list[Result] = []
    with ground() as place:
        for content in Content:
            version = VERSIONS[content]
            targets = place.instance(content, version), place.instance(content, version)
            rows, peaks = [], []
            for megabytes in SIZES:
                raw, done, stored = _measure(place, content, megabytes, targets)
                peaks.append(max(one.peak_mb for one in done))
                seconds = statistics.median(one.seconds for one in done)
                rows.append(row_of(megabytes, raw, seconds, peaks[-1], stored))
                name = f"restore.{content}_{megabytes}mb_ratio"
                results.append(Result(name, seconds / raw, BAR))
            print_table(f"{content}: medians", HEADINGS, rows)
            results += memory_of(f"restore.{content}", peaks)
    return results


def _measure(
    place: Ground, content: Content, megabytes: int, targets: tuple[int, int]
) -> tuple[float, list[Done], float]:
    """`targets`: one for each of the two; what the last round left there is replaced."""
    source = place.instance(content, VERSIONS[content])
    facts = place.facts(targets[0])
    files, dumped = place.folder / "files", place.folder / "raw.dump"
    if content == Content.DATABASE:
        fill_database(place.facts(source), megabytes)
        dump(place, source, dumped)
    else:
        fill_media(place.facts(source), megabytes, files)
    backup_id = begin(place, source)
    place.worker("take", backup_id)
    raw, done = [], []
    for _ in range(runs_of(megabytes)):
        if content == Content.DATABASE:
            raw.append(replace_database(place, targets[0], dumped))
        else:
            raw.append(copy_raw("upload", facts, files))
        done.append(place.worker("restore", _begin(place, backup_id, targets[1])))
    shutil.rmtree(files, ignore_errors=True)
    return statistics.median(raw), done, forget(place, backup_id) / 1024**2


def _begin(place: Ground, backup_id: int, target: int) -> int:
    with place.app.app_context(), unit_of_work():
        backup = db.session.get_one(Backup, backup_id)
        row = Restoration(part=backup.parts[0], instance_id=target, needs_safety=False)
        db.session.add(row)
        db.session.flush()
        return row.id
