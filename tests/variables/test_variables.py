"""Variables: kept exactly as typed, and secrets shown nowhere."""

from __future__ import annotations

import json

import pytest

from app.audit.models import AuditLine
from app.environments.models import Environment
from app.errors import Invalid
from app.extensions import db
from app.variables.limits import STRING_BYTES
from app.variables.models import Variable
from app.variables.operations import remove_variable, set_variable
from app.variables.queries import find_variable, list_variables
from tests.panel import ADAM, ALICE, BOB, DORA, Panel, environment, user_of

PAGE = "/applications/demo/environments/test/variables/"
SECRET = "opensesame-4711"


def set_(panel: Panel, name: str, value: str, is_secret: bool = False) -> None:
    with panel.work():
        set_variable(environment(), name, value, is_secret, user_of(ALICE))


def value_of(panel: Panel, name: str) -> str | None:
    with panel.reading():
        row = find_variable(environment().id, name)
        return row.value if row else None


@pytest.mark.parametrize(
    "name",
    ["", " ", "1A", "A-B", "A B", "A=B", "Ä", "A\0", "A\n", "A.B", "x" * 201, "$A", "MOONBASE_X"],
    ids=ascii,
)
def test_bad_names_are_refused(panel: Panel, name: str) -> None:
    if name == "A\n":  # trimmed like any blank at the end
        set_(panel, name, "x")
        return
    with pytest.raises(Invalid) as refused:
        set_(panel, name, "x")
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    "value", ["", " ", "  both ends  ", "\ttab\n", "line\nline", "käse 🌙", "'\"`$(x)", "x=y"]
)
def test_values_are_kept_exactly(panel: Panel, value: str) -> None:
    set_(panel, "NAME", value)
    assert value_of(panel, "NAME") == value


def test_spaces_survive_the_form(panel: Panel) -> None:
    data = {"name": " PADDED ", "value": "  two spaces  "}
    assert panel.client_of(ALICE).post(PAGE, data=data).status_code == 303
    assert value_of(panel, "PADDED") == "  two spaces  "


def test_a_value_is_as_large_as_linux_takes(panel: Panel) -> None:
    most = STRING_BYTES - len("BIG") - 2  # "BIG=" and the NUL that ends it
    set_(panel, "BIG", "é" * (most // 2))
    for value in ("x" * (most + 1), "é" * (most // 2 + 1), "x" * 1024**2):
        with pytest.raises(Invalid, match="at most 128 KiB"):
            set_(panel, "BIG", value)
    with pytest.raises(Invalid, match="NUL"):
        set_(panel, "BIG", "a\0b")


@pytest.mark.parametrize(
    "value", ["", "0", "65536", "http", "-1", "²", "８０", "9" * 5000, "80 81"]
)
def test_port_is_a_port(panel: Panel, value: str) -> None:
    with pytest.raises(Invalid, match="PORT is a number"):
        set_(panel, "PORT", value)


def test_setting_again_replaces(panel: Panel) -> None:
    set_(panel, "NAME", "one")
    set_(panel, "NAME", "two", is_secret=True)
    with panel.reading():
        rows = list_variables(environment().id)
        assert [(row.value, row.is_secret) for row in rows] == [("two", True)]


def test_environments_have_their_own(panel: Panel) -> None:
    set_(panel, "NAME", "of test")
    with panel.reading():
        assert list_variables(environment("live").id) == []


def test_a_removed_variable_is_gone(panel: Panel) -> None:
    set_(panel, "NAME", "x")
    with panel.work():
        row = find_variable(environment().id, "NAME")
        assert row
        remove_variable(environment(), row, user_of(ALICE))
    assert value_of(panel, "NAME") is None
    assert panel.client_of(ALICE).post(f"{PAGE}NAME/remove/").status_code == 404


def test_a_secret_is_on_no_page_and_in_no_audit_line(panel: Panel) -> None:
    data = {"name": "API_KEY", "value": SECRET, "is_secret": "y"}
    alice = panel.client_of(ALICE)
    answers = [alice.post(PAGE, data=data, follow_redirects=True)]
    with panel.reading():
        site_key = environment().secret_key
    pages = [PAGE, f"{PAGE}?edit=API_KEY", "/applications/demo/", "/organisations/moon/audit/"]
    pages += ["/applications/demo/settings/", "/applications/demo/environments/test/"]
    for person in (ALICE, ADAM, DORA, BOB):
        answers += [panel.client_of(person).get(page) for page in pages]
    for answer in answers:
        assert SECRET not in answer.text and site_key not in answer.text
    assert "API_KEY" in answers[0].text
    with panel.reading():
        lines = db.session.scalars(db.select(AuditLine)).all()
        assert any(line.action == "variable.set" for line in lines)
        assert not any(SECRET in f"{line.subject}{json.dumps(line.details)}" for line in lines)


def test_ordinary_values_are_shown_to_be_edited(panel: Panel) -> None:
    set_(panel, "COLOUR", "ultramarine")
    assert "ultramarine" in panel.client_of(DORA).get(f"{PAGE}?edit=COLOUR").text


def test_an_environment_gone_takes_its_variables_along(panel: Panel) -> None:
    set_(panel, "NAME", "x")
    with panel.work():
        db.session.execute(db.delete(Environment).where(Environment.id == environment().id))
        assert db.session.scalars(db.select(Variable)).all() == []
