"""Tidying up after builds whose worker or engine ended in the middle. Called by clean-up."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import select

from app.deployments.models import Deployment, DeploymentStatus
from app.deployments.pipeline.context import JOURNAL_PREFIX
from app.errors import PanelError
from app.extensions import db
from app.installation import Installation

logger = logging.getLogger(__name__)


def sweep_cut_off_builds(installation: Installation) -> None:
    """Remove what builds left whose deployments do not run any more. One that cannot be swept,
    e.g. because the engine does not answer, is tried again at the next clean-up."""
    folder = installation.settings.data_dir / "tmp"
    journals = sorted(folder.glob(f"{JOURNAL_PREFIX}*"))
    if not journals:
        return
    is_running = Deployment.status == DeploymentStatus.RUNNING
    running = set(db.session.scalars(select(Deployment.uuid).where(is_running)))
    db.session.rollback()
    cut_off = [
        path
        for path in journals
        if path.name.removeprefix(JOURNAL_PREFIX) not in running and path.suffix != ".new"
    ]
    for path in cut_off:
        try:
            installation.adapters.image_builder.sweep(path, list_others(folder, cut_off))
        except PanelError as error:
            logger.warning("%s could not be swept: %s", path.name, error.sentence)


def list_others(folder: Path, cut_off: Collection[Path]) -> list[Path]:
    """The journals of builds that run now, in the folder of all journals."""
    present = folder.glob(f"{JOURNAL_PREFIX}*")
    return [path for path in present if path not in cut_off and path.suffix != ".new"]
