"""Fragments of addons for the Dockerfile: what none may hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.addons.api import Fragment, Slot
from app.addons.project import sections
from app.errors import Invalid

_DIRECTIVE = re.compile(r"\s*#\s*(escape|syntax|check)\s*=", re.IGNORECASE)
_MARK = re.compile(r"\s*#\s*(added by |of the site itself:)", re.IGNORECASE)
_HERE_DOCUMENT = re.compile(r"(?<!<)<<(?!<)")
"""Any word may end one, `1` and `.` too; `<<<` begins none."""
_CONTINUED = re.compile(r"\\[ \t]*$")
_UNCERTAIN = re.compile(r"\\\\[ \t]*$")
_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class Given:
    """A fragment and the package name of the addon it comes from."""

    addon: str
    fragment: Fragment


def check(given: Given) -> None:
    """Raise `Invalid`, naming addon and line, for a fragment that could reach out of its section:
    close or open one, begin another image, run into the line behind it, change how the file is
    read, or take the platform's way to start commands."""
    for number, line in enumerate(given.fragment.text.split("\n"), 1):
        if problem := _problem_of_line(line):
            raise _refusal(given.addon, number, line, problem)
    for number, text, is_continued in _instructions(given.fragment.text):
        if problem := _problem_of_instruction(text, given.fragment.slot):
            raise _refusal(given.addon, number, text, problem)
        if is_continued:
            raise _refusal(given.addon, number, text, "must not go on behind its end")


def check_all(given: Iterable[Given]) -> None:
    """Each by itself, and that one addon at most says what the site is built on."""
    bases: set[str] = set()
    for one in given:
        check(one)
        if one.fragment.slot == Slot.DOCKER_FROM:
            bases.add(one.addon)
    if len(bases) > 1:
        names = " and ".join(f"“{name}”" for name in sorted(bases))
        raise Invalid(f"The addons {names} both say which image the site is built on.")


def _problem_of_line(line: str) -> str:
    if "\0" in line or "\r" in line:
        return "holds a character that cannot be in a Dockerfile"
    if sections.has_tag(line):
        return "opens or closes a section"
    if _MARK.match(line):
        return "looks like a mark of the panel"
    if _DIRECTIVE.match(line):
        return "changes how the Dockerfile is read"
    if _HERE_DOCUMENT.search(line):
        return "begins a here-document, which could swallow what follows"
    if _UNCERTAIN.search(line):
        return "ends in two backslashes: some builders go on behind them, others do not"
    return ""


def _problem_of_instruction(text: str, slot: Slot) -> str:
    words = text.split()
    while words and words[0].upper() == "ONBUILD":
        words = words[1:]
    word = words[0].upper() if words else ""
    if words and not _WORD.fullmatch(words[0]):
        # Builders fold case by their own rules: to some, “İ” is an “i”.
        return "begins with a word that is no instruction"
    if _HERE_DOCUMENT.search(text):
        return "begins a here-document, which could swallow what follows"
    if word == "FROM" and slot != Slot.DOCKER_FROM:
        return "begins another image"
    if word == "ENTRYPOINT":
        return "sets ENTRYPOINT, which the platform needs for its own commands; use CMD"
    return ""


def _instructions(text: str) -> Iterator[tuple[int, str, bool]]:
    """Number of the first line, the joined text, and whether it goes on behind the end. Lines are
    joined as the builder does: without anything between, comments and empty lines left out."""
    begun, parts = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        begun = begun or number
        parts += _CONTINUED.sub("", line)
        if not _CONTINUED.search(line):
            yield begun, parts, False
            begun, parts = 0, ""
    if begun:
        yield begun, parts, True


def _refusal(addon: str, number: int, line: str, problem: str) -> Invalid:
    shown = line.strip().replace("\0", "␀").replace("\r", "␍")[:100]
    return Invalid(
        f"The addon “{addon}”, line {number} of its part of the Dockerfile: “{shown}” {problem}."
    )
