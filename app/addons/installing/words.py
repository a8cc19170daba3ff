"""Plans in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from app.addons import api
from app.addons.contributions import Contribution
from app.addons.forms import shown_value
from app.addons.project.settings_json import is_same
from app.addons.rights import SERVICE_WORDS

SHOWN = 160
"""Characters of a value in a sentence."""


@dataclass(frozen=True)
class Settings:
    """Settings before and after, with the fields of the form that knows them."""

    fields: Sequence[api.Field]
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def changed(self) -> list[api.Field]:
        """Fields whose value differs; keys that no field knows go by their own name."""
        known = [field for field in self.fields if not field.is_secret]
        names = {field.name for field in self.fields}
        unknown = sorted({*self.before, *self.after} - names)
        return [
            field
            for field in [*known, *(api.Field(name, name) for name in unknown)]
            if not is_same(self.before.get(field.name), self.after.get(field.name))
            or (field.name in self.before) != (field.name in self.after)
        ]


def about_settings(settings: Settings) -> list[str]:
    """One sentence for each value that people see change."""
    sentences = []
    for field in settings.changed():
        old = in_words(field, settings.before.get(field.name))
        new = in_words(field, settings.after.get(field.name))
        label = field.label or field.name
        if old == new:
            continue
        if field.type == api.FieldType.CHECKBOX:
            is_on = bool(shown_value(field, settings.after.get(field.name)))
            on = _("“%(label)s” is switched on.", label=label)
            sentences.append(on if is_on else _("“%(label)s” is switched off.", label=label))
        elif not old:
            sentences.append(_("“%(label)s” becomes “%(new)s”.", label=label, new=new))
        elif not new:
            sentences.append(
                _("“%(label)s” becomes empty; it was “%(old)s”.", label=label, old=old)
            )
        else:
            sentences.append(
                _("“%(label)s” changes from “%(old)s” to “%(new)s”.", label=label, old=old, new=new)
            )
    return sentences


def about_secrets(fields: Iterable[api.Field], secrets: Mapping[str, str | None]) -> list[str]:
    """Never what they are."""
    sentences = []
    for field in fields:
        if field.name not in secrets:
            continue
        label = field.label or field.name
        if secrets[field.name] is None:
            sentences.append(_("The secret “%(label)s” is removed.", label=label))
        else:
            sentences.append(_("The secret “%(label)s” gets a new value.", label=label))
    return sentences


def about_contribution(old: Contribution, new: Contribution) -> list[str]:
    """What else becomes different on the site."""
    return [
        *_about_variables(old, new),
        *_about_processes(old, new),
        *_about_services(old, new),
        *_about_commands(old, new),
    ]


def in_words(field: api.Field, value: Any) -> str:
    """A value as people read it; empty for none."""
    if field.type == api.FieldType.CHECKBOX:
        return str(_("yes") if shown_value(field, value) else _("no"))
    if value is None:
        return ""
    # As text: of a number, real sites also hold texts that are none.
    text = str(shown_value(api.Field(field.name, ""), value)) if _is_plain(value) else str(value)
    text = dict(field.choices).get(text, text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(one, str) for one in value)
    return isinstance(value, str | int | bool)


def _about_variables(old: Contribution, new: Contribution) -> list[str]:
    before = {row.name: row.value for row in old.variables}
    after = {row.name: row.value for row in new.variables}
    sentences = []
    for name in sorted({*before, *after}):
        was, is_now = before.get(name), after.get(name)
        if was == is_now:
            continue
        if is_now is None:
            sentences.append(_("The environment variable %(name)s is not set any more.", name=name))
        else:
            shown = is_now if len(is_now) <= SHOWN else f"{is_now[:SHOWN]}…"
            sentences.append(
                _("The environment variable %(name)s becomes “%(new)s”.", name=name, new=shown)
            )
    return sentences


def _about_processes(old: Contribution, new: Contribution) -> list[str]:
    before, after = ({row.name for row in one.processes} for one in (old, new))
    more = [_("A process “%(name)s” runs beside the site.", name=name) for name in after - before]
    less = [_("The process “%(name)s” stops.", name=name) for name in before - after]
    return sorted(more) + sorted(less)


def _about_services(old: Contribution, new: Contribution) -> list[str]:
    before, after = ({row.kind for row in one.services} for one in (old, new))
    more = [_("The site needs %(what)s.", what=SERVICE_WORDS[kind]) for kind in after - before]
    less = [
        _("The site does not need %(what)s any more.", what=SERVICE_WORDS[kind])
        for kind in before - after
    ]
    return sorted(more) + sorted(less)


def _about_commands(old: Contribution, new: Contribution) -> list[str]:
    before = {(row.label, row.command) for row in old.release_commands}
    return [
        _("Each time before the site starts: %(label)s.", label=row.label)
        for row in new.release_commands
        if (row.label, row.command) not in before
    ]


# Notes: for whoever looks after the site's code -------------------------------------------------


def no_list(name: str) -> str:
    return str(
        _(
            "settings.py has no section <INSTALLED_ADDONS>, so it is left alone: add “%(name)s” to "
            "the list there yourself.",
            name=name,
        )
    )


def no_requirements(name: str) -> str:
    return str(
        _(
            "requirements.in has no section <INSTALLED_ADDONS>, so it is left alone: see to it "
            "yourself that the package of “%(name)s” is installed.",
            name=name,
        )
    )


def own_requirement(name: str) -> str:
    return str(
        _(
            "requirements.in has a line of your own for “%(name)s”, which stays: it decides which "
            "version is installed.",
            name=name,
        )
    )


def still_listed(name: str) -> str:
    return str(
        _(
            "settings.py lists “%(name)s” outside of the section as well: take it out there, or "
            "the site will not start.",
            name=name,
        )
    )


def no_file(path: str) -> str:
    return str(_("There is no %(path)s, so nothing is added to it.", path=path))


def no_sections() -> str:
    return str(_("Your Dockerfile has no sections for addons, so it is left alone."))


def no_section(tag: str) -> str:
    return str(
        _(
            "Your Dockerfile has no section <%(tag)s>, so what the addon adds there is left out.",
            tag=tag,
        )
    )


def secrets_stay(label: str) -> str:
    return str(
        _(
            "The secret “%(label)s” stays as it is now; its history is on the page of variables.",
            label=label,
        )
    )


def secrets_kept(label: str) -> str:
    return str(_("The secret “%(label)s” stays among the variables.", label=label))


def copies_stay() -> str:
    return str(_("Templates and files that were copied into the site stay: they are its own."))
