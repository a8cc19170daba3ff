"""Adding, attaching, detaching, renaming and removing: states, and what bad input gets."""

from __future__ import annotations

import pytest

from app.adapters.services import ServiceKind
from app.errors import Conflict, Invalid
from app.extensions import db
from app.services.models import ServiceInstance
from app.services.operations import MOST, NewService, add_instance, settle
from app.services.servers import set_offer
from tests.panel import ALICE, Panel, environment, user_of
from tests.services.acting import (
    POSTGRESQL,
    act,
    add,
    backend,
    instance,
    look,
    provision,
    remove,
    server,
    state,
    states,
)


def test_added_is_new_and_nothing_is_made(panel: Panel) -> None:
    uuid = add(panel)
    row = look(panel, uuid)
    assert (row.state, row.prefix, row.server.version) == ("new", "DEFAULT", "15")
    assert row.key.isalnum() and row.key[0].isalpha() and len(row.key) == 16
    assert backend(panel).data == {} and backend(panel).running == set()
    assert panel.queue.jobs == []


@pytest.mark.parametrize("text", ["", "1ST", "my db", "DÄTA", "A-B", "_A", "A" * 41, "A\0"])
def test_what_is_no_prefix(panel: Panel, text: str) -> None:
    with pytest.raises(Invalid, match="A prefix has letters") as refused:
        add(panel, text)
    assert refused.value.field == "prefix"


def test_small_letters_become_capitals(panel: Panel) -> None:
    assert look(panel, add(panel, " archive_2 ")).prefix == "ARCHIVE_2"


def test_a_taken_prefix_and_a_taken_variable_name_who_has_it(panel: Panel) -> None:
    add(panel)
    with pytest.raises(Invalid, match="There is PostgreSQL “DEFAULT” already"):
        add(panel)
    with pytest.raises(Invalid, match="PostgreSQL “DEFAULT” has the variable DEFAULT_DATABASE_DSN"):
        add(panel, kind=ServiceKind.MYSQL)
    add(panel, kind=ServiceKind.OBJECT_STORAGE)
    add(panel, "ARCHIVE", kind=ServiceKind.MYSQL)
    add(panel, on="live")
    with pytest.raises(Invalid, match="MySQL “ARCHIVE” has the variable ARCHIVE_DATABASE_DSN"):
        add(panel, "ARCHIVE")


def test_what_is_not_on_offer_and_too_many(panel: Panel) -> None:
    with panel.work():
        row = server(version="18")
        set_offer(row, False, None)
        with pytest.raises(Invalid, match="not on offer here any more"):
            add_instance(environment(), NewService(row, "NEW"), user_of(ALICE))
    for number in range(MOST):
        add(panel, f"N{number}", ServiceKind.REDIS)
    with pytest.raises(Invalid, match=f"at most {MOST} services"):
        add(panel)


def test_extensions_are_from_the_operators_list(panel: Panel) -> None:
    def wanted(kind: ServiceKind, *names: str) -> None:
        with panel.work():
            add_instance(environment(), NewService(server(kind), "DEFAULT", names), user_of(ALICE))

    with pytest.raises(Invalid, match="The extension plpython3u is not allowed"):
        wanted(POSTGRESQL, "plpython3u")
    with pytest.raises(Invalid, match="Only PostgreSQL"):
        wanted(ServiceKind.REDIS, "hstore")
    wanted(POSTGRESQL, "citext", "hstore", "citext")
    with panel.reading():
        assert db.session.scalars(db.select(ServiceInstance)).one().options == {
            "extensions": ["hstore", "citext"]
        }


def settled(panel: Panel, *uuids: str) -> None:
    """As when a deployment has switched to a release that uses these."""
    with panel.work():
        settle(environment().id, uuids)


def test_the_whole_life_of_one(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    assert state(panel, uuid) == "pending_attachment"
    with pytest.raises(Conflict, match="provisioned already"):
        act(panel, "request_provisioning", uuid)
    act(panel, "detach_instance", uuid)  # cancels the attachment that waits
    assert state(panel, uuid) == "detached"
    act(panel, "attach_instance", uuid)
    settled(panel, uuid)
    assert state(panel, uuid) == "attached"
    with pytest.raises(Conflict, match="is not detached"):
        act(panel, "attach_instance", uuid)
    with pytest.raises(Conflict, match="Detach PostgreSQL “DEFAULT” first"):
        act(panel, "trash_instance", uuid)
    act(panel, "detach_instance", uuid)
    assert state(panel, uuid) == "pending_detachment"
    with pytest.raises(Conflict, match="Detach PostgreSQL “DEFAULT” first"):
        act(panel, "trash_instance", uuid)
    act(panel, "attach_instance", uuid)  # takes it back
    assert state(panel, uuid) == "attached"
    act(panel, "detach_instance", uuid)
    settled(panel)
    assert state(panel, uuid) == "detached" and backend(panel).data
    act(panel, "trash_instance", uuid)
    with pytest.raises(Conflict, match="is in the trash"):
        act(panel, "attach_instance", uuid)
    act(panel, "restore_instance", uuid)
    assert state(panel, uuid) == "detached" and backend(panel).data
    act(panel, "trash_instance", uuid)
    act(panel, "begin_removal", uuid)
    with pytest.raises(Conflict, match="being deleted for good"):
        act(panel, "restore_instance", uuid)
    remove(panel, uuid)
    assert states(panel) == {} and backend(panel).data == {}


def test_what_people_wish_outlives_a_switch_to_another_release(panel: Panel) -> None:
    """Back to a release without it, it waits to be attached; to one with it, to be detached."""
    wanted, unwanted, added = add(panel), add(panel, "OLD"), add(panel, "LATER")
    for uuid in (wanted, unwanted):
        provision(panel, uuid)
    act(panel, "detach_instance", unwanted)
    settled(panel, unwanted)
    assert states(panel) == {
        "DEFAULT": "pending_attachment",
        "OLD": "pending_detachment",
        "LATER": "new",
    }
    settled(panel, wanted, added)
    assert states(panel) == {"DEFAULT": "attached", "OLD": "detached", "LATER": "new"}


def test_trashed_while_a_deployment_switched_to_it_is_back(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    act(panel, "detach_instance", uuid)
    act(panel, "trash_instance", uuid)
    settled(panel, uuid)
    row = look(panel, uuid)
    assert row.trashed_at is None and row.state == "pending_detachment"


def test_a_prefix_in_the_trash_stays_taken(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    act(panel, "detach_instance", uuid)
    act(panel, "trash_instance", uuid)
    with pytest.raises(Invalid, match=r"“DEFAULT” \(in the trash\) already. Choose another prefix"):
        add(panel)
    act(panel, "begin_removal", uuid)
    remove(panel, uuid)
    assert look(panel, add(panel)).state == "new"


def test_what_never_worked_is_not_kept(panel: Panel) -> None:
    new = add(panel)
    act(panel, "trash_instance", new)
    assert states(panel) == {}
    failed = add(panel)
    backend(panel).failures["provision"] = "The disk is full."
    provision(panel, failed)
    act(panel, "trash_instance", failed)
    assert states(panel) == {"DEFAULT": "removing"}
    remove(panel, failed)
    assert states(panel) == {}


def test_two_renames_before_one_deployment(panel: Panel) -> None:
    old, new = add(panel), add(panel, "NEW", version="18")
    with pytest.raises(Invalid, match="There is PostgreSQL “DEFAULT” already"):
        act(panel, "rename_instance", new, "DEFAULT")
    act(panel, "rename_instance", old, "old")
    act(panel, "rename_instance", new, "DEFAULT")
    act(panel, "rename_instance", new, "DEFAULT")
    assert (look(panel, old).prefix, look(panel, new).prefix) == ("OLD", "DEFAULT")
    with pytest.raises(Invalid, match="A prefix has letters"):
        act(panel, "rename_instance", new, "new one")
    with panel.work():
        assert instance(new).name == "PostgreSQL “DEFAULT”"
