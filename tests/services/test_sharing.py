"""A service that another environment uses: both owners have a say, one of them has the data."""

from __future__ import annotations

import html

import pytest

from app.adapters.services import ServiceKind
from app.audit.models import AuditLine
from app.backups.content import list_backed_up
from app.environments.models import Environment
from app.errors import Conflict, Invalid
from app.extensions import db
from app.lifecycle.trash import trash_application
from app.services import sharing
from app.services.models import ServiceInstance, ServiceShare
from app.services.operations import doom_instances
from tests.panel import ALICE, BOB, CHARLIE, DORA, EVE, Panel, application, environment, user_of
from tests.services.acting import act, add, instance, look, provision, remove, state
from tests.services.test_page import fields_of

PAGE = "/applications/demo/environments/test/services/"
THEIRS = "/applications/other/environments/live/services/"


@pytest.fixture
def original(panel: Panel) -> str:
    """PostgreSQL “DEFAULT” of demo/test, provisioned."""
    uuid = add(panel)
    provision(panel, uuid)
    return uuid


def share(panel: Panel, uuid: str, place: str = "other/live") -> str:
    with panel.work():
        return sharing.share_instance(instance(uuid), place, user_of(ALICE)).uuid


def shares(panel: Panel) -> list[str]:
    """With which places anything is shared."""
    with panel.reading():
        return [row.environment.place for row in db.session.scalars(db.select(ServiceShare))]


def accept(panel: Panel, share_uuid: str, prefix: str = "DEFAULT") -> str:
    with panel.work():
        row = db.session.scalars(
            db.select(ServiceShare).where(ServiceShare.uuid == share_uuid)
        ).one()
        return sharing.accept_share(row, prefix, user_of(CHARLIE)).uuid


def end(panel: Panel, share_uuid: str) -> None:
    with panel.work():
        row = db.session.scalars(
            db.select(ServiceShare).where(ServiceShare.uuid == share_uuid)
        ).one()
        sharing.end_share(row, user_of(ALICE))


def test_alice_offers_and_charlie_takes_it(panel: Panel, original: str) -> None:
    alice, charlie = panel.client_of(ALICE), panel.client_of(CHARLIE)
    assert "Share with another site" in alice.get(PAGE).text
    answer = alice.post(f"{PAGE}{original}/shares/", data={"place": " Other/live "})
    assert answer.status_code == 303 and shares(panel) == ["other/live"]
    assert "other/live" in alice.get(PAGE).text
    seen = html.unescape(charlie.get(THEIRS).text)
    assert "demo/test shares its PostgreSQL “DEFAULT”" in seen
    assert look(panel, original).password not in seen and "postgresql.example" not in seen
    with panel.reading():
        uuid = db.session.scalars(db.select(ServiceShare.uuid)).one()
    accepting = f"{THEIRS}shared/{uuid}/accept/"
    assert fields_of(seen, accepting) == {"prefix": "DEFAULT"}
    taken = charlie.post(accepting, data={"prefix": "common"})
    assert taken.status_code == 303
    seen = html.unescape(charlie.get(THEIRS).text)
    assert "PostgreSQL “COMMON”" in seen and "shared by demo/test" in seen
    assert "demo/test shares its" not in seen and "Share with another site" not in seen
    with panel.reading():
        row = db.session.scalars(
            db.select(ServiceInstance).where(ServiceInstance.prefix == "COMMON")
        ).one()
        assert row.state == "pending_attachment" and row.facts == instance(original).facts
        lines = db.session.scalars(
            db.select(AuditLine.action).where(AuditLine.action.in_(["service.share"]))
        ).all()
        assert lines == ["service.share"]
    assert charlie.post(accepting, data={"prefix": "X"}).status_code == 409


def test_who_may_not_see_the_credentials_may_not_hand_them_on(panel: Panel, original: str) -> None:
    shared = share(panel, original)
    for person, done in ((BOB, 403), (EVE, 403), (CHARLIE, 404)):
        browser = panel.client_of(person)
        data = {"place": "other/test"}
        assert browser.post(f"{PAGE}{original}/shares/", data=data).status_code == done
        answer = browser.post(f"{PAGE}{original}/shares/{shared}/end/")
        assert answer.status_code == done
    alice, dora = panel.client_of(ALICE), panel.client_of(DORA)
    for path in ("accept/", "decline/"):  # nobody of theirs has a say there
        answer = alice.post(f"{THEIRS}shared/{shared}/{path}", data={"prefix": "A"})
        assert answer.status_code == 404
        answer = alice.post(f"{PAGE}shared/{shared}/{path}", data={"prefix": "A"})
        assert answer.status_code == 404
    assert shares(panel) == ["other/live"]
    seen = panel.client_of(BOB).get(PAGE).text
    assert "other/live" in seen and "Stop sharing" not in seen
    assert dora.post(f"{PAGE}{original}/shares/{shared}/end/").status_code == 303
    assert shares(panel) == []
    assert panel.client_of(CHARLIE).get(THEIRS).status_code == 200


@pytest.mark.parametrize(
    "place", ["", "other", "other/", "/live", "nobody/live", "other/staging", "demo/test", "a/b/c"]
)
def test_what_is_no_place(panel: Panel, original: str, place: str) -> None:
    with pytest.raises(Invalid) as refused:
        share(panel, original, place)
    assert refused.value.field == "place"
    assert panel.client_of(ALICE).post(f"{PAGE}{original}/shares/", data={}).status_code >= 400


def test_what_cannot_be_shared(panel: Panel, original: str) -> None:
    share(panel, original)
    with pytest.raises(Invalid, match="shared with other/live already"):
        share(panel, original)
    with pytest.raises(Conflict, match="not provisioned"):
        share(panel, add(panel, "NEW"))
    theirs = accept(panel, share(panel, original, "demo/live"))
    with pytest.raises(Conflict, match="is shared itself"):
        share(panel, theirs, "other/test")


def test_a_prefix_that_is_taken_is_refused_where_it_is_accepted(
    panel: Panel, original: str
) -> None:
    shared = share(panel, original, "demo/live")
    add(panel, on="live")
    with pytest.raises(Invalid, match="There is PostgreSQL “DEFAULT” already"):
        accept(panel, shared)
    with pytest.raises(Invalid, match="A prefix has letters"):
        accept(panel, shared, "9")
    accept(panel, shared, "COMMON")
    with pytest.raises(Invalid, match="There is PostgreSQL “COMMON” already"):
        add(panel, "COMMON", on="live")


def test_what_is_shared_is_backed_up_and_copied_where_it_is(panel: Panel, original: str) -> None:
    accept(panel, share(panel, original, "demo/live"))
    with panel.reading():
        assert list(list_backed_up(environment("live").id)) == []
        assert len(list_backed_up(environment("test").id)) == 1


def test_what_others_use_cannot_go(panel: Panel, original: str) -> None:
    shared = share(panel, original)
    theirs = accept(panel, shared)
    act(panel, "detach_instance", original)
    with pytest.raises(Conflict, match="other/live uses PostgreSQL “DEFAULT” too"):
        act(panel, "trash_instance", original)
    with pytest.raises(Conflict, match="other/live uses"), panel.work():
        trash_application(application(), user_of(ALICE))
    end(panel, shared)
    assert state(panel, theirs) == "detached"
    act(panel, "trash_instance", theirs)
    remove(panel, theirs)
    act(panel, "trash_instance", original)
    assert look(panel, original).trashed_at


def test_what_is_not_shared_any_more_is_not_attached_again(panel: Panel, original: str) -> None:
    shared = share(panel, original)
    theirs = accept(panel, shared)
    act(panel, "detach_instance", theirs)
    act(panel, "attach_instance", theirs)
    end(panel, shared)
    with pytest.raises(Conflict, match="not shared with this environment any more"):
        act(panel, "attach_instance", theirs)
    assert shares(panel) == []
    with panel.reading():  # nothing on the server is theirs
        assert instance(theirs).source.key == instance(original).key
    act(panel, "trash_instance", theirs)
    remove(panel, theirs)
    assert look(panel, original).key in panel.services.of(ServiceKind.POSTGRESQL).data


def test_what_goes_while_somebody_accepts_it_is_not_accepted(panel: Panel, original: str) -> None:
    shared = share(panel, original)
    act(panel, "detach_instance", original)
    act(panel, "trash_instance", original)
    with pytest.raises(Conflict, match="not shared with this environment any more"):
        accept(panel, shared)
    assert panel.client_of(CHARLIE).get(THEIRS).text.count("shares its") == 0


def test_it_goes_with_both_of_its_environments(panel: Panel, original: str) -> None:
    """Test lends to Live of the same application, and both are deleted for good."""
    accept(panel, share(panel, original, "demo/live"))
    with panel.work():
        trash_application(application(), user_of(ALICE))
        numbers = doom_instances(list(db.session.scalars(db.select(Environment.id))))
    assert len(numbers) == 2
    with panel.reading():
        uuids = list(db.session.scalars(db.select(ServiceInstance.uuid)))
    for uuid in uuids:  # the original first
        remove(panel, uuid)
    with panel.reading():
        assert db.session.scalars(db.select(ServiceInstance)).all() == []
        assert db.session.scalars(db.select(ServiceShare)).all() == []
