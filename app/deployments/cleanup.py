"""Removing images that nobody can need any more. Only what carries our labels is looked at."""

from __future__ import annotations

from sqlalchemy import func, select

from app.adapters.engine import LABEL_INSTALLATION
from app.deployments.models import Build, CurrentRelease, Deployment, DeploymentStatus, Release
from app.deployments.queries import ACTIVE
from app.extensions import db, now
from app.installation import Installation
from app.routes.queries import load_feed
from app.transactions import unit_of_work


def remove_old_images(installation: Installation) -> list[str]:
    """Keep the last images of each environment that served (3 by default), all that run and all
    that a deployment under way may want; remove the rest.

    Returns the tags removed. An image being built has no row yet and is left alone, unless no
    deployment runs at all.
    """
    with unit_of_work():
        kept = _builds_to_keep(installation.settings.images_kept)
        surplus = db.session.scalars(
            select(Build).where(Build.removed_at.is_(None), Build.id.not_in(kept))
        ).all()
        for build in surplus:
            build.removed_at = now()
        tags = [build.tag for build in surplus]
    engine = installation.adapters.engine
    for tag in [*tags, *_unknown_images(installation)]:
        engine.remove_image(tag)
    return tags


def _builds_to_keep(count: int) -> set[int]:
    kept = set(db.session.scalars(select(Release.build_id).join(CurrentRelease)))
    # A deployment or roll back that waits or runs may be about to take the image of its commit.
    wanted = select(Deployment.commit).where(Deployment.status.in_(ACTIVE))
    kept.update(db.session.scalars(select(Build.id).where(Build.commit.in_(wanted))))
    served = select(Deployment.release_id).where(Deployment.status == DeploymentStatus.SUCCEEDED)
    releases = db.session.execute(
        select(Release.environment_id, Release.build_id)
        .join(Build)
        .where(Build.removed_at.is_(None), Release.id.in_(served))
        .order_by(Release.id.desc())
    )
    newest: dict[int, list[int]] = {}
    for environment_id, build_id in releases:
        builds = newest.setdefault(environment_id, [])
        if build_id not in builds and len(builds) < count:
            builds.append(build_id)
    # The newest build too, even when its deployment failed: the next try may want it.
    # Of an environment that is gone nobody tries again.
    newest_builds = select(func.max(Build.id)).where(Build.environment_id.is_not(None))
    kept.update(db.session.scalars(newest_builds.group_by(Build.environment_id)))
    return kept.union(*newest.values())


def _unknown_images(installation: Installation) -> list[str]:
    """Tags of labelled images without a row: left by a worker that was killed while building.

    The engine is asked first: what is built meanwhile is not looked at, and what was being built
    belongs to a deployment that still runs or has a row by now.
    """
    labels = {LABEL_INSTALLATION: load_feed().epoch}
    db.session.rollback()
    present = installation.adapters.engine.list_images(labels)
    running = db.session.scalar(
        select(Deployment.id).where(Deployment.status == DeploymentStatus.RUNNING)
    )
    if running:
        return []
    known = set(db.session.scalars(select(Build.tag).where(Build.removed_at.is_(None))))
    db.session.rollback()
    return [tag for image in present for tag in image.tags if tag not in known]
