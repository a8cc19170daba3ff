"""The guard on every view: what may only look changes nothing, and nobody forgets to ask."""

from __future__ import annotations

from app.permissions import LOOK, Permission
from app.web.access import requires
from tests.matrix import guarded
from tests.panel import ALICE, Panel


def test_nothing_that_changes_is_given_to_those_who_may_only_look(panel: Panel) -> None:
    changing = {
        rule.endpoint: panel.app.view_functions[rule.endpoint].permission  # type: ignore[attr-defined]
        for rule, method in guarded(panel.app)
        if method == "POST"
    }
    assert len(changing) > 12
    readable = LOOK | {Permission.ORGANISATION_READ, Permission.VARIABLES_READ}
    assert {name: right for name, right in changing.items() if right in readable} == {}


def test_a_view_that_forgets_to_ask_gives_no_answer(panel: Panel) -> None:
    """The guard itself: a page that loads nothing through an access function is withheld."""
    forgetful = requires(Permission.APPLICATION_READ)(lambda: "secret")
    panel.app.view_functions["overview.home"] = forgetful
    answer = panel.client_of(ALICE).get("/")
    assert answer.status_code == 403 and "secret" not in answer.text
