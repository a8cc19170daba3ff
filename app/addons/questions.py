"""Asking addons: those that came with Moonbase in this process, all others through the asker.

Only outside of units of work: an answer may take seconds, and nobody could write meanwhile. What
was loaded before is read again afterwards. What goes wrong is kept for the authors of the version.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from app.adapters.sandbox import Question, Reason, SandboxFailed, Topic
from app.adapters.sandbox.asking import ask
from app.addons import answers, api
from app.addons.answers import Description as Description
from app.addons.answers import Validated as Validated
from app.addons.builtin import Plugin, find_plugin
from app.addons.contributions import Contribution
from app.addons.models import AddonFailure, AddonVersion, PackageKind
from app.addons.settings_check import check_settings
from app.errors import PanelError
from app.extensions import db
from app.installation import installation
from app.transactions import end_reading, unit_of_work

logger = logging.getLogger(__name__)

FAILURES_KEPT = 50
"""Of each version."""
CONTRIBUTIONS: Mapping[str, str] = {
    "variables": "contribute_variables",
    "requirements": "contribute_requirements",
    "fragments": "contribute_dockerfile",
    "release_commands": "contribute_release_commands",
    "services": "contribute_services",
    "processes": "contribute_processes",
    "navigation": "contribute_navigation",
    "files": "contribute_files",
}
"""Fields of `Contribution`, and the hooks that answer them."""


def inspect(archive: Path) -> dict[str, Any]:
    """What is in an uploaded archive, found out in the sandbox without running any of it.

    All of these raise `SandboxFailed` when the package cannot answer, and `Unavailable` when
    nobody can ask it.
    """
    return answers.read_inspection(_ask(Question(Topic.INSPECT, archive=archive)))


def render(text: str, file: str) -> str:
    """HTML of a README, not cleaned."""
    payload = {"text": text, "file": file}
    return answers.read_html(_ask(Question(Topic.RENDER, payload=payload)))


def describe(kind: PackageKind, source: str) -> Description:
    """The form of a package, and what a `plugin.py` says of itself."""
    return answers.read_description(_ask(Question(Topic.DESCRIBE, kind.value, source)))


def validate(
    version: AddonVersion, settings: api.Settings, site: api.Site | None = None
) -> Validated:
    """The settings as they are to be kept, or sentences by field (`""`: the form as a whole).

    With `site`, as it is without them, an uploaded plugin is asked in the same question what it
    adds to the site that has them. What is secret in its settings must be True or False.

    Each field's own limits are checked first, by what is stored of the form; with errors there
    the addon is not asked. A secret is True or False: whether it will be set. An addon that fails
    is an error of the form, not of the page.
    """
    fields = version.fields
    given = without_secrets(fields, settings)
    if site is not None:
        without_secrets(fields, site.settings)
    if errors := check_settings(version.kind, fields, given):
        return Validated({}, errors)
    version_id = version.id
    try:
        if plugin := _built_in(version):
            checked = _clean_here(plugin, given)
        else:
            checked = _clean_there(version, given, site)
    except SandboxFailed as failed:
        _keep(version_id, Topic.VALIDATE, failed)
        return Validated({}, {"": failed.sentence})
    if checked.traceback:
        sentence = next(iter(checked.errors.values()), "")
        _keep(version_id, Topic.VALIDATE, _raised(sentence, checked.traceback))
    if checked.errors:
        return Validated({}, checked.errors)
    secret = {row.name for row in fields if row.is_secret}
    plain = {name: value for name, value in checked.settings.items() if name not in secret}
    told = replace(site, settings={**site.settings, **plain}) if site else None
    kept = checked.settings | {name: given[name] for name in secret & given.keys()}
    return Validated(kept, {}, contribution=checked.contribution, told=told)


def contribute(version: AddonVersion, site: api.Site) -> Contribution:
    """What the version adds to the site. What its settings name as secret must be True or False."""
    fields = version.fields
    without_secrets(fields, site.settings)
    version_id = version.id
    try:
        if plugin := _built_in(version):
            found = _contribute_here(plugin, site)
        elif version.kind == PackageKind.ALDRYN:
            return Contribution()  # such packages act when the site starts
        else:
            words = msgspec.to_builtins(site)
            found = _ask_version(version, Topic.CONTRIBUTE, site=words)
        return answers.read_contribution(found)
    except SandboxFailed as failed:
        _keep(version_id, Topic.CONTRIBUTE, failed)
        raise


def without_secrets(fields: tuple[api.Field, ...], settings: api.Settings) -> dict[str, api.Value]:
    """The settings, once it is certain that no secret is among them.

    Raises RuntimeError otherwise, without naming the value: that is a mistake of ours.
    """
    for field in fields:
        if field.is_secret and not isinstance(settings.get(field.name), bool | None):
            raise RuntimeError(f"the secret {field.name} was about to leave the panel")
    return dict(settings)


def _clean_there(
    version: AddonVersion, settings: dict[str, api.Value], site: api.Site | None
) -> Validated:
    if site is not None and version.kind == PackageKind.PLUGIN:
        secret = [row.name for row in version.fields if row.is_secret]
        more = {"site": msgspec.to_builtins(site), "secrets": secret}
        try:
            found = _ask_version(version, Topic.VALIDATE, settings=settings, **more)
            return answers.read_settings(found)
        except SandboxFailed as failed:
            if failed.reason in (Reason.TIME, Reason.RAISED):
                raise
            # What it adds may be at fault, and the settings be fine.
    return answers.read_settings(_ask_version(version, Topic.VALIDATE, settings=settings))


def _ask(question: Question) -> Any:
    end_reading()
    return ask(installation().adapters.job_queue, question)


def _ask_version(version: AddonVersion, topic: Topic, **payload: Any) -> Any:
    source = str(version.texts.get("configuration") or "")
    return _ask(Question(topic, version.kind.value, source, payload))


def _built_in(version: AddonVersion) -> Plugin | None:
    """The code of this process that answers for the version."""
    if not version.addon.is_built_in:
        return None
    plugin = find_plugin(version.addon.package_name)
    if plugin is None:
        raise SandboxFailed(Reason.CRASH, "This addon does not come with Moonbase any more.")
    return plugin


def _clean_here(plugin: Plugin, settings: dict[str, api.Value]) -> Validated:
    try:
        cleaned = _call(lambda: plugin.ask("clean_settings", settings=settings))
    except api.SettingsError as error:
        return Validated({}, error.sentences)
    kept = settings if cleaned is None else dict(cleaned)
    return answers.read_settings({"settings": kept, "errors": {}})


def _contribute_here(plugin: Plugin, site: api.Site) -> dict[str, Any]:
    found = {
        name: _call(partial(plugin.ask, hook, site=site)) for name, hook in CONTRIBUTIONS.items()
    }
    return {name: msgspec.to_builtins(rows) for name, rows in found.items() if rows is not None}


def _call(act: Callable[[], Any]) -> Any:
    """One hook of an addon of ours. A mistake in it must be no worse than one in any other."""
    try:
        return act()
    except api.SettingsError:
        raise
    except Exception as error:
        raise _raised("The addon failed.", traceback.format_exc()) from error


def _raised(sentence: str, detail: str) -> SandboxFailed:
    return SandboxFailed(Reason.RAISED, sentence, detail)


def _keep(version_id: int, topic: Topic, failed: SandboxFailed) -> None:
    """For the version's authors, the newest few. That it cannot be kept must not hide it."""
    of_it = AddonFailure.version_id == version_id
    newest = select(AddonFailure.id).where(of_it).order_by(AddonFailure.id.desc())
    row = AddonFailure(
        version_id=version_id, question=topic, sentence=failed.sentence, detail=failed.detail
    )
    try:
        with unit_of_work():
            db.session.add(row)
            db.session.flush()
            kept = newest.limit(FAILURES_KEPT)
            db.session.execute(delete(AddonFailure).where(of_it, AddonFailure.id.not_in(kept)))
    except (SQLAlchemyError, PanelError):
        logger.warning("a failure of version %s is not kept: %s", version_id, failed.sentence)
