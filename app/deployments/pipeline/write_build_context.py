"""Build context: what addons add to the commit's files, for this build only.

The Dockerfile's sections as addons fill them now, and the packages of uploaded addons, since a
build cannot reach the panel. Nothing of it is committed.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from app.addons.in_commit import CommitFiles
from app.addons.project import dockerfile, requirements
from app.addons.queries import versions_by_uuid
from app.addons.uploads import package_path
from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.errors import Invalid
from app.extensions import db

SITE_FOLDER = "/app"
"""Where sites of the addons' kind lie in their image."""
SECTIONS_ONLY = "".join(f"# <{tag}>\n# </{tag}>\n" for tag in dockerfile.TAGS).encode()
"""The Dockerfile of a site that has none, when an addon says what it is built on."""


class WriteBuildContext(Step):
    """Appends to the tar that CheckOut has written: of two files of one path the later counts."""

    name = "write_build_context"
    title = "Build context"

    def run(self, context: Context) -> None:
        files = context.commit_files
        packages = _packages(files)
        local = {uuid: f"{SITE_FOLDER}/{where}" for uuid, (where, _) in packages.items()}
        added: dict[str, bytes] = {}
        for path in (requirements.PATH, requirements.PINNED):
            content = files.contents.get(path)
            if content is not None:
                added[path] = requirements.with_local_packages(content, local)
        added[dockerfile.PATH] = _dockerfile(context, files, bool(packages))
        added = {path: new for path, new in added.items() if new != files.contents.get(path)}
        stored = dict(packages.values())
        context.additions = _digest(added, stored)
        if context.additions:
            context.log.heading("build context")
        for path in (*added, *stored):
            context.log.line(f"{path} as the addons have it")
        _append(context.context_file, added, stored)


def _packages(files: CommitFiles) -> dict[str, tuple[str, Path]]:
    """Path in the context and file on the disk of each package that the requirements name, by the
    uuid of its version. An address of another panel is left to pip."""
    uuids = {
        uuid
        for path in (requirements.PATH, requirements.PINNED)
        for uuid in requirements.served_uuids(files.contents.get(path, b""))
    }
    try:
        rows = versions_by_uuid(uuids)
        found = {}
        for row in rows:
            name = f"{row.addon.package_name}-{row.version}.tar.gz"
            path = package_path(row)
            if not path.is_file():
                raise Invalid(f"The package {name} is missing in the store of addons.")
            found[row.uuid] = (f"{dockerfile.PACKAGES}/{name}", path)
        return found
    finally:
        db.session.rollback()  # it has read rows; nothing stays open for the work


def _dockerfile(context: Context, files: CommitFiles, has_packages: bool) -> bytes:
    """The Dockerfile with its sections filled; `Invalid` when there is none."""
    content = files.contents.get(dockerfile.PATH)
    given = context.collected.fragments
    if content is None:
        if not any(row.fragment.slot == "docker-from" for row in given):
            raise Invalid(
                "There is no Dockerfile at the top of the repository. Add one: it tells how to "
                "build the site."
            )
        content = SECTIONS_ONLY
    elif not context.collected.addons and not has_packages:
        return content
    refreshed = dockerfile.refresh(content, files.paths, given, has_packages=has_packages)
    for tag in refreshed.missing if refreshed.has_sections else ():
        context.log.line(f"The Dockerfile has no section <{tag}>: no addon can fill it")
    return refreshed.content


def _digest(added: Mapping[str, bytes], stored: Mapping[str, Path]) -> str:
    """Short text for all that differs from the commit; empty when nothing does."""
    if not added and not stored:
        return ""
    told: dict[str, str] = {path: hashlib.sha256(new).hexdigest() for path, new in added.items()}
    for path, file in stored.items():
        with file.open("rb") as opened:
            told[path] = hashlib.file_digest(opened, "sha256").hexdigest()
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _append(archive: Path, added: Mapping[str, bytes], stored: Mapping[str, Path]) -> None:
    if not added and not stored:
        return
    with tarfile.open(archive) as whole:
        whole.getmembers()
        end = whole.offset
    # Not tarfile's own way to append: it spoils an archive that begins with a global header, as
    # those of Git do.
    with archive.open("r+b") as file:
        file.seek(end)
        file.truncate()
        with tarfile.open(fileobj=file, mode="w") as tar:
            _write(tar, added, stored)


def _write(tar: tarfile.TarFile, added: Mapping[str, bytes], stored: Mapping[str, Path]) -> None:
    for path, content in added.items():
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))
    for path, source in stored.items():
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = source.stat().st_size, 0o644
        with source.open("rb") as opened:
            tar.addfile(entry, opened)
