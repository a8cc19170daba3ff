"""Reading what a package answered: strictly, and no more of it than a page can show.

It came out of the sandbox as JSON, from somebody else's code: everything is checked here, and
nothing is taken as it stands anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn, TypeVar

import msgspec

from app.adapters.sandbox import Reason, SandboxFailed
from app.addons import api
from app.addons.contributions import Contribution

Read = TypeVar("Read")

FIELDS = 100
CHOICES = 1000
FILES = 200
ITEMS = 200
"""Of each other kind of contribution."""
SETTINGS = 200
LIST_LENGTH = 1000
NAME_LENGTH = 100
LABEL_LENGTH = 300
TEXT_LENGTH = 20_000
FILE_LENGTH = 200_000
LARGEST = 2**63 - 1
"""What a database keeps as a number."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROCESS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LABELS = frozenset({"name", "label", "package_name", "version", "licence", "author", "path"})
"""What is short wherever it stands."""


@dataclass(frozen=True)
class Description:
    """What a package says of itself. `info` is None for those of kind `aldryn`, which say it in
    `addon.json`; `warnings` are sentences for the author."""

    info: api.AddonInfo | None
    fields: tuple[api.Field, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Validated:
    """What a package made of settings. `errors` by field, `""` for the form as a whole; with
    errors there are no settings. `traceback` is for its authors.

    `contribution` is what it adds to the site `told`, the one with these settings; None where it
    was not asked for that, or could not say it.
    """

    settings: dict[str, api.Value]
    errors: dict[str, str]
    traceback: str = ""
    contribution: Contribution | None = None
    told: api.Site | None = None


def read_description(answer: object) -> Description:
    """The answer to `Topic.DESCRIBE`. Raises `SandboxFailed` (`NONSENSE`), as all of these do."""
    parts = _parts(answer)
    form = _read(parts.get("fields"), tuple[api.Field, ...], "fields")
    info = _read(parts.get("info"), api.AddonInfo | None, "info")
    warnings = _read(parts.get("warnings", []), tuple[str, ...], "warnings")
    if info is not None:
        _check_info(info)
    _count(form, FIELDS, "fields")
    for field in form:
        _check_field(field)
    if len({field.name for field in form}) < len(form):
        _refuse("two fields have the same name")
    return Description(info, form, tuple(text[:TEXT_LENGTH] for text in warnings[:ITEMS]))


def read_settings(answer: object) -> Validated:
    """The answer to `Topic.VALIDATE`. A `contribution` that cannot be used counts as none: whoever
    asks for it by itself is told why."""
    parts = _parts(answer, whole=True)
    added = parts.pop("contribution", None)
    _look_through(parts, "", 0)
    settings = _read(parts.get("settings"), dict[str, api.Value], "settings")
    errors = _read(parts.get("errors"), dict[str, str], "errors")
    traceback = _read(parts.get("traceback", ""), str, "traceback")
    _count(settings, SETTINGS, "settings")
    _count(errors, SETTINGS, "errors")
    for name in (*settings, *errors):
        if len(name) > NAME_LENGTH:
            _refuse("the name of a setting is too long")
    shown = {name: text or "This cannot be used." for name, text in errors.items()}
    if shown:
        return Validated({}, shown, traceback)
    return Validated(settings, {}, traceback, _contribution_or_none(added))


def _contribution_or_none(answer: object) -> Contribution | None:
    try:
        return None if answer is None else read_contribution(answer)
    except SandboxFailed:
        return None


def read_contribution(answer: object) -> Contribution:
    """The answer to `Topic.CONTRIBUTE`. That the package may do what it wants is not checked
    here: `app.addons.contributions` holds it to its rights."""
    parts = _parts(answer)
    if unknown := set(parts) - {field.name for field in fields(Contribution)}:
        _refuse(f"nobody asked for “{sorted(unknown)[0][:50]}”")
    found: Contribution = _read(parts, Contribution, "what it adds")
    for field in fields(Contribution):
        _count(getattr(found, field.name), FILES if field.name == "files" else ITEMS, field.name)
    _match(_VARIABLE, [row.name for row in found.variables], "a variable")
    _match(_PROCESS, [row.name for row in found.processes], "a process")
    _match(_VARIABLE, [row.prefix for row in found.services], "a service")
    _check_shown(row.label for row in found.release_commands)
    _check_shown(text for row in found.navigation for text in (row.label, row.path))
    _check_shown(row.path for row in found.files)
    for process in found.processes:
        if not 0 <= process.count <= ITEMS:
            _refuse(f"the process {process.name} runs {process.count} times")
    return found


def read_html(answer: object) -> str:
    """The answer to `Topic.RENDER`."""
    html: str = _read(_parts(answer, whole=True).get("html"), str, "html")
    return html


def read_inspection(answer: object) -> dict[str, Any]:
    """The answer to `Topic.INSPECT`, which no code of the package had a hand in."""
    return _parts(answer, whole=True)


def _parts(answer: object, whole: bool = False) -> dict[str, Any]:
    if not isinstance(answer, Mapping):
        _refuse("it is no object")
    if not whole:
        _look_through(answer, "", 0)
    return dict(answer)


def _look_through(value: object, key: str, depth: int) -> None:
    """Lengths of all texts and lists, whatever they are for; no fractions, which no setting has."""
    if depth > 6:
        _refuse("it is nested too deeply")
    if isinstance(value, str):
        limit = LABEL_LENGTH if key in _LABELS else FILE_LENGTH if key == "text" else TEXT_LENGTH
        if len(value) > limit:
            _refuse(f"a text is longer than {limit} characters ({key})")
        if _CONTROL.search(value):
            _refuse(f"a text holds characters that cannot be shown ({key})")
    elif isinstance(value, Mapping):
        _count(value, CHOICES, key)
        for name, item in value.items():
            _look_through(name, key, depth + 1)
            _look_through(item, str(name)[:NAME_LENGTH], depth + 1)
    elif isinstance(value, Sequence):
        _count(value, LIST_LENGTH, key)
        for item in value:
            _look_through(item, key, depth + 1)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) > LARGEST):
        _refuse(f"{value} is no number for a setting ({key})")


def _check_info(info: api.AddonInfo) -> None:
    """What people are shown before they agree must be names, and no sentences of the author's."""
    rights = info.rights
    _match(_VARIABLE, (*rights.writes_variables, *rights.reads_variables), "a variable")
    _match(_PROCESS, rights.processes, "a process")
    _match(_PACKAGE, info.needs, "a package")
    _check_shown((info.name, info.summary, info.licence, info.author))
    _check_shown((*info.categories, *rights.files))


def _match(pattern: re.Pattern[str], names: Iterable[str], what: str) -> None:
    for name in names:
        if not pattern.fullmatch(name) or len(name) > 2 * NAME_LENGTH:
            _refuse(f"“{name[:50]}” is no name for {what}")


def _check_shown(texts: Iterable[str]) -> None:
    """One line each: it stands in lists, logs and sentences."""
    for text in texts:
        if not text.isprintable() or len(text) > LABEL_LENGTH:
            _refuse(f"“{text[:50]}” is not one line of ordinary characters")


def _check_field(field: api.Field) -> None:
    if not _NAME.fullmatch(field.name) or len(field.name) > NAME_LENGTH:
        _refuse(f"“{field.name[:50]}” is no name for a field")
    _count(field.choices, CHOICES, f"choices of {field.name}")
    if field.variable and not _VARIABLE.fullmatch(field.variable):
        _refuse(f"“{field.variable[:50]}” is no name for a variable")
    if field.is_secret and not field.variable:
        _refuse(f"the secret {field.name} names no variable")


def _read(value: object, kind: Any, what: str) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        _refuse(f"{what}: {error}")


def _count(items: Any, limit: int, what: str) -> None:
    if len(items) > limit:
        _refuse(f"there are more than {limit} of {what}")


def _refuse(why: str) -> NoReturn:
    why = _CONTROL.sub("�", why)
    raise SandboxFailed(Reason.NONSENSE, f"The addon's answer cannot be used: {why}.", why)
