"""What people should know as long as it is so: files of a site that are left alone because they
have no sections for addons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from app.adapters.git import RepositoryStore
from app.addons.installing import words
from app.addons.installing.contributed import read_answer
from app.addons.installing.drafting import served_by
from app.addons.models import InstalledAddon, PackageKind
from app.addons.project import dockerfile, requirements, sections, settings_file
from app.addons.project.ordering import normalise
from app.environments.models import Environment
from app.repositories.queries import load_repository

_PATHS = (settings_file.PATH, requirements.PATH, dockerfile.PATH)


def standing_notes(
    test: Environment | None, rows: Sequence[InstalledAddon], store: RepositoryStore
) -> list[str]:
    """Sentences about the tip of Test's branch; asks no addon anything."""
    if test is None or not rows:
        return []
    key = load_repository(test.application_id).uuid
    commit = store.resolve(key, test.branch)
    if commit is None:
        return []
    files = store.read_files(key, commit, _PATHS)
    return [
        *_about_settings(rows, files),
        *_about_requirements(rows, files),
        *_about_dockerfile(rows, files),
    ]


Files = Mapping[str, bytes | None]


def _about_settings(rows: Sequence[InstalledAddon], files: Files) -> list[str]:
    names = [row.addon.package_name for row in rows if row.version.kind == PackageKind.ALDRYN]
    content = files[settings_file.PATH] or b""
    if not names or sections.find(content, settings_file.TAG):
        return []
    listed = {normalise(name) for name in settings_file.names_by_hand(content)}
    return _about([name for name in names if normalise(name) not in listed], words.no_list)


def _about_requirements(rows: Sequence[InstalledAddon], files: Files) -> list[str]:
    content = files[requirements.PATH] or b""
    if sections.find(content, requirements.TAG):
        return []
    known = requirements.names_in(content)
    names = [
        row.addon.package_name
        for row in rows
        if (served_by(row.version) or read_answer(row.contributed).contribution.requirements)
        and normalise(row.addon.package_name) not in known
    ]
    return _about(names, words.no_requirements)


def _about_dockerfile(rows: Sequence[InstalledAddon], files: Files) -> list[str]:
    if not any(read_answer(row.contributed).contribution.fragments for row in rows):
        return []
    content = files[dockerfile.PATH]
    if content is None:
        return [words.no_file(dockerfile.PATH)]
    return [] if set(sections.tags_in(content)) & set(dockerfile.TAGS) else [words.no_sections()]


def _about(names: Sequence[str], sentence: Callable[[str], str]) -> list[str]:
    return [sentence("”, “".join(names))] if names else []
