"""The page of an environment's services: who may do what, and what a wrong form gets."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import event

from app.audit.models import AuditLine
from app.extensions import db
from app.routes.queries import load_feed
from app.runtime.queries import resolve_configuration
from app.services.models import ServiceInstance, ServiceState
from app.variables.operations import set_variable
from tests.panel import ALICE, BOB, CHARLIE, DORA, EVE, Panel, environment, user_of
from tests.services.acting import act, add, backend, look, provision, server, state, states

PAGE = "/applications/demo/environments/test/services/"
VARIABLES = "/applications/demo/environments/test/variables/"
TRASH = "/applications/demo/trash/"


def fields_of(page: str, action: str) -> dict[str, str]:
    """Name and value of what the form that leads there sends as it stands."""
    form = next(part for part in page.split("<form")[1:] if f'action="{action}"' in part)
    fields = re.findall(r"<input[^>]*>", form.partition("</form>")[0])
    marks = [dict(re.findall(r'(\w+)="([^"]*)"', field)) for field in fields]
    return {mark["name"]: mark.get("value", "") for mark in marks if mark["name"] != "csrf_token"}


def form(panel: Panel, prefix: str = "DEFAULT", **more: str) -> dict[str, str]:
    with panel.reading():
        return {"server": server().uuid, "prefix": prefix, **more}


def test_an_empty_page_teaches_and_the_form_adds(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    page = alice.get(PAGE).text
    assert "No services yet" in page and "PostgreSQL 15" in page and "PostgreSQL 18" in page
    answer = alice.post(PAGE, data=form(panel, extensions="citext"))
    assert answer.status_code == 303 and states(panel) == {"DEFAULT": "new"}
    page = alice.get(PAGE).text
    assert "PostgreSQL “DEFAULT”" in page and "DEFAULT_DATABASE_DSN" in page and "citext" in page
    assert "Provision now" in page and "Services" in page


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"prefix": "9 lives"}, "A prefix has letters"),
        ({"prefix": "ONE"}, "There is PostgreSQL “ONE” already"),
        ({"server": "made-up"}, "Choose one of the services on offer"),
        ({"server": ""}, "Choose one of the services on offer"),
        ({"extensions": "plpython3u"}, "The extension plpython3u is not allowed"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    panel: Panel, sent: dict[str, str], sentence: str
) -> None:
    add(panel, "ONE")
    answer = panel.client_of(ALICE).post(PAGE, data=form(panel) | sent)
    assert answer.status_code == 200 and sentence in html.unescape(answer.text)
    assert states(panel) == {"ONE": "new"}


def test_alice_and_dora_can_bob_looks_and_charlie_finds_nothing(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    secret = look(panel, uuid).password
    acts = {
        "attach/": {},
        "detach/": {},
        "provision/": {},
        "rename/": {"prefix": "X"},
        "reveal/": {},
    }
    for person, page, done in ((BOB, 200, 403), (EVE, 403, 403), (CHARLIE, 404, 404)):
        browser = panel.client_of(person)
        assert browser.get(PAGE).status_code == page
        assert browser.post(PAGE, data=form(panel, "MORE")).status_code == done
        for path, data in acts.items():
            assert browser.post(f"{PAGE}{uuid}/{path}", data=data).status_code == done
        assert browser.get(f"{PAGE}{uuid}/remove/").status_code == done
    seen = panel.client_of(BOB).get(PAGE).text
    assert "PostgreSQL “DEFAULT”" in seen and "Reveal" not in seen and secret not in seen
    assert 'id="add"' not in seen and "Detach" not in seen
    assert state(panel, uuid) == "pending_attachment"
    assert panel.client_of(DORA).post(f"{PAGE}{uuid}/detach/").status_code == 303
    assert panel.client_of(ALICE).get(f"{PAGE}made-up/remove/").status_code == 404
    assert panel.client_of(ALICE).post(f"{PAGE}made-up/attach/").status_code == 404


def test_the_form_to_rename_holds_the_prefix_there_is(panel: Panel) -> None:
    uuid, alice = add(panel, "ARCHIVE"), panel.client_of(ALICE)
    action = f"{PAGE}{uuid}/rename/"
    assert fields_of(alice.get(PAGE).text, action) == {"prefix": "ARCHIVE"}
    assert alice.post(action, data={"prefix": "OLD"}).status_code == 303
    assert states(panel) == {"OLD": "new"}


def test_credentials_are_masked_until_somebody_asks_which_is_noted(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    password = look(panel, uuid).password
    alice = panel.client_of(ALICE)
    page = alice.get(PAGE).text
    assert password not in page and "postgresql.example" in page
    shown = alice.post(f"{PAGE}{uuid}/reveal/")
    assert password in shown.text and shown.headers["Cache-Control"] == "no-store"
    assert alice.get(f"{PAGE}{uuid}/reveal/").status_code == 405
    with panel.reading():
        line = db.session.scalars(
            db.select(AuditLine).where(AuditLine.action == "service.reveal")
        ).one()
        assert line.actor_name == "Alice" and password not in str(line.details)


def feed_version(panel: Panel) -> int:
    with panel.reading():
        return load_feed().version


def test_removing_asks_for_the_name_and_goes_to_the_trash(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    alice = panel.client_of(ALICE)
    assert alice.get(f"{PAGE}{uuid}/remove/").status_code == 409  # it is to be attached
    alice.post(f"{PAGE}{uuid}/detach/")
    assert "gone for good" in alice.get(f"{PAGE}{uuid}/remove/").text
    wrong = alice.post(f"{PAGE}{uuid}/remove/", data={"name": "OTHER"})
    assert "This is not the name" in wrong.text and look(panel, uuid).trashed_at is None
    before = feed_version(panel)
    assert alice.post(f"{PAGE}{uuid}/remove/", data={"name": "default"}).status_code == 303
    assert feed_version(panel) > before  # a bucket is served no more
    assert look(panel, uuid).trashed_at and f"service-{uuid}" not in alice.get(PAGE).text
    for path in (TRASH, "/organisations/moon/trash/"):
        assert "PostgreSQL “DEFAULT”" in alice.get(path).text
    for person, status in ((BOB, 403), (CHARLIE, 404)):
        for path in ("restore/", "delete/"):
            answer = panel.client_of(person).post(f"{TRASH}services/{uuid}/{path}")
            assert answer.status_code == status
    before = feed_version(panel)
    assert alice.post(f"{TRASH}services/{uuid}/restore/").status_code == 303
    assert feed_version(panel) > before
    assert state(panel, uuid) == "detached"
    assert alice.post(f"{TRASH}services/{uuid}/restore/").status_code == 404
    act(panel, "trash_instance", uuid)
    assert "Nobody can undo this" in alice.get(f"{TRASH}services/{uuid}/delete/").text
    assert alice.post(f"{TRASH}services/{uuid}/delete/", data={"name": "x"}).status_code == 200
    assert (
        alice.post(f"{TRASH}services/{uuid}/delete/", data={"name": "DEFAULT"}).status_code == 303
    )
    assert state(panel, uuid) == "removing" and "being deleted" in alice.get(TRASH).text


def test_the_variables_page_shows_what_services_bring(panel: Panel) -> None:
    uuid = add(panel)
    alice = panel.client_of(ALICE)
    page = alice.get(VARIABLES).text
    assert "DEFAULT_DATABASE_DSN" in page and "set at the next deployment" in page
    assert alice.post(f"{VARIABLES}DATABASE_URL/reveal/").status_code == 404
    provision(panel, uuid)
    row = look(panel, uuid)
    page = alice.get(VARIABLES).text
    assert "by PostgreSQL “DEFAULT”" in page and "set at the next deployment" not in page
    assert row.password not in page
    assert row.password in alice.post(f"{VARIABLES}DATABASE_URL/reveal/").text
    exported = alice.post(f"{VARIABLES}export/", data={"automatic": "y"}).text
    assert "DATABASE_URL" in exported and row.password in exported
    assert row.password not in alice.post(f"{VARIABLES}export/").text


def test_one_of_people_in_place_of_a_services_comes_with_a_caution(panel: Panel) -> None:
    add(panel)
    alice = panel.client_of(ALICE)
    assert (
        "replaces what PostgreSQL “DEFAULT” tells"
        in alice.get(f"{VARIABLES}?new=DATABASE_URL").text
    )
    sent = {"name": "DATABASE_URL", "value": "postgres://elsewhere/", "version": "0"}
    asked = alice.post(VARIABLES, data=sent)
    assert asked.status_code == 200 and "replaces what PostgreSQL “DEFAULT” tells" in asked.text
    assert alice.post(VARIABLES, data=sent | {"accepted": "service"}).status_code == 303
    page = alice.get(VARIABLES).text
    assert "instead of PostgreSQL “DEFAULT”" in page and "replaced by yours" in page


def test_which_instances_a_deployment_would_use(panel: Panel) -> None:
    uuids = {word: add(panel, word) for word in ("NEW", "READY", "OUT", "TRASHED")}
    for word in ("READY", "OUT", "TRASHED"):
        provision(panel, uuids[word])
    act(panel, "detach_instance", uuids["OUT"])
    act(panel, "detach_instance", uuids["TRASHED"])
    act(panel, "trash_instance", uuids["TRASHED"])
    with panel.work():
        set_variable(environment(), "COLOUR", "blue", False, user_of(ALICE))
    with panel.reading():
        found = resolve_configuration(environment())
        assert {use.prefix for use in found.services} == {"NEW", "READY"}
        assert (
            "READY_DATABASE_DSN" in found.variables and "READY_DATABASE_DSN" in found.secret_names
        )
        assert not {"NEW_DATABASE_DSN", "OUT_DATABASE_DSN"} & set(found.variables)
        assert found.variables["READY_DATABASE_DSN"] in found.secrets
        assert {"COLOUR", "STAGE"} <= set(found.variables)


def test_pages_cost_as_many_queries_for_ten_services_as_for_one(panel: Panel) -> None:
    def queries(path: str) -> int:
        count = 0

        def note(*arguments: object) -> None:
            nonlocal count
            count += 1

        alice = panel.client_of(ALICE)
        alice.get(path)
        with panel.reading():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        alice.get(path)
        event.remove(engine, "before_cursor_execute", note)
        return count

    add(panel, "FIRST")
    of_one = [queries(path) for path in (PAGE, VARIABLES, "/applications/demo/")]
    for number in range(9):
        provision(panel, add(panel, f"N{number}"))
    assert [queries(path) for path in (PAGE, VARIABLES, "/applications/demo/")] == of_one


def test_an_environment_like_another_has_services_of_its_own(panel: Panel) -> None:
    provision(panel, add(panel))
    add(panel, "OUT")
    with panel.work():
        db.session.scalars(
            db.select(ServiceInstance).where(ServiceInstance.prefix == "OUT")
        ).one().state = ServiceState.DETACHED
    data = {"name": "Preview", "slug": "preview", "source": "test", "branch": "main"}
    answer = panel.client_of(ALICE).post("/applications/demo/environments/new/", data=data)
    assert answer.status_code == 303
    with panel.reading():
        rows = db.session.scalars(
            db.select(ServiceInstance).where(
                ServiceInstance.environment_id == environment("preview").id
            )
        ).all()
        assert [(row.prefix, row.server.version) for row in rows] == [("DEFAULT", "15")]
    assert len(backend(panel).data) == 1
