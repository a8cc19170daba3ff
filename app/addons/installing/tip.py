"""What Test's branch holds of addons now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.adapters.git import RepositoryStore
from app.addons.installing.plan import CurrentSettings, digest
from app.addons.project import dockerfile, requirements, settings_file, settings_json
from app.addons.project.package_files import folder_of, settings_path
from app.applications.models import Application
from app.environments.models import TEST
from app.errors import Invalid
from app.repositories.queries import Followed, list_followed

IN_TRASH = _l("Test is in the trash. Restore it first: addons are changed there.")
_SHARED = (settings_file.PATH, requirements.PATH, dockerfile.PATH)


@dataclass(frozen=True)
class Tip:
    """The tip of Test's branch; no rows, which would be read again once an addon was asked.

    `commit` is None where there is none yet. `paths` are the files of the addon and those at the
    top, beside the names of the folders there, which end in a slash. `contents` holds the files
    that were asked for, None where there is no such file.
    """

    application_name: str
    slug: str
    """The application's."""
    environment_id: int
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
    test = _test_of(application)
    key = test.repository
    commit = store.resolve(key, test.branch)
    # Not all paths: a site has thousands.
    top = store.list_folder(key, commit) if commit else ()
    own = store.list_files(key, commit, folder_of(package_name)) if commit else ()
    # Asked for even where no file is listed: it may be a link.
    names = {*_SHARED, *own, settings_path(package_name), *map(settings_path, others)}
    contents = store.read_files(key, commit, names) if commit else {}
    return Tip(
        application_name=application.name,
        slug=application.slug,
        environment_id=test.environment_id,
        key=key,
        branch=test.branch,
        commit=commit,
        paths=frozenset({*top, *own}),
        contents=contents,
    )


def current_settings(
    application: Application, package_name: str, store: RepositoryStore
) -> CurrentSettings:
    """`addons/<package_name>/settings.json` at the tip; empty when there is none."""
    test = _test_of(application)
    commit = store.resolve(test.repository, test.branch)
    path = settings_path(package_name)
    content = store.read_file(test.repository, commit, path) if commit else None
    return _read_settings(path, content)


def _test_of(application: Application) -> Followed:
    found = {row.slug: row for row in list_followed(application.id)}
    if TEST not in found:
        raise Invalid(str(IN_TRASH))
    return found[TEST]


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
