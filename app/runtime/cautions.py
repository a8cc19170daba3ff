"""What a person should know before a variable is saved, and what its value looks like."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from app.variables.limits import MASKED_FROM

LISTS = frozenset({"DOMAIN_ALIASES", "DOMAIN_REDIRECTS"})
"""Automatic lists that one of a person's own replaces as a whole (L4458–4461)."""
OF_THE_SYSTEM = frozenset({"PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONHOME", "NODE_OPTIONS"})
"""Names by which programs of the image are found and started."""
SHOWN = 500
"""Characters of a value that a table shows."""
_MARKS = re.compile(r"(\n|\t|^ +| +$)", re.MULTILINE)
_BLANKS = " \t\n\r"


@dataclass(frozen=True)
class Caution:
    """`code` names it in the form by which the person says to have read it."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Piece:
    """A part of a value: `text`, or `space`, `tab` or `break` that is to be seen."""

    kind: str
    text: str


def replaces_list(name: str, automatic: Mapping[str, str]) -> Caution | None:
    """The caution for an own variable in place of a list that the platform keeps up to date."""
    if name not in LISTS or name not in automatic:
        return None
    sentence = _(
        "%(name)s replaces the whole list that Moonbase keeps from this environment's domains. "
        "Domains added or removed later do not change it any more.",
        name=name,
    )
    return Caution("list", sentence)


def replaces_service(name: str, service: str) -> Caution:
    """The caution for an own variable in place of one that a service brings."""
    sentence = _(
        "%(name)s replaces what %(service)s tells the site. The service stays attached; the site "
        "uses your value instead.",
        name=name,
        service=service,
    )
    return Caution("service", sentence)


def cautions_of(
    name: str, value: str, is_secret: bool, automatic: Mapping[str, str], alike: Sequence[str]
) -> list[Caution]:
    """All that speaks for a second thought; `alike` are present names in other capitals."""
    found = []
    replaced = replaces_list(name, automatic)
    if replaced:
        found.append(replaced)
    if name == "SECRET_KEY":
        sentence = _(
            "Another SECRET_KEY signs everybody out of the site and makes links it has sent void."
        )
        found.append(Caution("key", sentence))
    if name in OF_THE_SYSTEM:
        sentence = _(
            "%(name)s replaces the image's own: programs in it may not be found or not start.",
            name=name,
        )
        found.append(Caution("system", sentence))
    if is_secret and 0 < len(value) < MASKED_FROM:
        sentence = _(
            "A secret shorter than %(count)s characters cannot be masked in logs: hiding it "
            "would blot out ordinary words. Choose a longer one if you can.",
            count=MASKED_FROM,
        )
        found.append(Caution("short", sentence))
    if alike:
        sentence = _(
            "There is %(other)s already. Capitals count: these are two different variables.",
            other=", ".join(alike),
        )
        found.append(Caution("alike", sentence))
    return found


def remarks_on(value: str) -> list[str]:
    """What is easily overlooked in a value: blanks at its ends (L5159), lines, invisible
    characters."""
    body = value.strip(_BLANKS)
    if value and not body:
        return [_("nothing but white space, which is kept")]
    first, last = value[: value.find(body)], value[value.find(body) + len(body) :]
    found = []
    if first:
        found.append(
            ngettext(
                "%(num)s space at the beginning is kept",
                "%(num)s spaces at the beginning are kept",
                len(first),
            )
            if not first.strip(" ")
            else _("a line break or tab at the beginning is kept")
        )
    if last:
        found.append(
            ngettext(
                "%(num)s space at the end is kept", "%(num)s spaces at the end are kept", len(last)
            )
            if not last.strip(" ")
            else _("a line break or tab at the end is kept")
        )
    if "\n" in body:
        found.append(_("%(count)s lines", count=body.count("\n") + 1))
    return found + _invisible(body)


def _invisible(text: str) -> list[str]:
    """A remark when `text` holds what looks like nothing, or like an ordinary space."""
    for character in text:
        is_odd = character.isspace() or unicodedata.category(character) in {"Cc", "Cf"}
        if is_odd and character not in _BLANKS:
            return [_("holds an invisible character (U+%(code)s)", code=f"{ord(character):04X}")]
    return []


def pieces_of(value: str, most: int | None = SHOWN) -> list[Piece]:
    """A value in parts, so that blanks at the ends of lines and line breaks can be seen."""
    kinds = {"\n": "break", "\t": "tab"}
    parts = _MARKS.split(value[:most])
    return [
        Piece(kinds.get(part, "space") if number % 2 else "text", part)
        for number, part in enumerate(parts)
        if part
    ]
