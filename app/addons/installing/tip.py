"""What Test's branch holds of addons now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from app.adapters.git import RepositoryStore
from app.addons.installing.plan import CurrentSettings, digest
from app.addons.project import dockerfile, requirements, settings_file, settings_json
from app.addons.project.package_files import folder_of, settings_path
from app.applications.models import Application
from app.environments.models import TEST, Environment
from app.environments.queries import find_environment, is_in_use
from app.errors import Invalid
from app.extensions import db
from app.repositories.models import Repository
from app.repositories.queries import load_repository

IN_TRASH = _l("Test is in the trash. Restore it first: addons are changed there.")
_SHARED = (settings_file.PATH, requirements.PATH, dockerfile.PATH)


@dataclass(frozen=True)
class Tip:
    """The tip of Test's branch. `commit` is None where there is none yet; `contents` holds the
    files that were asked for, None where there is no such file."""

    environment: Environment
    key: str
    branch: str
    commit: str | None
    paths: frozenset[str]
    contents: Mapping[str, bytes | None]

    @property
    def top(self) -> frozenset[str]:
        """Names at the top of the repository."""
        return frozenset(path.partition("/")[0] for path in self.paths)

    def settings(self, package_name: str) -> CurrentSettings:
        """Of one addon whose files were asked for."""
        path = settings_path(package_name)
        return _read_settings(path, self.contents.get(path))

    def settings_or(self, package_name: str, fallback: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of one of the other addons: what cannot be read there keeps nobody from working here."""
        found = self.settings(package_name)
        is_there = self.contents.get(settings_path(package_name)) is not None
        return found.values if is_there and not found.problem else fallback


def read_tip(
    application: Application, package_name: str, store: RepositoryStore, others: Iterable[str] = ()
) -> Tip:
    """Read what a change of `package_name` needs, and the settings of `others`.

    Raises `Invalid` when Test is in the trash.
    """
    environment = find_environment(application.id, TEST)
    if environment is None:
        raise Invalid(str(IN_TRASH))
    key = load_repository(application.id).uuid
    commit = store.resolve(key, environment.branch)
    paths = frozenset(store.list_files(key, commit) if commit else ())
    own = {path for path in paths if path.startswith(folder_of(package_name))}
    # Asked for even where no file is listed: it may be a link.
    names = {*_SHARED, *own, settings_path(package_name), *map(settings_path, others)}
    contents = store.read_files(key, commit, names) if commit else {}
    return Tip(environment, key, environment.branch, commit, paths, contents)


def current_settings(
    application: Application, package_name: str, store: RepositoryStore
) -> CurrentSettings:
    """`addons/<package_name>/settings.json` at the tip; empty when there is none."""
    # Two words of two rows: this is asked whenever a form is shown.
    found = db.session.execute(
        select(Environment.branch, Repository.uuid)
        .join(Repository, Repository.application_id == Environment.application_id)
        .where(Environment.application_id == application.id, Environment.slug == TEST, is_in_use())
    ).one_or_none()
    if found is None:
        raise Invalid(str(IN_TRASH))
    branch, key = found
    commit = store.resolve(key, branch)
    path = settings_path(package_name)
    return _read_settings(path, store.read_file(key, commit, path) if commit else None)


def _read_settings(path: str, content: bytes | None) -> CurrentSettings:
    try:
        values = settings_json.read(content)
    except Invalid as error:
        problem = _(
            "The settings of this addon cannot be read: somebody changed %(path)s by hand, and "
            "%(what)s. Have it put right there, or begin anew with this form.",
            path=path,
            what=error.sentence,
        )
        return CurrentSettings({}, problem, hashlib.sha256(content or b"").hexdigest()[:32])
    return CurrentSettings(values, "", digest(values))
