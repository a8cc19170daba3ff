"""Check out: the commit's files become the build context."""

from __future__ import annotations

import errno
import shutil

from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.errors import Unavailable


class CheckOut(Step):
    """Writes the commit as a tar file beside the data. Later steps read that file only."""

    name = "check_out"
    title = "Check out"

    def run(self, context: Context) -> None:
        _refuse_a_full_disk(context)
        subject = context.subject
        context.log.heading("git check out")
        context.context_file.parent.mkdir(parents=True, exist_ok=True)
        source = context.adapters.repositories.archive(subject.repository_key, subject.commit)
        try:
            with source, context.context_file.open("wb") as target:
                shutil.copyfileobj(source, target, 1024**2)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise Unavailable("No space left on device.") from error
        size = context.context_file.stat().st_size
        context.log.line(f"Commit {subject.commit[:12]}, {size / 1024**2:.1f} MB of files")

    def undo(self, context: Context) -> None:
        context.context_file.unlink(missing_ok=True)


def _refuse_a_full_disk(context: Context) -> None:
    """A build that fills the disk would take the databases with it (architecture, "Disk")."""
    settings = context.installation.settings
    disk = shutil.disk_usage(settings.data_dir)
    needed = min(settings.free_bytes_needed, disk.total // 10)
    if disk.free < needed:
        free = disk.free / 1024**3
        raise Unavailable(
            f"The disk is almost full: {free:.1f} GB are free, a build needs "
            f"{needed / 1024**3:.1f} GB. An operator must make room."
        )
