"""“Your sites”: what a site editor sees, and that it is all they see."""

from __future__ import annotations

import re

import pytest

from app.applications.operations import add_collaborator
from app.errors import Invalid
from app.extensions import db
from app.organisations.queries import list_memberships
from app.permissions import Access
from tests.deployments import site
from tests.panel import (
    ALICE,
    BOB,
    CHARLIE,
    ERIN,
    EVE,
    PASSWORD,
    RITA,
    Panel,
    application,
    user_of,
)

DEVELOPERS_WORDS = re.compile(
    r"\b(git|commit|branch|deploy\w*|repositor\w+|container|environment|variable|release|"
    r"ssh|token|application)s?\b",
    re.IGNORECASE,
)


def words_of(html: str) -> str:
    """What can be read on a page."""
    return re.sub(r"<[^>]+>", " ", html.split("<body>", 1)[1])


def test_signing_in_leads_to_ones_sites(panel: Panel) -> None:
    browser = panel.client()
    browser.post("/account/sign-in/", data={"email": EVE.email, "password": PASSWORD})
    leaves_own_organisation(panel)
    page = browser.get("/", follow_redirects=True)
    assert page.request.path == "/sites/"
    assert "Demo" in page.text and "Not live yet" in page.text


def leaves_own_organisation(panel: Panel) -> None:
    """Eve founded one by signing up; whoever was invited has none."""
    with panel.work():
        for member in list_memberships(user_of(EVE)):
            if member.organisation.slug == "eve":
                db.session.delete(member)


def test_no_page_of_theirs_speaks_the_language_of_developers(panel: Panel) -> None:
    site.commit(panel)
    assert site.deploy(panel, "live").status == "succeeded"
    leaves_own_organisation(panel)
    browser = panel.client_of(EVE)
    for path in ("/sites/", "/sites/demo/", "/account/", "/account/password/"):
        page = browser.get(path)
        assert page.status_code == 200
        found = DEVELOPERS_WORDS.findall(words_of(page.text))
        assert not found, (path, found)


def test_a_site_says_where_it_is_and_since_when(panel: Panel) -> None:
    browser = panel.client_of(EVE)
    page = browser.get("/sites/demo/").text
    assert "Not live yet" in page and "Open the site" not in page and "demo.localhost" in page
    site.commit(panel)
    assert site.deploy(panel, "live").status == "succeeded"
    page = browser.get("/sites/demo/").text
    assert "Live since" in page and "Open the site" in page and "Nothing to fill in yet" in page


def test_they_see_the_sites_given_to_them_and_nothing_else(panel: Panel) -> None:
    eve, erin = panel.client_of(EVE), panel.client_of(ERIN)
    assert "No sites yet" in erin.get("/sites/").text
    assert erin.get("/sites/demo/").status_code == 404
    assert eve.get("/sites/other/").status_code == 404
    for path in ("", "deployments/", "environments/", "settings/", "repository/", "collaborators/"):
        assert eve.get(f"/applications/demo/{path}").status_code == 403, path
        assert erin.get(f"/applications/demo/{path}").status_code == 404, path
    for path in ("members/", "settings/", "audit/", "trash/"):
        assert eve.get(f"/organisations/moon/{path}").status_code == 403, path
    assert "/applications/demo/" not in eve.get("/applications/").text


def test_others_find_their_sites_too(panel: Panel) -> None:
    for person, status in ((ALICE, 200), (BOB, 200), (RITA, 404), (CHARLIE, 404)):
        assert panel.client_of(person).get("/sites/demo/").status_code == status, person
    assert "Its application" in panel.client_of(BOB).get("/sites/demo/").text
    assert "Its application" not in panel.client_of(EVE).get("/sites/demo/").text


def test_a_regular_member_may_be_given_the_content_alone(panel: Panel) -> None:
    with panel.work():
        add_collaborator(application(), RITA.email, Access.EDITOR, user_of(ALICE))
    rita = panel.client_of(RITA)
    assert rita.get("/sites/demo/").status_code == 200
    assert rita.get("/applications/demo/").status_code == 403
    assert "Your sites" in rita.get("/applications/").text


def test_a_site_editor_is_given_no_more_than_content(panel: Panel) -> None:
    for access in (Access.VIEWER, Access.COLLABORATOR):
        with pytest.raises(Invalid, match="site editor"), panel.work():
            add_collaborator(application(), ERIN.email, access, user_of(ALICE))
    with panel.work():
        add_collaborator(application(), ERIN.email, Access.EDITOR, user_of(ALICE))
    assert panel.client_of(ERIN).get("/sites/demo/").status_code == 200
    with pytest.raises(Invalid, match="anyway"), panel.work():
        add_collaborator(application(), ALICE.email, Access.VIEWER, user_of(ALICE))
