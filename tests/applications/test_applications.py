"""Applications: one slug for one site, and access for members only."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.applications.models import Starter
from app.applications.operations import add_collaborator, remove_collaborator
from app.applications.queries import find_application, rights_on
from app.domains.queries import find_domain, list_hosts
from app.environments.queries import list_environments
from app.errors import Invalid
from app.lifecycle.operations import NewApplication, create_application
from app.organisations.operations import add_member, remove_member
from app.organisations.queries import find_member
from app.permissions import EVERYTHING, LOOK, WORK, Access, Permission, Role
from app.repositories.queries import find_tracked_branch, load_repository
from tests.panel import (
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    RITA,
    Panel,
    application,
    environment,
    make_application,
    organisation,
    user_of,
)


def repositories(panel: Panel) -> list[Path]:
    return list((panel.settings.data_dir / "repositories").glob("*/*.git"))


def test_an_application_comes_with_all_that_belongs_to_it(panel: Panel) -> None:
    with panel.reading():
        demo = application()
        assert [row.slug for row in list_environments(demo.id)] == ["test", "live"]
        assert list_hosts(environment("live").id) == ["demo.localhost"]
        assert list_hosts(environment("test").id) == ["demo-stage.localhost"]
        key = load_repository(demo.id).uuid
        tip = panel.store.resolve(key, "main")
        assert tip and b"Demo" in (panel.store.read_file(key, tip, "public/index.html") or b"")
        tracked = find_tracked_branch(environment().id)
        assert tracked and (tracked.head, tracked.waiting) == (tip, 1)


def test_a_hostile_name_is_text_on_the_first_page(panel: Panel) -> None:
    with panel.work():
        wanted = NewApplication("<script>{0}", "scripted", Starter.STATIC)
        made = create_application(
            wanted, organisation(), user_of(ALICE), panel.store, panel.settings
        )
        key = load_repository(made.id).uuid
    tip = panel.store.resolve(key, "main")
    page = panel.store.read_file(key, tip or "", "public/index.html")
    assert page and b"<script>" not in page and b"&lt;script&gt;{0}" in page


def test_build_your_own_begins_empty(panel: Panel) -> None:
    with panel.work():
        own = make_application(panel, "own", organisation(), user_of(ALICE), Starter.BLANK)
        assert panel.store.branches(load_repository(own.id).uuid) == {}
        tracked = find_tracked_branch(environment(of="own").id)
        assert tracked and tracked.head is None and tracked.waiting == 0


@pytest.mark.parametrize("slug", ["demo", " demo "])
def test_a_taken_slug_is_refused_over_all_organisations(panel: Panel, slug: str) -> None:
    with pytest.raises(Invalid, match="taken") as refused, panel.work():
        make_application(panel, slug, organisation("charlie"), user_of(CHARLIE))
    assert refused.value.field == "slug"


@pytest.mark.parametrize("slug", ["www", "admin", "test", "panel", "a--b", "../up", "Demo"])
def test_a_reserved_or_malformed_slug_is_refused(panel: Panel, slug: str) -> None:
    with pytest.raises(Invalid), panel.work():
        make_application(panel, slug, organisation(), user_of(ALICE))


def test_nobody_takes_the_host_of_another_sites_test_environment(panel: Panel) -> None:
    """`demo-stage` would answer at demo-stage.…, which is demo's test environment."""
    before = repositories(panel)
    with pytest.raises(Invalid, match="belongs to another site") as refused, panel.work():
        make_application(panel, "demo-stage", organisation("charlie"), user_of(CHARLIE))
    assert refused.value.field == "slug"
    with panel.reading():
        assert find_application("demo-stage") is None
        domain = find_domain("demo-stage.localhost")
        assert domain and domain.environment_id == environment("test").id
    assert repositories(panel) == before


def test_nor_the_other_way_round(panel: Panel) -> None:
    with panel.work():
        make_application(panel, "shop-stage", organisation("charlie"), user_of(CHARLIE))
    with pytest.raises(Invalid, match="belongs to another site"), panel.work():
        make_application(panel, "shop", organisation(), user_of(ALICE))


def test_a_refused_application_goes_back_to_its_form(panel: Panel) -> None:
    data = {"name": "Shop", "slug": "www", "organisation": "moon", "starter": "static"}
    answer = panel.client_of(ALICE).post("/applications/new/", data=data)
    assert answer.status_code == 200 and "reserved" in answer.text
    with panel.reading():
        assert find_application("www") is None


def test_only_members_create_in_an_organisation(panel: Panel) -> None:
    data = {"name": "Shop", "slug": "shop", "organisation": "moon", "starter": "blank"}
    assert panel.client_of(CHARLIE).post("/applications/new/", data=data).status_code == 404
    assert panel.client_of(RITA).post("/applications/new/", data=data).status_code == 303
    with panel.reading():
        assert rights_on(application("shop"), user_of(RITA)) >= WORK
        assert not rights_on(application("shop"), user_of(BOB))


def test_collaborators_must_be_members(panel: Panel) -> None:
    for email in (CHARLIE.email, "nobody@example.com"):
        with pytest.raises(Invalid, match="Only members"), panel.work():
            add_collaborator(application(), email, Access.VIEWER, user_of(ALICE))


def test_access_given_again_is_changed(panel: Panel) -> None:
    with panel.work():
        add_collaborator(application(), BOB.email, Access.COLLABORATOR, user_of(ALICE))
    with panel.reading():
        assert rights_on(application(), user_of(BOB)) >= WORK
        assert len(application().collaborators) == 3


def test_access_is_taken_away_at_once(panel: Panel) -> None:
    with panel.work():
        rows = [row for row in application().collaborators if row.user.name == "Dora"]
        remove_collaborator(application(), rows[0], user_of(ALICE))
    assert panel.client_of(DORA).get("/applications/demo/").status_code == 404


def test_access_ends_with_membership(panel: Panel) -> None:
    with panel.work():
        row = find_member(organisation().id, user_of(DORA).id)
        assert row
        remove_member(row, user_of(ALICE))
    with panel.reading():
        assert rights_on(application(), user_of(DORA)) == frozenset()


def test_what_each_access_allows(panel: Panel) -> None:
    with panel.reading():
        assert rights_on(application(), user_of(BOB)) & WORK == LOOK
        assert Permission.DEPLOYMENT_CREATE in rights_on(application(), user_of(DORA))
        assert Permission.MEMBERS_UPDATE not in rights_on(application(), user_of(DORA))
        assert rights_on(application(), user_of(ALICE)) == EVERYTHING
        assert rights_on(application(), user_of(CHARLIE)) == frozenset()


def test_access_ends_with_the_membership_and_does_not_come_back_by_itself(panel: Panel) -> None:
    with panel.work():
        owner, bob = user_of(ALICE), user_of(BOB)
        organisation = application().organisation
        member = find_member(organisation.id, bob.id)
        assert member and rights_on(application(), bob)
        remove_member(member, owner)
    with panel.work():
        add_member(application().organisation, user_of(BOB).email, Role.REGULAR, user_of(ALICE))
    with panel.work():
        assert rights_on(application(), user_of(BOB)) == frozenset()
