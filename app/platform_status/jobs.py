"""What processes report besides their life: queues, the engine, disks."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from app.adapters.engine import LABEL_INSTALLATION, Engine
from app.adapters.job_queue import Queue
from app.errors import Unavailable
from app.installation import installation
from app.platform_status.operations import Reporter, report_alive
from app.regions.queries import LOCAL
from app.routes.queries import load_feed
from app.transactions import unit_of_work

MEASURE_JOB = "app.platform_status.jobs.measure_disk"
WALK_SECONDS = 60.0
"""For each folder; a larger one is given as “at least”."""
FOLDERS = ("repositories", "logs", "panel", "redis", "cache")


def report_queues(report: Reporter) -> None:
    """Have the scheduler tell how many jobs wait. A queue that does not answer is not reported."""
    if not report.is_due:
        return
    try:
        backlog = installation().adapters.job_queue.backlog()
    except Unavailable:
        return
    report(
        {
            "queues": [
                {
                    "name": row.queue.value,
                    "waiting": row.waiting,
                    "failed": row.failed,
                    "oldest_at": row.oldest_at.isoformat() if row.oldest_at else None,
                }
                for row in backlog
            ]
        }
    )


def report_asker(report: Reporter) -> None:
    """Have the scheduler tell that addons are asked: who asks them knows no database. Nothing is
    reported while nobody does."""
    if not report.is_due:
        return
    try:
        is_there = installation().adapters.job_queue.is_attended(Queue.ADDONS)
    except Unavailable:
        return
    if is_there:
        report()


def report_engine(report: Reporter, engine: Engine) -> None:
    """Have the observer tell that the region's engine answers, and with what. Raises
    `Unavailable` when it does not."""
    if not report.is_due:
        return
    labels = {LABEL_INSTALLATION: load_feed().epoch}
    containers = engine.list_containers(labels)
    running = sum(state.running for state in containers)
    report({"version": engine.ping(), "containers": len(containers), "running": running})


def measure_disk() -> None:
    """Note what the installation occupies: one job each ten minutes, by a worker."""
    here = installation()
    data_dir = here.settings.data_dir
    disk = shutil.disk_usage(data_dir)
    sizes: dict[str, object] = {}
    for name in FOLDERS:
        size, is_whole = folder_size(data_dir / name)
        sizes[name] = {"bytes": size, "is_whole": is_whole}
    labels = {LABEL_INSTALLATION: load_feed().epoch}
    try:
        images = here.adapters.engine.list_images(labels)
        sizes["images"] = {"bytes": sum(image.size for image in images), "is_whole": True}
    except Unavailable:
        pass  # the page shows that the engine is down; the rest is worth knowing all the same
    details = {"total": disk.total, "free": disk.free, "folders": sizes}
    with unit_of_work():
        report_alive("disk", LOCAL, details)


def folder_size(folder: Path, seconds: float = WALK_SECONDS) -> tuple[int, bool]:
    """Bytes that files under `folder` occupy on the disk, and whether all were counted in time.

    Files that vanish meanwhile, and folders that are closed to this process, count nothing.
    """
    until = time.monotonic() + seconds
    total = 0
    waiting = [str(folder)]
    while waiting:
        if time.monotonic() > until:
            return total, False
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total, True
