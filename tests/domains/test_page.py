"""The domains page: who sees it, what it says, and what can be done there."""

from __future__ import annotations

import datetime

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.domains.models import Domain, DomainKind
from app.errors import Unavailable
from app.extensions import db, now
from app.routes.domain_views import LOOKS_PER_PERSON
from tests.deployments import site
from tests.domains.site import claim, own, prove, row, uses
from tests.panel import ADAM, ALICE, BOB, CHARLIE, DORA, RITA, Panel, Person

PAGE = "/applications/demo/environments/live/domains/"


def act(client: FlaskClient, uuid: str, what: str, **data: str) -> TestResponse:
    return client.post(f"{PAGE}{uuid}/{what}/", data=data, headers={"Referer": "http://localhost/"})


def test_adding_proving_and_using_a_domain(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    added = alice.post(PAGE, data={"host": "https://WWW.bakery.com/about"}, follow_redirects=True)
    assert "www.bakery.com is noted" in added.text and "Not proved yet" in added.text
    with panel.reading():
        domain = db.session.scalars(db.select(Domain).where(Domain.host == "www.bakery.com")).one()
        uuid, token = domain.uuid, domain.proof_token
    assert "_moonbase.www.bakery.com" in added.text and token in added.text
    assert f"http://www.bakery.com/.well-known/moonbase/{token}" in added.text
    assert "CNAME" in added.text and "demo.localhost" in added.text
    looked = alice.post(f"{PAGE}{uuid}/check/", follow_redirects=True)
    assert "There is no TXT record at _moonbase.www.bakery.com yet." in looked.text
    panel.outbound.texts["_moonbase.www.bakery.com"] = (token,)
    looked = alice.post(f"{PAGE}{uuid}/check/", follow_redirects=True)
    assert "www.bakery.com is yours" in looked.text
    assert "From the next deployment on" in looked.text
    site.commit(panel)
    assert site.deploy(panel, "live").status == "succeeded"
    page = alice.get(PAGE).text
    assert "Proved and saved." not in page and page.count("Served") == 2


def test_bob_may_look_and_charlie_sees_nothing(panel: Panel) -> None:
    uuid = own(panel, "www.bakery.com")
    pending = claim(panel, "bakery.com")
    page = panel.client_of(BOB).get(PAGE)
    assert page.status_code == 200 and "www.bakery.com" in page.text
    assert 'method="post"' not in page.text.split("<main", 1)[1]
    for person, status in ((BOB, 403), (CHARLIE, 404), (RITA, 404)):
        client = panel.client_of(person)
        assert client.post(PAGE, data={"host": "a.com"}).status_code == status
        for number in (uuid, pending):
            assert act(client, number, "check").status_code == status
            assert act(client, number, "use", use="primary").status_code == status
            assert act(client, number, "remove").status_code == status
    assert panel.client_of(CHARLIE).get(PAGE).status_code == 404
    assert uses(panel) == {"www.bakery.com": "primary", "bakery.com": "alias"}


@pytest.mark.parametrize("person", [ALICE, ADAM, DORA], ids=str)
def test_who_works_on_it_may_change_it(panel: Panel, person: Person) -> None:
    own(panel, "www.bakery.com")
    uuid = own(panel, "bakery.com")
    client = panel.client_of(person)
    assert act(client, uuid, "use", use="redirect-301").status_code == 303
    with panel.reading():
        changed = row(uuid)
        assert (changed.kind, changed.redirect_by) == (DomainKind.REDIRECT, "301")
    assert act(client, uuid, "remove").status_code == 303
    assert uses(panel) == {"www.bakery.com": "primary"}


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("10.0.0.1", "That is an IP address"),
        ("*.bakery.com", "A wildcard is no domain"),
        ("demo.localhost", "belongs to the panel itself"),
        ("раураl.com", "different scripts"),
        ("", "This field is required"),
        ("<script>alert(1)</script>", "cannot"),
    ],
)
def test_a_refusal_stands_beside_the_field(panel: Panel, host: str, sentence: str) -> None:
    answer = panel.client_of(ALICE).post(PAGE, data={"host": host})
    assert sentence in answer.text and 'aria-invalid="true"' in answer.text
    assert "<script>alert" not in answer.text
    assert uses(panel) == {}


def test_sent_twice_it_is_there_once(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    assert alice.post(PAGE, data={"host": "www.bakery.com"}).status_code == 303
    again = alice.post(PAGE, data={"host": "www.bakery.com"})
    assert "in the list already" in again.text
    assert uses(panel) == {"www.bakery.com": "alias"}


def test_a_page_whose_domain_is_gone_meanwhile(panel: Panel) -> None:
    uuid = claim(panel, "www.bakery.com")
    alice = panel.client_of(ALICE)
    assert act(alice, uuid, "remove").status_code == 303
    for what in ("remove", "check", "use"):
        assert act(alice, uuid, what).status_code == 404


def test_a_domain_of_one_environment_is_not_there_in_another(panel: Panel) -> None:
    uuid = own(panel, "www.bakery.com")
    path = PAGE.replace("live", "test")
    assert panel.client_of(ALICE).post(f"{path}{uuid}/remove/").status_code == 404


def test_other_environments_say_where_domains_are(panel: Panel) -> None:
    page = panel.client_of(ALICE).get(PAGE.replace("live", "test")).text
    assert "Only Live may have its own domains" in page and PAGE in page
    answer = panel.client_of(ALICE).post(PAGE.replace("live", "test"), data={"host": "a.com"})
    assert "Only Live" in answer.text


def test_the_loser_learns_that_it_is_taken_but_not_by_whom(panel: Panel) -> None:
    claim(panel, "www.bakery.com")
    assert prove(panel, claim(panel, "www.bakery.com", of="other", by=CHARLIE))
    page = panel.client_of(ALICE).get(PAGE).text
    assert "Proved by somebody else" in page
    assert "charlie" not in page.lower() and "/applications/other/" not in page


def test_an_expired_claim_can_begin_anew(panel: Panel) -> None:
    uuid = claim(panel, "www.bakery.com")
    with panel.work():
        row(uuid).created_at = now() - datetime.timedelta(days=8)
    alice = panel.client_of(ALICE)
    assert "Begin anew" in alice.get(PAGE).text
    assert alice.post(PAGE, data={"host": "www.bakery.com"}).status_code == 303
    assert "Not proved yet" in alice.get(PAGE).text


def test_a_bare_domain_is_told_of_alias_and_the_operators_addresses(panel: Panel) -> None:
    claim(panel, "bakery.com")
    page = panel.client_of(ALICE).get(PAGE).text
    assert "ALIAS / ANAME" in page and "ask the operator" in page


def test_a_foreign_script_shows_both_forms(panel: Panel) -> None:
    claim(panel, "bäckerei.de")
    page = panel.client_of(ALICE).get(PAGE).text
    assert "bäckerei.de" in page and "xn--bckerei-5wa.de" in page


def test_removing_names_what_is_lost(panel: Panel) -> None:
    own(panel, "www.bakery.com")
    own(panel, "shop.bakery.com")
    page = panel.client_of(ALICE).get(PAGE).text
    assert "shop.bakery.com becomes the primary domain." in page


def test_a_silent_dns_is_said_and_changes_nothing(panel: Panel) -> None:
    uuid = claim(panel, "www.bakery.com")
    panel.outbound.failure = Unavailable("The DNS gave no answer about it. Try again soon.")
    alice = panel.client_of(ALICE)
    assert act(alice, uuid, "check").status_code == 303
    assert "The DNS gave no answer about it." in alice.get(PAGE).text


def test_looking_is_limited_per_person(panel: Panel) -> None:
    uuid = claim(panel, "www.bakery.com")
    alice = panel.client_of(ALICE)
    allowed = int(LOOKS_PER_PERSON.split()[0])
    answers = [act(alice, uuid, "check").status_code for _ in range(allowed + 1)]
    assert answers == [303] * allowed + [429]
    assert act(panel.client_of(ADAM), uuid, "check").status_code == 303


def test_the_number_of_queries_does_not_grow_with_the_list(panel: Panel) -> None:
    alice = panel.client_of(ALICE)

    def queries() -> int:
        seen: list[str] = []

        def note(*parts: object) -> None:
            seen.append(str(parts[2]))

        with panel.reading():
            db.event.listen(db.engine, "before_cursor_execute", note)
            try:
                assert alice.get(PAGE).status_code == 200
            finally:
                db.event.remove(db.engine, "before_cursor_execute", note)
        return len(seen)

    own(panel, "www.bakery.com")
    claim(panel, "bakery.com")
    few = queries()
    for number in range(12):
        own(panel, f"a{number}.bakery.com")
        claim(panel, f"b{number}.bakery.com")
    assert queries() == few
