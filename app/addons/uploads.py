"""Taking a package: to the disk, into the sandbox, and into the marketplace.

Edges call this outside of a unit of work: the sandbox is asked for seconds, and nobody else could
write meanwhile.
"""

from __future__ import annotations

import gzip
import hashlib
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from app.accounts.models import User
from app.adapters.sandbox import Reason, SandboxFailed
from app.addons import questions
from app.addons.api import AddonInfo, Field, Rights
from app.addons.models import Addon, AddonVersion, PackageKind
from app.addons.operations import (
    CATEGORIES,
    CATEGORY_LENGTH,
    LICENCE_LENGTH,
    SUMMARY_LENGTH,
)
from app.addons.packages.findings import Finding, Refused
from app.addons.packages.names import inner_name
from app.addons.packages.readme import clean_readme
from app.addons.packages.rules import (
    Inspected,
    Package,
    Text,
    check_info,
    check_variables,
    inspect_facts,
    is_taken,
    place_in,
)
from app.addons.rights import write_rights
from app.audit.operations import record
from app.errors import Conflict
from app.extensions import db
from app.installation import installation
from app.transactions import end_reading, unit_of_work

ARCHIVE, PACKAGE = "upload.tar.gz", "package.tar.gz"
INCOMING = ".incoming"
STRAY_SECONDS = 3600
"""What lies in `.incoming` for longer was left by a process that died."""
CHUNK = 256 * 1024


@dataclass
class Upload:
    """An archive on the disk and what was learned of it. `info` is None for `aldryn` packages."""

    folder: Path
    archive_bytes: int
    archive_sha256: str
    inspected: Inspected
    fields: tuple[Field, ...] = ()
    info: AddonInfo | None = None
    readme_html: str = ""


def upload_version(addon: Addon, stream: IO[bytes], actor: User) -> AddonVersion:
    """Take the archive in `stream` as a new version of the addon, in the Alpha channel.

    Not to be called inside a unit of work: it opens its own after the sandbox has answered.
    Raises `Refused` (an `Invalid`) with all findings, `Conflict` when the same version arrives
    twice at once or the addon was deleted meanwhile, `Unavailable` when the sandbox does not
    answer. Nothing is left of what was refused.
    """
    number = addon.id
    with _received(addon, stream) as upload:
        if upload.inspected.is_refused:
            raise Refused(upload.inspected.findings)
        if package := upload.inspected.package:
            _take_out(package, upload.folder)
        home = _home()
        kept: Path | None = None
        try:
            with unit_of_work():
                version = _add_version(_found_again(number), upload, actor)
                kept = home / version.uuid
                # Before the commit: whoever reads the row finds the files.
                upload.folder.rename(kept)
        except BaseException:
            if kept is not None:
                shutil.rmtree(kept, ignore_errors=True)
            raise
    return version


def check_package(addon: Addon, stream: IO[bytes]) -> list[Finding]:
    """All findings on an archive, warnings too, and nothing is kept: what the author would be
    told at an upload."""
    with _received(addon, stream) as upload:
        return upload.inspected.findings


def package_path(version: AddonVersion) -> Path:
    """Where the source distribution of an uploaded version lies, for pip; there may be none."""
    return _home() / version.uuid / PACKAGE


def _home() -> Path:
    return installation().settings.data_dir / "addons"


@contextmanager
def _received(addon: Addon, stream: IO[bytes]) -> Iterator[Upload]:
    """The archive on the disk, looked into and its configuration described; gone afterwards
    unless it was moved away."""
    package_name, taken = addon.package_name, [row.version for row in addon.versions]
    end_reading()  # the archive arrives at its sender's pace
    incoming = _home() / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    _forget_strays(incoming)
    folder = incoming / secrets.token_hex(16)
    folder.mkdir()
    try:
        size, digest = _write(stream, folder / ARCHIVE, installation().settings.addon_bytes)
        inspected = _inspect(folder / ARCHIVE, package_name, taken)
        upload = Upload(folder, size, digest, inspected)
        _describe(upload, package_name)
        _render(upload)
        yield upload
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _forget_strays(incoming: Path) -> None:
    oldest = time.time() - STRAY_SECONDS
    for folder in incoming.iterdir():
        try:
            is_stray = folder.stat().st_mtime < oldest
        except FileNotFoundError:  # its own upload has just finished
            continue
        if is_stray:
            shutil.rmtree(folder, ignore_errors=True)


def _write(stream: IO[bytes], path: Path, limit: int) -> tuple[int, str]:
    """Stream to the disk, a chunk at a time; size in bytes and SHA-256. Raises `Refused`."""
    size, hashed = 0, hashlib.sha256()
    with path.open("xb") as file:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise Refused([Finding(f"The archive is larger than {limit // 1024**2} MB.")])
            hashed.update(chunk)
            file.write(chunk)
    return size, hashed.hexdigest()


def _inspect(archive: Path, package_name: str, taken: list[str]) -> Inspected:
    """Ask the sandbox what is in it. A package that breaks even this is refused with why."""
    try:
        return inspect_facts(questions.inspect(archive), package_name, taken)
    except SandboxFailed as failed:
        sentences = {
            Reason.TIME: "The archive takes too long to unpack.",
            Reason.MEMORY: "The archive needs too much memory to unpack.",
        }
        sentence = sentences.get(failed.reason, failed.sentence)
        raise Refused([Finding(sentence, detail=failed.detail)]) from failed


def _describe(upload: Upload, package_name: str) -> None:
    """Ask the package for its form, and a plugin who it is."""
    inspected = upload.inspected
    if not inspected.source:
        return
    try:
        described = questions.describe(inspected.kind, inspected.source)
    except SandboxFailed as failed:
        file, line = place_in(failed.detail, inspected.source_file)
        inspected.findings.append(Finding(failed.sentence, file, line, detail=failed.detail))
        return
    upload.fields, upload.info = described.fields, described.info
    for warning in described.warnings:
        inspected.add(warning, inspected.source_file, is_warning=True)
    if inspected.kind == PackageKind.PLUGIN:
        check_info(inspected, described.info, package_name)
        check_variables(inspected, described.info, described.fields)


def _render(upload: Upload) -> None:
    """Have the README made to HTML; one that cannot be is shown as text."""
    if upload.inspected.is_refused:
        return
    readme = _text_of(upload.inspected.package, "readme")
    try:
        upload.readme_html = clean_readme(questions.render(readme.text, readme.file))
    except SandboxFailed as failed:
        sentence = f"It is shown as plain text, for it could not be rendered. {failed.sentence}"
        upload.inspected.add(sentence, readme.file, is_warning=True)


def _take_out(package: Package, folder: Path) -> None:
    """Copy the source distribution out of the archive. Where it lies the sandbox has said, so that
    nothing here has to understand a tar; its hash proves that it is what was looked into."""
    left, hashed = package.size, hashlib.sha256()
    with gzip.open(folder / ARCHIVE) as source, (folder / PACKAGE).open("xb") as target:
        source.seek(package.offset)
        while left and (chunk := source.read(min(CHUNK, left))):
            left -= len(chunk)
            hashed.update(chunk)
            target.write(chunk)
    if hashed.hexdigest() != package.sha256:
        raise Refused([Finding("The archive was read twice and differed.", PACKAGE)])


def _found_again(number: int) -> Addon:
    addon = db.session.get(Addon, number, populate_existing=True)
    if addon is None:
        raise Conflict("This addon was deleted while its package was looked into.")
    return addon


def _add_version(addon: Addon, upload: Upload, actor: User) -> AddonVersion:
    """The row. Who was slower with the same version gets `Conflict`."""
    inspected = upload.inspected
    if is_taken(inspected.version, [row.version for row in addon.versions]):
        raise Conflict(f"Version {inspected.version} was uploaded by somebody else just now.")
    info = upload.info
    changes = (info.changes if info else "") or _text_of(inspected.package, "changes").text
    version = AddonVersion(
        version=inspected.version,
        kind=inspected.kind,
        uploaded_by_id=actor.id,
        archive_bytes=upload.archive_bytes,
        archive_sha256=upload.archive_sha256,
        changes=changes,
        form=msgspec.to_builtins(upload.fields),
        rights=write_rights(info.rights if info else Rights()),
        facts=_facts(addon, upload),
        texts=_texts(addon, upload),
    )
    addon.versions.append(version)
    _fill_in(addon, upload)
    db.session.flush()
    record(
        "addon.upload",
        addon.package_name,
        actor=actor,
        organisation_id=addon.organisation_id,
        version=version.version,
        sha256=upload.archive_sha256,
    )
    return version


def _fill_in(addon: Addon, upload: Upload) -> None:
    """What nobody has said of the addon yet, its first package may."""
    package, info = upload.inspected.package, upload.info
    said = [(info.summary, info.licence)] if info else []
    said += [(package.summary, package.licence)] if package else []
    for summary, licence in said:
        addon.summary = addon.summary or summary[:SUMMARY_LENGTH]
        addon.licence = addon.licence or licence[:LICENCE_LENGTH]
    if info and not addon.categories:
        words = (" ".join(word.split()).lower()[:CATEGORY_LENGTH] for word in info.categories)
        addon.categories = [word for word in dict.fromkeys(words) if word][:CATEGORIES]


def _facts(addon: Addon, upload: Upload) -> dict[str, Any]:
    """`AddonVersion.facts`; `has_package` says whether sites have something to install by pip."""
    inspected, package = upload.inspected, upload.inspected.package
    module = inner_name(addon.package_name)
    return {
        "installed_apps": inspected.addon_json.get("installed-apps", []),
        "needs": list(upload.info.needs) if upload.info else [],
        "inner_name": module if package and module in package.modules else "",
        "has_package": package is not None,
        "package_sha256": package.sha256 if package else "",
        "warnings": [str(finding) for finding in inspected.findings],
    }


def _texts(addon: Addon, upload: Upload) -> dict[str, Any]:
    """`AddonVersion.texts`. Templates by their path below `templates/`, as they lie in the package
    and will in the site."""
    inspected = upload.inspected
    readme = _text_of(inspected.package, "readme")
    templates = inspected.package.templates if inspected.package else {}
    return {
        "addon_json": inspected.addon_json_text,
        "configuration": inspected.source,
        "readme": readme.text,
        "readme_html": upload.readme_html,
        "licence": inspected.licence_text,
        "templates": templates.get(inner_name(addon.package_name), {}),
    }


def _text_of(package: Package | None, name: str) -> Text:
    return package.texts.get(name, Text("", "")) if package else Text("", "")
