"""On PostgreSQL two people really write at the same moment: one is told, nothing is lost."""

from __future__ import annotations

import threading

from app.errors import PanelError
from app.extensions import db
from app.variables.limits import Entry
from app.variables.operations import Overtaken, set_variable, set_variables, undo_change
from app.variables.planning import plan_entries
from app.variables.queries import (
    bound_of_total,
    exact_total,
    find_alike,
    find_variable,
    list_changes,
    names_once_secret,
    search_variables,
)
from tests.panel import (
    ALICE,
    DORA,
    Panel,
    environment,
    user_of,
)

PEOPLE = (ALICE, DORA)


def test_two_at_once(settled_postgresql_panel: Panel) -> None:
    panel = settled_postgresql_panel
    with panel.work():
        set_variable(environment(), "COLOUR", "blue", False, user_of(ALICE))
    together = threading.Barrier(len(PEOPLE))
    errors: list[PanelError] = []

    def save(number: int) -> None:
        try:
            with panel.work():
                place, person = environment(), user_of(PEOPLE[number])
                together.wait(10)
                set_variable(place, "COLOUR", f"of {person.name}", False, person, version=1)
        except PanelError as error:
            errors.append(error)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(len(PEOPLE))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(errors) == 1 and isinstance(errors[0], Overtaken)
    with panel.reading():
        assert len(db.session.scalars(list_changes(environment().id)).all()) == 2
        row = find_variable(environment().id, "COLOUR")
        assert row and row.version == 2 and row.value.startswith("of ")
    look_around(panel)
    panel.close()


def look_around(panel: Panel) -> None:
    """All other queries say the same here as on SQLite."""
    with panel.work():
        place, alice = environment(), user_of(ALICE)
        entries = [Entry("API_KEY", "opensesame-4711", True), Entry("PERCENT_", "x", False)]
        assert set_variables(place, entries, alice, plan_entries(place.id, entries).seen) == 2
        db.session.flush()
        assert exact_total(place.id) <= bound_of_total(place.id)
        assert find_alike(place.id, "colour") == ["COLOUR"]
        assert names_once_secret([place.id], ["API_KEY", "COLOUR"]) == {(place.id, "API_KEY")}
        assert [row.name for row in db.session.scalars(search_variables(place.id, "t_"))] == [
            "PERCENT_"
        ]
        newest = db.session.scalars(list_changes(place.id, "percent")).one()
        undo_change(place, newest, alice)
        assert find_variable(place.id, "PERCENT_") is None
