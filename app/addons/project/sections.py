"""Tagged sections: the parts of people's files that the panel writes.

    # <TAG> words for people
    …
    # </TAG>

Files are bytes from first to last, so that whatever lies outside of a section survives, also in
an encoding nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"
_TAG = re.compile(rb"([ \t]*)#[ \t]*<(/?)([A-Z][A-Z0-9_]*)>")


@dataclass(frozen=True)
class Section:
    """Where a section lies in its file: offsets of the bytes between its two tag lines."""

    start: int
    end: int
    indent: bytes
    """What stands before the opening tag."""
    newline: bytes


def find(content: bytes, tag: str) -> Section | None:
    """The first section of that name.

    None when a tag is missing: removing the tags keeps the panel out. None as well when another
    tag stands between the two: it is not plain then what belongs to whom.
    """
    offset, opened = 0, None
    for line in content.splitlines(keepends=True):
        found = _tag_of(line, is_first=offset == 0)
        if opened is None:
            if found and found[1:] == (b"", tag.encode()):
                opened = Section(offset + len(line), 0, found[0], _newline_of(line))
        elif found:
            is_end = found[1:] == (b"/", tag.encode())
            return Section(opened.start, offset, opened.indent, opened.newline) if is_end else None
        offset += len(line)
    return None


def tags_in(content: bytes) -> list[str]:
    """Names of all whole sections, in their order."""
    names: dict[str, None] = {}
    for number, line in enumerate(content.splitlines()):
        found = _tag_of(line, is_first=number == 0)
        if found and not found[1]:
            names[found[2].decode()] = None
    return [name for name in names if find(content, name)]


def lines_in(content: bytes, section: Section) -> list[bytes]:
    """Its lines without their ends; with the indentation they have."""
    return content[section.start : section.end].splitlines()


def outside(content: bytes, section: Section) -> bytes:
    """Everything but the lines between its tags."""
    return content[: section.start] + content[section.end :]


def fill(content: bytes, section: Section, lines: Sequence[str | bytes]) -> bytes:
    """Put `lines` (without ends) in the place of what the section holds, indented and ended as
    its opening line is. No lines: the two tags alone stay."""
    written = b"".join(_write(line, section) for line in lines)
    return content[: section.start] + written + content[section.end :]


def has_tag(text: str) -> bool:
    """Whether a line of `text` would open or close a section."""
    lines = (line.lstrip("\ufeff") for line in re.split(r"[\r\n]", text))
    return any(re.match(r"\s*#\s*</?[A-Za-z][A-Za-z0-9_]*>", line) for line in lines)


def _write(line: str | bytes, section: Section) -> bytes:
    text = line.encode(errors="surrogateescape") if isinstance(line, str) else line
    return (section.indent + text if text.strip() else b"") + section.newline


def _tag_of(line: bytes, *, is_first: bool) -> tuple[bytes, bytes, bytes] | None:
    """Indentation, `/` of a closing tag, and name."""
    found = _TAG.match(line.removeprefix(_BOM) if is_first else line)
    return (found[1], found[2], found[3]) if found else None


def _newline_of(line: bytes) -> bytes:
    for newline in (b"\r\n", b"\n", b"\r"):
        if line.endswith(newline):
            return newline
    return b"\n"
