"""`requirements.in`: one line for the package of each addon, and what addons ask pip for beside it.

# <INSTALLED_ADDONS>
https://panel/api/v1/apps/serve/<name>/<version>/<uuid>/<name>-<version>.tar.gz#egg=<name>==…
gunicorn==23.0.0  # for django
# </INSTALLED_ADDONS>
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement

from app.addons.project import sections
from app.addons.project.ordering import normalise, place_of
from app.errors import Invalid

PATH = "requirements.in"
PINNED = "requirements.txt"
TAG = "INSTALLED_ADDONS"
_MARK = "  # for "
LONGEST = 2000
"""Characters of a line that is looked into: an address of the panel has some hundred, and patterns
take the square of it."""
_EGG = re.compile(r"#(?:.*&)?egg=([A-Za-z0-9][A-Za-z0-9._-]*)")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?=$|[\s\[=<>!~;@(])")
_EDITABLE = re.compile(r"(?:-e|--editable)[ =]+\S*?addons-dev/([A-Za-z0-9._-]+?)/?(?:[\s#\[].*)?")
_SERVED = re.compile(
    rb"((?<![A-Za-z0-9._-])[A-Za-z0-9._-]+[ \t]*@[ \t]*)?https?://[^\s#]*/api/v1/apps/serve/"
    rb"([^\s#/]+)/[^\s#/]+/([0-9a-f-]{36})/[^\s#]+(?:#\S*)?"
)


@dataclass(frozen=True)
class Served:
    """A package the panel serves; `uuid` is that of its version."""

    name: str
    version: str
    uuid: str

    def line(self, panel_url: str) -> str:
        """Its line: an address that whoever has it may fetch, and what it holds."""
        file = f"{self.name}-{self.version}.tar.gz"
        path = f"api/v1/apps/serve/{self.name}/{self.version}/{self.uuid}/{file}"
        return f"{panel_url}/{path}#egg={self.name}=={self.version}"


@dataclass(frozen=True)
class Asked:
    """A line that an addon asks pip for."""

    addon: str
    line: str


def check(asked: Asked) -> None:
    """Raise `Invalid`, naming the addon, for a line that is no requirement: pip's own options
    could turn the whole installation elsewhere."""
    try:
        Requirement(asked.line)
    except InvalidRequirement:
        pass
    else:
        if asked.line.isprintable():
            return
    raise Invalid(
        f"The addon “{asked.addon}” asks pip for “{asked.line[:100]}”, which is no requirement."
    )


def change(
    content: bytes,
    *,
    packages: Mapping[str, str],
    asked: Iterable[Asked] = (),
    removed: Collection[str] = (),
) -> bytes:
    """With the line of each of `packages` (by name), the lines `asked` for, and none of `removed`.

    Packages the panel does not know of stay, sorted anew; so do lines of `addons-dev`, which stand
    for the package they hold. What people wrote outside of the tags is not repeated. Lines asked
    for before are replaced by `asked`, which is why it holds those of all addons. Without the tags
    the content stays as it is.
    """
    section = sections.find(content, TAG)
    if section is None:
        return content
    lines = [_text(line).strip() for line in sections.lines_in(content, section)]
    kept = [line for line in lines if line and not line.startswith("#") and _MARK not in line]
    by_hand = names_by_hand(content)
    developed = {name for line in kept if (name := _developed(line))}
    options = [line for line in kept if name_of(line) is None]
    named = {name: line for line in kept if (name := name_of(line))}
    named = {name: line for name, line in named.items() if name not in _normal(removed)}
    named |= {normalise(name): line for name, line in packages.items()}
    for name in (developed | by_hand) & named.keys():
        if not _developed(named[name]):
            del named[name]
    named |= {name: line for line in kept if (name := _developed(line))}
    placed = [named[name] for name in sorted(named, key=place_of)]
    return sections.fill(content, section, [*options, *placed, *_marked(asked, named, by_hand)])


def names_by_hand(content: bytes) -> set[str]:
    """Packages, normalised, that people ask for outside of the tags."""
    section = sections.find(content, TAG)
    text = sections.outside(content, section) if section else content
    lines = (_text(line).strip() for line in text.splitlines())
    return {name for line in lines if (name := name_of(line))}


def name_of(line: str) -> str | None:
    """Which package a line installs, normalised; None for options, comments and addresses that do
    not say so."""
    if len(line) > LONGEST:
        return None
    if developed := _developed(line):
        return developed
    if line.startswith(("#", "-")):
        return None
    if egg := _EGG.search(line):
        return normalise(egg[1])
    project = _PROJECT.match(line)
    return normalise(project[0]) if project else None


def names_in(content: bytes) -> set[str]:
    """All packages of the file, normalised."""
    lines = (_text(line).strip() for line in content.splitlines())
    return {name for line in lines if (name := name_of(line))}


def with_local_packages(content: bytes, paths: Mapping[str, str]) -> bytes:
    """With each address of a served package replaced by a path of the build: `paths` is by uuid of
    its version, a path absolute. Others stay, and so does all around them."""

    def replace(found: re.Match[bytes]) -> bytes:
        path = paths.get(found[3].decode())
        # `#egg=<name>==<version>` is no more taken by newer pips.
        return found[2] + b" @ file://" + path.encode() if path else found[0]

    return b"".join(
        _SERVED.sub(replace, line) if len(line) <= LONGEST else line
        for line in content.splitlines(keepends=True)
    )


def served_uuids(content: bytes) -> list[str]:
    """Of which versions the file fetches the package from a panel."""
    return [
        found[3].decode()
        for line in content.splitlines()
        if len(line) <= LONGEST
        for found in _SERVED.finditer(line)
    ]


def _marked(asked: Iterable[Asked], named: Collection[str], by_hand: Collection[str]) -> list[str]:
    """One line for each requirement, with the addons that ask for it."""
    askers: dict[str, list[str]] = {}
    for one in asked:
        if normalise(Requirement(one.line).name) not in {*named, *by_hand}:
            askers.setdefault(one.line.strip(), []).append(one.addon)
    return [
        f"{line}{_MARK}{', '.join(sorted(set(askers[line]), key=place_of))}"
        for line in sorted(askers, key=place_of)
    ]


def _developed(line: str) -> str | None:
    """The addon a line of `addons-dev` stands for."""
    found = _EDITABLE.fullmatch(line) if len(line) <= LONGEST else None
    return normalise(found[1]) if found else None


def _normal(names: Iterable[str]) -> set[str]:
    return {normalise(name) for name in names}


def _text(line: bytes) -> str:
    return line.decode(errors="surrogateescape")
