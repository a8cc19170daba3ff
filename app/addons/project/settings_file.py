"""`settings.py`: the list `INSTALLED_ADDONS`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from app.addons.project import sections
from app.addons.project.ordering import normalise, place_of

PATH = "settings.py"
TAG = "INSTALLED_ADDONS"
_STRING = re.compile(rb"""'([^'"\r\n]+)'|"([^'"\r\n]+)\"""")
_ASSIGNED = re.compile(rb"(?m)^[ \t]*INSTALLED_ADDONS\b[^=\r\n]*=[ \t]*[\[(]")


def change(content: bytes, *, added: Collection[str], removed: Collection[str] = ()) -> bytes:
    """With `added` in the list and `removed` not; what else stands between the tags stays, sorted
    anew. Names that people wrote outside of the tags are not repeated. Without the tags the
    content stays as it is."""
    section = sections.find(content, TAG)
    if section is None:
        return content
    names = {normalise(name): name for name in _inside(content, section)}
    names |= {normalise(name): name for name in added}
    unwanted = {normalise(name) for name in [*removed, *names_by_hand(content)]}
    kept = [name for plain, name in names.items() if plain not in unwanted]
    quote = _quote(content, section)
    return sections.fill(
        content, section, [f"{quote}{name}{quote}," for name in sorted(kept, key=place_of)]
    )


def listed_names(content: bytes) -> list[str]:
    """All that the list holds, between the tags and around them."""
    section = sections.find(content, TAG)
    return [*(_inside(content, section) if section else []), *names_by_hand(content)]


def names_by_hand(content: bytes) -> list[str]:
    """Names in the list that people wrote before or after the tags."""
    section = sections.find(content, TAG)
    if section is None:
        return []
    start = max((found.end() for found in _ASSIGNED.finditer(content, 0, section.start)), default=0)
    if not start:
        return []
    around = content[start : section.start] + _until_closed(content[section.end :])
    return _names(around.splitlines())


def _until_closed(rest: bytes) -> bytes:
    """Up to the bracket that closes the list."""
    kept: list[bytes] = []
    for line in rest.splitlines(keepends=True):
        code = line.split(b"#", 1)[0]
        end = re.search(rb"[\])]", _STRING.sub(lambda found: b"x" * len(found[0]), code))
        if end:
            return b"".join([*kept, code[: end.start()]])
        kept.append(line)
    return b""


def _inside(content: bytes, section: sections.Section) -> list[str]:
    return _names(sections.lines_in(content, section))


def _names(lines: Iterable[bytes]) -> list[str]:
    """Quoted names; those in comments do not count. Bytes that are no UTF-8 stay what they are."""
    codes = (line.split(b"#", 1)[0] for line in lines)
    found = (one or other for code in codes for one, other in _STRING.findall(code))
    return [name.decode(errors="surrogateescape") for name in found]


def _quote(content: bytes, section: sections.Section) -> str:
    """The quotes most strings of the file have; of the file outside of the section, so that what
    the panel wrote before does not decide."""
    inside = content[section.start : section.end]
    for text in (sections.outside(content, section), inside):
        singles = sum(1 for found in _STRING.finditer(text) if found[1])
        doubles = sum(1 for found in _STRING.finditer(text) if found[2])
        if singles != doubles:
            return "'" if singles > doubles else '"'
    return "'"
