"""Addons in the list of what waits: told in words, from what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from app.addons.installing import carry_out, plan_install, plan_remove, plan_save
from app.addons.queries import find_addon, find_installed
from app.environments.operations import EnvironmentSettings, update_environment
from app.variables.operations import set_variable
from tests.deployments import site
from tests.deployments.test_waiting import words
from tests.panel import ALICE, Panel, application, environment, user_of

PLAIN = {"user": "moonlighter", "place": "not-live", "open_paths": "/health/"}


def install(panel: Panel, name: str, settings: Mapping[str, Any], **secrets: str) -> None:
    with panel.app.test_request_context():
        addon = find_addon(name)
        assert addon
        version = addon.versions[-1]
        carry_out(
            lambda: plan_install(application(), version, settings, panel.store, secrets),
            "",
            user_of(ALICE),
            panel.store,
        )


def save(panel: Panel, name: str, settings: Mapping[str, Any], **secrets: str) -> None:
    with panel.app.test_request_context():
        row = find_installed(application().id, name)
        assert row
        carry_out(
            lambda: plan_save(row, settings, secrets, panel.store),
            "",
            user_of(ALICE),
            panel.store,
        )


@pytest.fixture
def deployed(panel: Panel) -> Panel:
    """Test runs a release with two addons."""
    site.commit(panel)
    install(panel, "django", {})
    install(panel, "basic-auth", PLAIN, password="squeamish-4711")
    assert site.deploy(panel).status == "succeeded"
    assert words(panel) == []
    return panel


def test_an_installation_waits_with_all_it_brings(panel: Panel) -> None:
    site.commit(panel)
    install(panel, "django", {})
    site.deploy(panel)
    install(panel, "basic-auth", PLAIN, password="squeamish-4711")
    assert words(panel) == [
        ("addon", "Password for the site", None, "version 1.0"),
        ("variable", "BASIC_AUTH_PASSWORD", None, ""),
        ("variable", "BASIC_AUTH_PLACE", None, "here"),
        ("variable", "BASIC_AUTH_USER", None, "moonlighter"),
    ]
    site.deploy(panel)
    assert words(panel) == []


def test_settings_wait_by_their_labels_and_secrets_by_name(deployed: Panel) -> None:
    save(deployed, "basic-auth", {**PLAIN, "user": "sun", "place": "all"}, password="another-0815")
    assert words(deployed) == [
        ("addon-setting", "Name (Password for the site)", "moonlighter", "sun"),
        (
            "addon-setting",
            "Where (Password for the site)",
            "Everywhere but on Live",
            "In all environments",
        ),
        ("variable", "BASIC_AUTH_PASSWORD", "", ""),
        ("variable", "BASIC_AUTH_USER", "moonlighter", "sun"),
    ]
    page = deployed.client_of(ALICE).get("/applications/demo/environments/test/waiting/").text
    assert "by the addon basic-auth" in page
    assert "another-0815" not in page and "squeamish" not in page
    site.deploy(deployed)
    assert words(deployed) == []


def test_a_removal_waits(deployed: Panel) -> None:
    with deployed.app.test_request_context():
        row = find_installed(application().id, "basic-auth")
        assert row
        carry_out(lambda: plan_remove(row, deployed.store), "", user_of(ALICE), deployed.store)
    kinds = [change[:2] for change in words(deployed)]
    assert ("addon", "Password for the site") in kinds
    assert ("variable", "BASIC_AUTH_USER") in kinds
    site.deploy(deployed)
    assert words(deployed) == []


def test_commands_of_addons_wait_too(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel)
    install(panel, "django", {})
    changes = words(panel)
    assert (
        "command",
        "Bring the database up to date",
        None,
        "python manage.py migrate --noinput",
    ) in changes


def test_one_s_own_variable_in_place_of_an_addon_s(deployed: Panel) -> None:
    with deployed.work():
        set_variable(environment(), "BASIC_AUTH_USER", "own", False, user_of(ALICE))
    assert words(deployed) == [("variable", "BASIC_AUTH_USER", "moonlighter", "own")]


def test_another_branch_says_nothing_before_it_is_asked(deployed: Panel) -> None:
    site.deploy(deployed, "live")
    with deployed.work():
        update_environment(
            environment("live"), EnvironmentSettings("release", 1, False), 4, user_of(ALICE)
        )
    save(deployed, "basic-auth", {**PLAIN, "user": "sun"})
    assert [change[0] for change in words(deployed, "live")] == ["branch"]
    assert words(deployed) != []


def test_what_was_written_by_hand_does_not_wait_for_ever(deployed: Panel) -> None:
    with deployed.work():
        from app.adapters.git import Author
        from app.repositories.operations import refresh_branch
        from app.repositories.queries import load_repository

        key = load_repository(application().id).uuid
        tip = deployed.store.resolve(key, "main")
        text = b'{"user": "by hand", "place": "all", "open_paths": ""}'
        files = {"addons/basic-auth/settings.json": text}
        deployed.store.commit(key, "main", files, "x", Author("A", "a@b.ch"), expected=tip)
        refresh_branch(environment(), deployed.store)
    site.deploy(deployed)
    assert words(deployed) == []


def test_the_pages_of_settings_and_variables_name_the_addon(deployed: Panel) -> None:
    client = deployed.client_of(ALICE)
    page = client.get("/applications/demo/settings/").text
    assert "python manage.py migrate --noinput" in page and "by the addon Django" in page
    page = client.get("/applications/demo/environments/test/variables/").text
    assert "BASIC_AUTH_USER" in page and "by the addon Password for the site" in page
    assert "BASIC_AUTH_PLACE" not in page  # only a deployment learns it
    with deployed.work():
        set_variable(environment(), "BASIC_AUTH_USER", "own", False, user_of(ALICE))
    page = client.get("/applications/demo/environments/test/variables/").text
    assert "replaced by yours" in page


def test_a_deployment_tells_what_its_addons_changed(deployed: Panel) -> None:
    save(deployed, "basic-auth", {**PLAIN, "user": "sun"})
    row = site.deploy(deployed)
    page = deployed.client_of(ALICE).get(f"/applications/demo/deployments/{row.uuid}/").text
    assert "Name (Password for the site)" in page
