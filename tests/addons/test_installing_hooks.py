"""Packages with hooks in a site: what they answer goes into its files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from app.addons.api import Rights, Slot
from app.addons.builtin import publish_plugins
from app.addons.installing import plan_install, plan_remove, plan_save
from app.addons.models import Addon, AddonVersion, Audience, PackageKind
from app.addons.queries import find_addon
from app.addons.rights import write_rights
from app.errors import Invalid
from app.extensions import db
from app.repositories.queries import load_repository
from app.transactions import unit_of_work
from tests.addons.samples import make_addon
from tests.addons.sites import SITE_FILES, do, file, installed, push, text, tip_of
from tests.panel import ALICE, Panel, application, organisation, user_of

PLUGIN = """\
from app.addons.api import Field, File, Fragment, Requirement, Slot, Variable, hookimpl


@hookimpl
def contribute_requirements(site):
    return (Requirement("susan-lib==" + str(site.settings.get("workers", 1))),)


@hookimpl
def contribute_dockerfile(site):
    return (Fragment(Slot.SYSTEM, site.settings.get("line", "RUN true")),)


@hookimpl
def contribute_variables(site):
    return (Variable("WORKERS", str(site.settings.get("workers", 1))),)


@hookimpl
def contribute_files(site):
    files = [File("docs/once.txt", "once")]
    files.append(File("addons/susan-worker/run", "#!/bin/sh", True, True))
    if site.settings.get("workers") == 3:
        files.pop()
    return tuple(files)
"""
RIGHTS = Rights(
    writes_variables=("WORKERS",),
    slots=(Slot.SYSTEM,),
    files=("docs/",),
    has_requirements=True,
)
RUN = "addons/susan-worker/run"


@pytest.fixture
def site(panel: Panel) -> Iterator[Panel]:
    push(panel, SITE_FILES)
    with panel.work():
        publish_plugins()
        worker_version(make_addon(organisation(), user_of(ALICE), "susan-worker", Audience.PRIVATE))
    with panel.reading():
        yield panel


def worker_version(addon: Addon, number: str = "1.0") -> None:
    addon.versions.append(
        AddonVersion(
            version=number,
            kind=PackageKind.PLUGIN,
            rights=write_rights(RIGHTS),
            facts={"has_package": False},
            texts={"configuration": PLUGIN, "addon_json": '{"package-name": "susan-worker"}'},
        )
    )
    db.session.flush()


def newest(name: str) -> AddonVersion:
    addon = find_addon(name)
    assert addon is not None
    return addon.versions[-1]


def install(panel: Panel, name: str = "susan-worker", **settings: object) -> None:
    do(panel, lambda: plan_install(application(), newest(name), settings, panel.store))


def mode_of(panel: Panel, path: str) -> str:
    key = load_repository(application().id).uuid
    folder = panel.settings.data_dir / "repositories" / key[:2] / f"{key}.git"
    words = ["git", "-C", str(folder), "ls-tree", str(tip_of(panel)), path]
    return subprocess.run(words, capture_output=True, check=True, text=True).stdout.split()[0]


class TestUploadedPlugin:
    def test_all_it_answers_is_written_and_told(self, site: Panel) -> None:
        plan = plan_install(application(), newest("susan-worker"), {"workers": 2}, site.store)
        assert "The environment variable WORKERS becomes “2”." in plan.sentences
        do(site, lambda: plan)
        assert "susan-lib==2  # for susan-worker\n" in text(site, "requirements.in")
        assert "# Added by susan-worker:\nRUN true\n" in text(site, "Dockerfile")
        assert file(site, "docs/once.txt") == b"once"
        assert mode_of(site, RUN) == "100755"
        assert "susan-worker" not in text(site, "settings.py")
        assert file(site, "addons/susan-worker/aldryn_config.py") is None

    def test_a_save_asks_again_and_tidies(self, site: Panel) -> None:
        install(site, workers=2)
        push(site, {"docs/once.txt": b"mine"})
        plan = plan_save(installed("susan-worker"), {"workers": 3}, {}, site.store)
        assert "The environment variable WORKERS becomes “3”." in plan.sentences
        do(site, lambda: plan)
        content = text(site, "requirements.in")
        assert ("susan-lib==3" in content, "susan-lib==2" in content) == (True, False)
        assert (file(site, RUN), file(site, "docs/once.txt")) == (None, b"mine")

    def test_a_removal_takes_its_parts_out(self, site: Panel) -> None:
        install(site, workers=2)
        do(site, lambda: plan_remove(installed("susan-worker"), site.store))
        assert "susan-worker" not in text(site, "Dockerfile") + text(site, "requirements.in")
        assert (file(site, RUN), file(site, "docs/once.txt")) == (None, b"once")

    def test_two_that_cannot_live_together_are_told_before(self, site: Panel) -> None:
        install(site, "django")
        with unit_of_work():
            row = newest("susan-worker")
            source = PLUGIN.replace("susan-lib==", "gunicorn==")
            row.texts = {**row.texts, "configuration": source}
        with pytest.raises(Invalid, match="django and susan-worker cannot both"):
            install(site)

    @pytest.mark.parametrize("line", ["# </DOCKER_FROM>", "FROM evil", "RUN x \\"])
    def test_a_fragment_that_reaches_out_is_refused(self, site: Panel, line: str) -> None:
        with pytest.raises(Invalid, match="“susan-worker”, line 1"):
            install(site, line=line)
        assert file(site, "addons/susan-worker/addon.json") is None

    def test_what_nobody_agreed_to_is_refused(self, site: Panel) -> None:
        with unit_of_work():
            newest("susan-worker").rights = {}
        with pytest.raises(Invalid, match="nobody agreed"):
            install(site)

    def test_a_link_in_the_way_of_a_file_stays(self, site: Panel) -> None:
        key = load_repository(application().id).uuid
        folder = site.settings.data_dir / "repositories" / key[:2] / f"{key}.git"
        _link(str(folder), "docs")
        install(site)
        assert file(site, "docs") == b"elsewhere"
        assert mode_of(site, "docs") == "120000"


class TestBuiltIn:
    def test_an_empty_site_becomes_a_django_site_in_one_commit(self, site: Panel) -> None:
        push(site, dict.fromkeys(SITE_FILES) | {"README": b"x"})
        install(site, "django")
        assert "# Added by django:\nFROM moonbase/python:3.11\n" in text(site, "Dockerfile")
        assert "RUN pip install" in text(site, "Dockerfile")
        assert "# for django\n" in text(site, "requirements.in")
        assert mode_of(site, "manage.py") == "100755"

    def test_the_answers_of_others_stay_when_one_is_saved(self, site: Panel) -> None:
        install(site, "susan-worker", workers=2)
        install(site, "django")
        do(
            site,
            lambda: plan_save(installed("django"), {"site_title": "Moon"}, {}, site.store),
        )
        assert "susan-lib==2" in text(site, "requirements.in")
        assert "# Added by susan-worker:\nRUN true\n" in text(site, "Dockerfile")
        site.queue.is_down = True  # an uploaded one is not even asked
        do(
            site,
            lambda: plan_save(installed("django"), {"site_title": "Mars"}, {}, site.store),
        )
        assert "RUN true" in text(site, "Dockerfile")


def _link(folder: str, name: str) -> None:
    """Push a symbolic link, which the panel itself never writes."""
    git = ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@example.com"]

    def run(*words: str, given: str = "") -> str:
        done = subprocess.run(
            [*git, *words], input=given, capture_output=True, check=True, text=True
        )
        return done.stdout.strip()

    blob = run("hash-object", "-w", "--stdin", given="elsewhere")
    listed = run("ls-tree", "main") + f"\n120000 blob {blob}\t{name}\n"
    tree = run("mktree", given=listed)
    run("update-ref", "refs/heads/main", run("commit-tree", tree, "-p", "main", "-m", "Link"))
