"""History, undo, two people at once, copying, and what the audit says of it all."""

from __future__ import annotations

import pytest

from app.audit.models import AuditLine
from app.errors import Conflict, Invalid
from app.extensions import db
from app.variables.limits import Entry
from app.variables.models import VariableChange
from app.variables.operations import (
    Overtaken,
    copy_variables,
    remove_variable,
    set_variable,
    set_variables,
    undo_change,
)
from app.variables.planning import plan_entries
from app.variables.queries import find_change, find_variable, list_changes, list_variables
from tests.panel import ALICE, DORA, Panel, environment, user_of

SECRET = "opensesame-4711"


def set_(panel: Panel, name: str, value: str, is_secret: bool = False) -> None:
    with panel.work():
        set_variable(environment(), name, value, is_secret, user_of(ALICE))


def remove(panel: Panel, name: str) -> None:
    with panel.work():
        row = find_variable(environment().id, name)
        assert row
        remove_variable(environment(), row, user_of(ALICE))


def state(panel: Panel, name: str = "NAME") -> tuple[str, bool] | None:
    with panel.reading():
        row = find_variable(environment().id, name)
        return (row.value, row.is_secret) if row else None


def history(panel: Panel) -> list[tuple[str, str | None, str | None]]:
    with panel.reading():
        rows = db.session.scalars(list_changes(environment().id)).all()
        return [(row.name, row.before, row.after) for row in rows]


def undo(panel: Panel, back: int = 0) -> None:
    """Undo the newest change, or one `back` from it."""
    with panel.work():
        row = db.session.scalars(list_changes(environment().id)).all()[back]
        undo_change(environment(), row, user_of(DORA))


def test_each_change_leaves_a_line(panel: Panel) -> None:
    set_(panel, "NAME", "one")
    set_(panel, "NAME", "two")
    set_(panel, "NAME", "two")
    remove(panel, "NAME")
    assert history(panel) == [("NAME", "two", None), ("NAME", "one", "two"), ("NAME", None, "one")]


def test_values_in_the_history_are_unreadable_in_the_database(panel: Panel) -> None:
    set_(panel, "NAME", "ultramarine")
    set_(panel, "NAME", "vermilion")
    with panel.reading():
        raw = db.session.execute(db.text("SELECT before, after FROM variable_changes")).all()
        assert len(raw) == 2
        assert "ultramarine" not in str(raw) and "vermilion" not in str(raw)


def test_undo_puts_back_what_was_before_and_can_be_undone(panel: Panel) -> None:
    set_(panel, "NAME", " one ", is_secret=True)
    set_(panel, "NAME", "two")
    undo(panel)
    assert state(panel) == (" one ", True)
    undo(panel)
    assert state(panel) == ("two", False)


def test_undo_of_a_removal_and_of_an_addition(panel: Panel) -> None:
    set_(panel, "NAME", "one", is_secret=True)
    remove(panel, "NAME")
    undo(panel)
    assert state(panel) == ("one", True)
    undo(panel)
    assert state(panel) is None
    with pytest.raises(Conflict, match="changed again since"):
        undo(panel, back=3)  # the first addition: the variable is not there any more


def test_undo_is_refused_when_it_was_changed_since(panel: Panel) -> None:
    for value in ("one", "two", "three"):
        set_(panel, "NAME", value)
    with pytest.raises(Conflict, match="changed again since"):
        undo(panel, back=1)
    assert state(panel) == ("three", False)
    set_(panel, "NAME", "three", is_secret=True)
    with pytest.raises(Conflict):
        undo(panel, back=1)


def test_a_change_of_another_environment_is_not_found(panel: Panel) -> None:
    set_(panel, "NAME", "one")
    with panel.reading():
        number = db.session.scalars(db.select(VariableChange.id)).one()
        assert find_change(environment().id, number)
        assert find_change(environment("live").id, number) is None


def test_of_two_people_the_second_is_told(panel: Panel) -> None:
    set_(panel, "NAME", "one")
    with panel.work():
        set_variable(environment(), "NAME", "Dora's", False, user_of(DORA), version=1)
    for version in (0, 1, 3):
        with pytest.raises(Overtaken), panel.work():
            set_variable(environment(), "NAME", "Alice's", False, user_of(ALICE), version=version)
    with pytest.raises(Overtaken), panel.work():
        set_variable(environment(), "GONE", "x", False, user_of(ALICE), version=1)
    with panel.work():
        set_variable(environment(), "NEW", "x", False, user_of(ALICE), version=0)
        set_variable(environment(), "NAME", "Alice's", False, user_of(ALICE), version=2)
    assert state(panel) == ("Alice's", False)


def test_many_are_set_only_as_they_were_seen(panel: Panel) -> None:
    set_(panel, "NAME", "one")
    entries = [Entry("NAME", "two", False), Entry("OTHER", "x", False)]
    with panel.reading():
        seen = plan_entries(environment().id, entries).seen
    set_(panel, "UNRELATED", "x")
    set_(panel, "OTHER", "Dora's")
    with pytest.raises(Overtaken), panel.work():
        set_variables(environment(), entries, user_of(ALICE), seen)
    assert state(panel) == ("one", False)


def test_copies_keep_secrets_secret_and_leave_others_alone(panel: Panel) -> None:
    set_(panel, "API_KEY", SECRET, is_secret=True)
    set_(panel, "COLOUR", "blue")
    with panel.work():
        live = environment("live")
        set_variable(live, "COLOUR", "red", False, user_of(ALICE))
        set_variable(live, "OWN", "x", False, user_of(ALICE))
        assert copy_variables(environment(), live, ["API_KEY"], user_of(ALICE)) == 1
        assert copy_variables(environment(), live, None, user_of(ALICE)) == 1
    with panel.reading():
        rows = list_variables(environment("live").id)
        assert [(row.name, row.value, row.is_secret) for row in rows] == [
            ("API_KEY", SECRET, True),
            ("COLOUR", "blue", False),
            ("OWN", "x", False),
        ]


def test_copies_stay_within_the_application(panel: Panel) -> None:
    with panel.work(), pytest.raises(Invalid):
        copy_variables(environment(), environment("live", "other"), None, user_of(ALICE))
    with panel.work(), pytest.raises(Invalid):
        copy_variables(environment(), environment(), None, user_of(ALICE))


def test_the_audit_tells_values_and_of_secrets_that_they_differ(panel: Panel) -> None:
    set_(panel, "COLOUR", "blue")
    set_(panel, "COLOUR", "red")
    set_(panel, "API_KEY", SECRET, is_secret=True)
    set_(panel, "API_KEY", SECRET + "!", is_secret=True)
    set_(panel, "API_KEY", SECRET)
    set_(panel, "LONG", "x" * 5000)
    with panel.reading():
        rows = db.session.scalars(db.select(AuditLine).order_by(AuditLine.id)).all()
        lines = [row.details for row in rows if row.action == "variable.set"]
    assert "before" not in lines[0] and lines[0]["after"] == "blue"
    assert (lines[1]["before"], lines[1]["after"]) == ("blue", "red")
    assert lines[3]["before"] == lines[2]["after"] != lines[3]["after"]
    assert lines[4]["after"] == lines[2]["after"], "a secret made plain is none for the audit"
    assert "opensesame" not in str(lines)
    assert len(lines[5]["after"]) < 300
