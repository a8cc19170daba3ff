"""Taking backups: a worker's time against raw `docker exec pg_dump -Fc` and a raw copy of the
bucket, and the most memory it held. What a worker does besides: encrypt, write, read again,
compare, publish.

MOONBASE_BENCH_MB (10,200,1024).
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Sequence

from app.adapters.services import Content
from app.backups.models import Backup, BackupOrigin, BackupPart
from app.backups.operations import begin_backup
from app.extensions import db
from app.services.models import ServiceInstance
from app.transactions import unit_of_work
from bench.backup_ground import (
    BAR,
    MEMORY_BAR_MB,
    SIZES,
    Done,
    Ground,
    copy_raw,
    dump,
    fill_database,
    fill_media,
    ground,
    runs_of,
)
from bench.results import Result, print_table

HEADINGS = ("MB", "raw s", "worker s", "ratio", "MB/s", "peak MB", "stored MB")


def run() -> list[Result]:
    """Each size of each kind, raw and by a worker in turn."""
    results: list[Result] = []
    with ground() as place:
        for content in Content:
            rows, peaks = [], []
            for megabytes in SIZES:
                number = place.instance(content, "15" if content == Content.DATABASE else "")
                raw, done, stored = _measure(place, content, number, megabytes)
                peaks.append(max(one.peak_mb for one in done))
                seconds = statistics.median(one.seconds for one in done)
                rows.append(row_of(megabytes, raw, seconds, peaks[-1], stored))
                name = f"backup.{content}_{megabytes}mb_ratio"
                results.append(Result(name, seconds / raw, BAR))
            print_table(f"{content}: medians", HEADINGS, rows)
            results += memory_of(f"backup.{content}", peaks)
    return results


def row_of(megabytes: int, raw: float, seconds: float, peak: float, stored: float) -> list[str]:
    """One line of the table."""
    return [
        str(megabytes),
        *(f"{value:.2f}" for value in (raw, seconds, seconds / raw)),
        f"{megabytes / seconds:.0f}",
        f"{peak:.0f}",
        f"{stored:.0f}",
    ]


def memory_of(name: str, peaks: Sequence[float]) -> list[Result]:
    """The largest size against the one before it."""
    if len(peaks) < 2:
        return []
    return [Result(f"{name}_memory_growth_mb", peaks[-1] - peaks[-2], MEMORY_BAR_MB)]


def _measure(
    place: Ground, content: Content, number: int, megabytes: int
) -> tuple[float, list[Done], float]:
    facts = place.facts(number)
    if content == Content.DATABASE:
        fill_database(facts, megabytes)
    else:
        fill_media(facts, megabytes, place.folder / "files")
        shutil.rmtree(place.folder / "files")
    raw, done, stored = [], [], 0
    for _ in range(runs_of(megabytes)):
        if content == Content.DATABASE:
            raw.append(dump(place, number, place.folder / "raw.dump"))
        else:
            raw.append(copy_raw("download", facts, place.folder / "raw"))
            shutil.rmtree(place.folder / "raw")
        backup_id = begin(place, number)
        done.append(place.worker("take", backup_id))
        stored = forget(place, backup_id)
    return statistics.median(raw), done, stored / 1024**2


def begin(place: Ground, number: int) -> int:
    """The rows of a backup of one instance."""
    with place.app.app_context(), unit_of_work():
        instance = db.session.get_one(ServiceInstance, number)
        backup = begin_backup(instance.environment, [instance], BackupOrigin.SAFETY, None)
        return backup.id


def forget(place: Ground, backup_id: int) -> int:
    """Remove its file, so that the disk does not fill; how large it was."""
    with place.app.app_context():
        part = db.session.scalars(
            db.select(BackupPart).where(BackupPart.backup_id == backup_id)
        ).one()
        (place.settings.data_dir / "backups" / f"{part.uuid}.age").unlink()
        size = int(part.stored_bytes)
        db.session.rollback()
        with unit_of_work():
            db.session.delete(db.session.get_one(Backup, backup_id))
        return size
