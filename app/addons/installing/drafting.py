"""Which files a change of an addon writes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.adapters.git import Program, RepositoryStore
from app.addons import api
from app.addons.contributions import Part
from app.addons.installing import words
from app.addons.installing.tip import Tip
from app.addons.models import AddonVersion, PackageKind
from app.addons.project import (
    dockerfile,
    package_files,
    requirements,
    sections,
    settings_file,
    settings_json,
)
from app.addons.project.fragments import Given
from app.addons.project.ordering import normalise
from app.addons.project.package_files import Package, folder_of, settings_path
from app.installation import installation


@dataclass
class Draft:
    """New contents by path on top of `tip`, and what people should know."""

    tip: Tip
    written: dict[str, bytes | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def get(self, path: str) -> bytes | None:
        return self.written.get(path, self.tip.contents.get(path))

    @property
    def paths(self) -> frozenset[str]:
        """`Tip.paths` as they will be."""
        gone = {path for path, content in self.written.items() if content is None}
        return (self.tip.paths | self.written.keys()) - gone

    @property
    def changes(self) -> dict[str, bytes | None]:
        """What differs from the tip."""
        return {
            path: content
            for path, content in sorted(self.written.items())
            if content != self.tip.contents.get(path)
        }


def package_of(version: AddonVersion) -> Package:
    """The files of a version, as its row has them."""
    texts, name = version.texts, version.addon.package_name
    addon_json = texts.get("addon_json", "")
    is_aldryn = version.kind == PackageKind.ALDRYN
    return Package(
        name=name,
        version=version.version,
        addon_json=addon_json if isinstance(addon_json, str) else json.dumps(addon_json),
        configuration=texts.get("configuration", "") if is_aldryn else "",
        inner_name=version.facts.get("inner_name", ""),
        templates=texts.get("templates", {}),
    )


def served_by(version: AddonVersion) -> requirements.Served | None:
    """The package that pip fetches from the panel; None for one without a package of its own."""
    if version.addon.is_built_in or not version.facts.get("has_package", True):
        return None
    return requirements.Served(version.addon.package_name, version.version, version.uuid)


def write_addon(draft: Draft, version: AddonVersion, settings: Mapping[str, Any]) -> None:
    """Its own folder."""
    package = package_of(version)
    for path, content in package_files.addon_files(package).items():
        if content is not None or draft.tip.contents.get(path) is not None:
            draft.written[path] = content
    path = settings_path(package.name)
    draft.written[path] = settings_json.rewrite(draft.tip.contents.get(path), settings)


def write_managed(
    draft: Draft, name: str, files: Sequence[api.File], before: Collection[str]
) -> None:
    """Files it keeps below its folder; those it had and has no longer go."""
    package_files.check_files(name, files)
    present = package_files.managed_files(name, files)
    programs = {file.path for file in files if file.is_executable}
    for path, content in present.items():
        draft.written[path] = Program(content) if path in programs else content
    draft.written |= dict.fromkeys((set(before) - present.keys()) & draft.tip.paths)


def write_once(
    draft: Draft, version: AddonVersion, files: Sequence[api.File], store: RepositoryStore
) -> None:
    """Templates and files for the site to keep, where it has nothing of the kind."""
    programs = {file.path for file in files if file.is_executable}
    tip = draft.tip
    present = frozenset(store.list_files(tip.key, tip.commit) if tip.commit else ())
    wanted = {
        **package_files.template_files(package_of(version), present),
        **package_files.once_files(files, present),
    }
    taken = _links(tip, wanted, store)
    for path, content in wanted.items():
        if not {path, *_above(path)} & taken:
            draft.written[path] = Program(content) if path in programs else content


def write_lists(draft: Draft, version: AddonVersion, parts: Sequence[Part]) -> None:
    """`settings.py` and `requirements.in` with the addon."""
    name = version.addon.package_name
    if version.kind == PackageKind.ALDRYN:
        content = _section(draft, settings_file.PATH, settings_file.TAG, words.no_list(name))
        if content is not None:
            draft.written[settings_file.PATH] = settings_file.change(content, added=[name])
    asked, served = _asked(parts), served_by(version)
    lines = {name: served.line(installation().settings.panel_url)} if served else {}
    is_concerned = served is not None or any(one.addon == name for one in asked)
    note = words.no_requirements(name) if is_concerned else ""
    _write_requirements(draft, asked, note, lines, removed=() if served else [name])
    content = draft.get(requirements.PATH) or b""
    is_own = any(line.encode() not in content for line in lines.values())
    if is_own and normalise(name) in requirements.names_in(content):
        draft.notes.append(words.own_requirement(name))


def take_out(draft: Draft, version: AddonVersion, parts: Sequence[Part]) -> None:
    """Its folder and its lines go; `parts` are of the addons that stay."""
    name = version.addon.package_name
    folder = folder_of(name)
    draft.written |= {path: None for path in draft.tip.contents if path.startswith(folder)}
    content = draft.get(settings_file.PATH)
    if content is not None:
        changed = settings_file.change(content, added=(), removed=[name])
        draft.written[settings_file.PATH] = changed
        if normalise(name) in map(normalise, settings_file.listed_names(changed)):
            draft.notes.append(words.still_listed(name))
    _write_requirements(draft, _asked(parts), "", {}, removed=[name])


def refresh_dockerfile(draft: Draft, parts: Sequence[Part], name: str) -> None:
    """All sections anew. Notes are about what the addon `name` would bring."""
    content = draft.get(dockerfile.PATH)
    given = [Given(part.package_name, one) for part in parts for one in part.contribution.fragments]
    is_concerned = any(one.addon == name for one in given)
    if content is None:
        if is_concerned:
            draft.notes.append(words.no_file(dockerfile.PATH))
        return
    refreshed = dockerfile.refresh(content, draft.paths, given)
    draft.written[dockerfile.PATH] = refreshed.content
    if not is_concerned:
        return
    if not refreshed.has_sections:
        draft.notes.append(words.no_sections())
    draft.notes += [words.no_section(tag) for tag in refreshed.missing]


def _write_requirements(
    draft: Draft,
    asked: Sequence[requirements.Asked],
    note: str,
    packages: Mapping[str, str],
    removed: Collection[str],
) -> None:
    for one in asked:
        requirements.check(one)
    content = _section(draft, requirements.PATH, requirements.TAG, note)
    if content is not None:
        draft.written[requirements.PATH] = requirements.change(
            content, packages=packages, asked=asked, removed=removed
        )


def _section(draft: Draft, path: str, tag: str, note: str) -> bytes | None:
    """The file, if it has the section; `note` says what people may do where it has not."""
    content = draft.get(path)
    if content is not None and sections.find(content, tag):
        return content
    if note:
        draft.notes.append(note)
    return None


def _asked(parts: Sequence[Part]) -> list[requirements.Asked]:
    return [
        requirements.Asked(part.package_name, one.line.strip())
        for part in parts
        for one in part.contribution.requirements
    ]


def _links(tip: Tip, wanted: Iterable[str], store: RepositoryStore) -> set[str]:
    """What is there although no list of files holds it: links."""
    if tip.commit is None:
        return set()
    names = {name for path in wanted for name in (path, *_above(path))}
    found = store.read_files(tip.key, tip.commit, names)
    return {path for path, content in found.items() if content is not None}


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:number]) for number in range(1, len(parts))]
