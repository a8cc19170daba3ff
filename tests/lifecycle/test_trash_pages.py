"""The pages of the trash: what they say, what they ask, and whom they know."""

from __future__ import annotations

import threading

import pytest

from app.domains.models import Domain, DomainKind
from app.extensions import db, now
from app.lifecycle.models import TrashEntry
from tests.deployments import site
from tests.lifecycle.trashing import (
    add,
    any_application,
    any_environment,
    doom,
    restore,
    run_jobs,
    trash_demo,
    trash_qa,
)
from tests.panel import ADAM, ALICE, BOB, CHARLIE, DORA, Panel, Person, environment

QA = "/applications/demo/environments/qa/delete/"
DEMO = "/applications/demo/delete/"
ORGANISATION = "/organisations/moon/trash/"
APPLICATION = "/applications/demo/trash/"


@pytest.mark.parametrize("person", [ALICE, ADAM], ids=str)
def test_an_application_goes_and_comes_back_by_its_pages(panel: Panel, person: Person) -> None:
    client = panel.client_of(person)
    page = client.get(DEMO).text
    assert "Kept in the trash until" in page and "repository with its whole history" in page
    answer = client.post(DEMO, data={"name": "Demo"})
    assert answer.location == ORGANISATION
    listed = client.get(ORGANISATION).text
    assert "Demo is in the trash." in listed and f"by {person.name}" in listed
    assert "7 days" in listed and "being measured" in listed
    run_jobs(panel)
    assert "repository" in client.get(ORGANISATION).text
    with panel.reading():
        uuid = db.session.scalars(db.select(TrashEntry.uuid)).one()
    answer = client.post(f"{ORGANISATION}{uuid}/restore/")
    assert answer.location == "/applications/demo/"
    assert "Demo is back." in client.get("/applications/demo/").text
    assert "The trash is empty" in client.get(ORGANISATION).text


@pytest.mark.parametrize("person", [ALICE, DORA], ids=str)
def test_an_environment_goes_and_comes_back_by_its_pages(panel: Panel, person: Person) -> None:
    add(panel)
    client = panel.client_of(person)
    assert "The trash is empty" in client.get(APPLICATION).text
    answer = client.post(QA, data={"name": " qa "})
    assert answer.location == APPLICATION
    assert "QA is in the trash." in client.get(APPLICATION).text
    with panel.reading():
        uuid = db.session.scalars(db.select(TrashEntry.uuid)).one()
    assert client.post(f"{APPLICATION}environments/{uuid}/restore/").status_code == 303
    assert "environments/qa/" in client.get("/applications/demo/").text


@pytest.mark.parametrize("typed", ["", "demo!", "Dem0", "demo demo", "\0", "x" * 10_000])
def test_a_wrong_name_keeps_everything(panel: Panel, typed: str) -> None:
    answer = panel.client_of(ALICE).post(DEMO, data={"name": typed})
    assert answer.status_code == 200
    with panel.reading():
        assert any_application().trashed_at is None


@pytest.mark.parametrize("slug", ["test", "live"])
def test_test_and_live_cannot_be_chosen(panel: Panel, slug: str) -> None:
    path = f"/applications/demo/environments/{slug}/delete/"
    page = panel.client_of(ALICE).get(path).text
    assert "deleted only with it" in page and "Move to the trash" not in page
    answer = panel.client_of(ALICE).post(path, data={"name": slug})
    assert answer.status_code == 200 and "only with it" in answer.text
    with panel.reading():
        assert environment(slug).trashed_at is None


def test_whom_the_pages_know(panel: Panel) -> None:
    add(panel)
    cells = {
        DEMO: {ALICE: 200, ADAM: 200, DORA: 403, BOB: 403, CHARLIE: 404},
        QA: {ALICE: 200, ADAM: 200, DORA: 200, BOB: 403, CHARLIE: 404},
        ORGANISATION: {ALICE: 200, ADAM: 200, DORA: 403, BOB: 403, CHARLIE: 404},
        APPLICATION: {ALICE: 200, ADAM: 200, DORA: 200, BOB: 403, CHARLIE: 404},
    }
    for path, row in cells.items():
        for person, status in row.items():
            assert panel.client_of(person).get(path).status_code == status, (path, person)
        answer = panel.client().get(path)
        assert answer.status_code == 302 and "sign-in" in answer.location


def test_an_entry_is_found_under_its_own_place_only(panel: Panel) -> None:
    """Addresses that mix organisations, applications, and kinds of things find nothing."""
    add(panel)
    qa, demo = trash_qa(panel), trash_demo(panel)
    alice, charlie = panel.client_of(ALICE), panel.client_of(CHARLIE)
    for client, path in (
        (charlie, f"/organisations/charlie/trash/{demo}/restore/"),
        (alice, f"/organisations/moon/trash/{qa}/restore/"),
        (alice, "/organisations/moon/trash/nothing/restore/"),
        (charlie, f"/applications/other/trash/environments/{qa}/restore/"),
        (alice, f"/applications/demo/trash/environments/{qa}/restore/"),  # its page is gone too
    ):
        assert client.post(path).status_code == 404, path
    restore(panel, demo)
    for path in (f"environments/{demo}/restore/", f"domains/{qa}/restore/"):
        assert alice.post(f"{APPLICATION}{path}").status_code == 404


def test_delete_now_asks_for_the_name_and_cannot_be_undone(panel: Panel) -> None:
    uuid = trash_demo(panel)
    alice = panel.client_of(ALICE)
    page = f"{ORGANISATION}{uuid}/delete/"
    assert "Nobody can undo this" in alice.get(page).text
    assert "not the name" in alice.post(page, data={"name": "other"}).text
    answer = alice.post(page, data={"name": "demo"})
    assert answer.location == ORGANISATION
    assert "being deleted" in alice.get(ORGANISATION).text
    back = {"Referer": "http://localhost" + ORGANISATION}
    answer = alice.post(f"{ORGANISATION}{uuid}/restore/", headers=back)
    assert answer.location.endswith(ORGANISATION)
    assert "being deleted for good already" in alice.get(ORGANISATION).text
    run_jobs(panel)
    assert "The trash is empty" in alice.get(ORGANISATION).text


def test_a_stale_page_says_what_has_happened(panel: Panel) -> None:
    """Restored, or deleted for good, in another window."""
    add(panel)
    uuid = trash_qa(panel)
    restore(panel, uuid)
    alice = panel.client_of(ALICE)
    for path in ("restore/", "delete/"):
        answer = alice.post(f"{APPLICATION}environments/{uuid}/{path}", data={"name": "QA"})
        assert answer.status_code == 404 and "not in the trash any more" in answer.text
    assert alice.post(DEMO, data={"name": "demo"}).status_code == 303
    assert alice.post(DEMO, data={"name": "demo"}).status_code == 404


def test_two_who_restore_at_once(panel: Panel) -> None:
    """One does it, the other is told; nothing is restored twice."""
    uuid = trash_demo(panel)
    clients = [panel.client_of(ALICE), panel.client_of(ADAM)]
    answers: list[int] = []
    ready = threading.Barrier(2)

    def ask(number: int) -> None:
        ready.wait()
        answers.append(clients[number].post(f"{ORGANISATION}{uuid}/restore/").status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers)[0] == 303 and sorted(answers)[1] in {404, 409}
    with panel.reading():
        assert any_application().trashed_at is None


def test_a_domain_comes_back_or_goes_for_good(panel: Panel) -> None:
    with panel.work():
        live = environment("live")
        for host in ("www.example.org", "old.example.org"):
            row = Domain(environment_id=live.id, host=host, kind=DomainKind.ALIAS, proved_at=now())
            row.trashed_at, row.trashed_by_id = now(), None
            db.session.add(row)
    alice = panel.client_of(ALICE)
    for path in (APPLICATION, ORGANISATION):
        page = alice.get(path).text
        assert "www.example.org" in page and "old.example.org" in page
    with panel.reading():
        of_host = {row.host: row.uuid for row in db.session.scalars(db.select(Domain))}
    back, gone = of_host["www.example.org"], of_host["old.example.org"]
    assert panel.client_of(BOB).post(f"{APPLICATION}domains/{back}/restore/").status_code == 403
    assert panel.client_of(CHARLIE).post(f"{APPLICATION}domains/{back}/restore/").status_code == 404
    assert alice.post(f"{APPLICATION}domains/{back}/restore/").status_code == 303
    path = f"{APPLICATION}domains/{gone}/delete/"
    assert "not the name" in alice.post(path, data={"name": "www.example.org"}).text
    assert alice.post(path, data={"name": "OLD.example.org"}).status_code == 303
    assert alice.post(path, data={"name": "old.example.org"}).status_code == 404
    with panel.reading():
        rows = {row.host: row.trashed_at for row in db.session.scalars(db.select(Domain))}
    assert rows["www.example.org"] is None and "old.example.org" not in rows


def test_the_number_of_queries_does_not_grow_with_the_trash(panel: Panel) -> None:
    def queries() -> int:
        asked = 0

        def note(*arguments: object) -> None:
            nonlocal asked
            asked += 1

        with panel.reading():
            engine = db.engine
        db.event.listen(engine, "before_cursor_execute", note)
        try:
            alice.get(APPLICATION)
            alice.get(ORGANISATION)
        finally:
            db.event.remove(engine, "before_cursor_execute", note)
        return asked

    alice = panel.client_of(ALICE)
    slugs = [f"e{number}" for number in range(7)]
    for slug in slugs:
        add(panel, slug)
    with panel.work():
        from app.lifecycle.trash import trash_environment
        from tests.panel import user_of

        trash_environment(environment("e0"), user_of(ALICE))
    queries()
    few = queries()
    with panel.work():
        for slug in slugs[1:]:
            trash_environment(environment(slug), user_of(ALICE))
    assert queries() == few


def test_what_it_holds_is_counted(panel: Panel) -> None:
    site.commit(panel)
    add(panel)
    assert site.deploy(panel, "qa").status == "succeeded"
    page = panel.client_of(ALICE).get(QA).text
    assert "1 deployment with its log" in page and "own domain" not in page
    doom(panel, trash_qa(panel))
    with panel.reading():
        assert any_environment("qa")
