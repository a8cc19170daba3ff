"""The Dockerfile's tagged sections: what each holds, and when (documentation, "The Dockerfile in
Aldryn Django applications")."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from app.addons.api import Slot
from app.addons.project import sections
from app.addons.project.fragments import Given, check_all

PATH = "Dockerfile"
PYTHON_BASE = "moonbase/python:3.11"
"""What a site with Python packages is built on when no addon says so."""
PACKAGES = ".moonbase/packages"
"""Where a build finds the packages of uploaded addons."""
DEVELOPED = "addons-dev/"
WARNING, DOCKER_FROM, DOCKER_BUILD = "WARNING", "DOCKER_FROM", "DOCKER_BUILD"
BUILD_TAGS = ("NPM", "BOWER", "PYTHON", "SOURCE", "GULP", "STATIC")
"""What the one placeholder of old sites stands for."""
TAGS = (WARNING, DOCKER_FROM, "NODE", *BUILD_TAGS)
_KEEPS = (DOCKER_FROM, "NODE")
"""Sections whose own lines come from elsewhere: from a base project or a boilerplate."""
_MARK = "# Added by {}:"
_OWN = "# Of the site itself:"
"""Where what the section has of its own begins again, behind fragments that go before it."""
_MARKED = re.compile(rb"[ \t]*# Added by [^ ]+:[ \t]*")
_FROM = re.compile(rb"[ \t]*(FROM|ARG)[ \t]", re.IGNORECASE)
_OTHER_ESCAPE = re.compile(rb"\s*#\s*escape\s*=\s*`", re.IGNORECASE)
_SLOT_TAGS = {slot: slot.name for slot in Slot} | {Slot.SYSTEM: DOCKER_FROM}

_WARNING = (
    "# Everything within sections like <TAG> is generated and can",
    "# be automatically replaced on deployment. You can disable",
    "# this functionality by simply removing the wrapping tags.",
)
_NPM = (
    "# package.json is put into / so that mounting /app for local",
    "# development does not require re-running npm install",
    "ENV PATH=/node_modules/.bin:$PATH",
    "COPY package.json /",
    "RUN (cd / && npm install --production && rm -rf /tmp/*)",
)
_BOWER = (
    "COPY bower.json .bowerrc /app/",
    "RUN bower install \\",
    "    --verbose \\",
    "    --allow-root \\",
    "    --config.interactive=false",
)
_SOURCE = ("COPY . /app",)
_GULP = ("ENV GULP_MODE=production", "RUN gulp build")
_STATIC = ("RUN DJANGO_MODE=build python manage.py collectstatic --noinput",)


@dataclass(frozen=True)
class Refreshed:
    """The new content, and which sections addons wanted to fill that the file has not got; a file
    without any is `has_sections=False`."""

    content: bytes
    missing: tuple[str, ...] = ()
    has_sections: bool = True


def refresh(
    content: bytes,
    paths: Collection[str],
    given: Sequence[Given] = (),
    *,
    has_packages: bool = False,
) -> Refreshed:
    """Write all sections anew, for a site with the files `paths` and the fragments `given`, those
    of one slot in this order. `has_packages`: the build finds uploaded packages in `PACKAGES`.

    Raises `Invalid` for a fragment that is none.
    """
    check_all(given)
    # Where lines go on behind a backtick, nothing that was checked about fragments is true.
    present = [] if _has_other_escape(content) else sections.tags_in(content)
    if not set(present) & {*TAGS, DOCKER_BUILD}:
        return Refreshed(content, has_sections=False)
    wanted = _wanted(paths, given, has_packages)
    for tag in TAGS:
        if tag in present:
            content = _fill(content, tag, wanted[tag])
    standing_in: tuple[str, ...] = ()
    if DOCKER_BUILD in present:
        standing_in = tuple(tag for tag in BUILD_TAGS if tag not in present)
        content = _fill(content, DOCKER_BUILD, _joined([wanted[tag] for tag in standing_in]))
    filled = {*present, *standing_in}
    asked = {_SLOT_TAGS[one.fragment.slot] for one in given}
    return Refreshed(content, tuple(tag for tag in TAGS if tag in asked - filled))


@dataclass(frozen=True)
class _Wanted:
    """`base` None: keep what the section has of its own, or the fallback if that is nothing."""

    base: Sequence[str] | None
    before: Sequence[str]
    after: Sequence[str]
    replaces: bool = False
    fallback: Sequence[str] = ()


def _wanted(
    paths: Collection[str], given: Sequence[Given], has_packages: bool
) -> Mapping[str, _Wanted]:
    generated = _generated(frozenset(paths), has_packages)
    is_python = bool({"requirements.in", "manage.py"} & set(paths))
    wanted: dict[str, _Wanted] = {}
    for tag in TAGS:
        mine = [one for one in given if _SLOT_TAGS[one.fragment.slot] == tag]
        first = [one for one in mine if _is_before(one)]
        rest = [one for one in mine if not _is_before(one)]
        wanted[tag] = _Wanted(
            None if tag in _KEEPS else generated[tag],
            _marked(first),
            _marked(rest),
            replaces=any(one.fragment.slot == Slot.DOCKER_FROM for one in mine),
            fallback=(f"FROM {PYTHON_BASE}",) if tag == DOCKER_FROM and is_python else (),
        )
    return wanted


def _generated(paths: frozenset[str], has_packages: bool) -> Mapping[str, Sequence[str]]:
    """The documented content of each section; empty where the site has no use for it."""
    rules: dict[str, tuple[bool, Sequence[str] | Callable[[], Sequence[str]]]] = {
        WARNING: (True, _WARNING),
        "NPM": ("package.json" in paths, _NPM),
        "BOWER": ({"bower.json", ".bowerrc"} <= paths, _BOWER),
        "PYTHON": ("requirements.in" in paths, lambda: _python(paths, has_packages)),
        "SOURCE": (True, _SOURCE),
        "GULP": ("gulpfile.js" in paths, _GULP),
        "STATIC": (True, _STATIC),
    }
    return {
        tag: (lines() if callable(lines) else lines) if is_filled else ()
        for tag, (is_filled, lines) in rules.items()
    }


def _python(paths: frozenset[str], has_packages: bool) -> list[str]:
    """Without a proxy that resolves packages, pip does: from the pinned list when there is one."""
    lines = ["COPY requirements.* /app/"]
    if any(path.startswith(DEVELOPED) for path in paths):
        lines.append("COPY addons-dev /app/addons-dev/")
    if has_packages:
        lines.append(f"COPY {PACKAGES} /app/{PACKAGES}/")
    file = "requirements.txt" if "requirements.txt" in paths else "requirements.in"
    return [*lines, f"RUN pip install --requirement /app/{file}"]


def _is_before(one: Given) -> bool:
    """A negative order goes before what the section holds by itself; SYSTEM is its end."""
    return one.fragment.slot == Slot.DOCKER_FROM or (
        one.fragment.order < 0 and one.fragment.slot != Slot.SYSTEM
    )


def _marked(given: Sequence[Given]) -> list[str]:
    """In their order, each with the name of its addon above it: it is found by that again."""
    lines: list[str] = []
    for one in sorted(given, key=lambda one: one.fragment.order):
        lines += [_MARK.format(one.addon), *one.fragment.text.strip("\n").split("\n")]
    return lines


def _fill(content: bytes, tag: str, wanted: _Wanted | Sequence[str | bytes]) -> bytes:
    section = sections.find(content, tag)
    if section is None:
        return content
    if not isinstance(wanted, _Wanted):
        return sections.fill(content, section, wanted)
    own: Sequence[str | bytes] = wanted.base or ()
    if wanted.base is None and not wanted.replaces:
        own = _own_lines(content, section) or wanted.fallback
        if own and wanted.before:
            own = [_OWN, *own]
    return sections.fill(content, section, [*wanted.before, *own, *wanted.after])


def _own_lines(content: bytes, section: sections.Section) -> list[bytes]:
    """What stands before the first fragment. Where nothing does, the image of the last addon that
    named one: without any, no site can be built."""
    lines = [line.removeprefix(section.indent) for line in sections.lines_in(content, section)]
    if _OWN.encode() in lines:
        lines = lines[lines.index(_OWN.encode()) + 1 :]
    marks = [number for number, line in enumerate(lines) if _MARKED.fullmatch(line)]
    own = lines[: marks[0]] if marks else lines
    return own or _bases(lines)


def _bases(lines: Sequence[bytes]) -> list[bytes]:
    """The instructions that name an image, whole. A line that goes on with another one's is none,
    whatever it begins with."""
    found: list[bytes] = []
    goes_on = is_wanted = False
    for line in lines:
        is_wanted = is_wanted if goes_on else bool(_FROM.match(line))
        if is_wanted:
            found.append(line)
        if line.strip() and not line.lstrip().startswith(b"#"):
            goes_on = line.rstrip(b" \t").endswith(b"\\")
    return found


def _joined(parts: Sequence[_Wanted]) -> list[str]:
    lines: list[str] = []
    for part in parts:
        lines += [*part.before, *(part.base or ()), *part.after]
    return lines


def _has_other_escape(content: bytes) -> bool:
    head = content.removeprefix(b"\xef\xbb\xbf").splitlines()[:10]
    return any(_OTHER_ESCAPE.match(line) for line in head)
