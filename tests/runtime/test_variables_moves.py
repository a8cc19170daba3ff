"""Pasting, exporting, copying and undoing on pages."""

from __future__ import annotations

import logging
import re

import pytest

from app.audit.models import AuditLine
from app.extensions import db
from app.variables.limits import MOST
from app.variables.operations import set_variable
from app.variables.queries import count_variables, find_variable, list_changes, list_variables
from tests.panel import ALICE, BOB, CHARLIE, DORA, Panel, environment, user_of

PAGE = "/applications/demo/environments/test/variables/"
SECRET = "opensesame-4711"
MULTIPART = "multipart/form-data"


def set_(panel: Panel, name: str, value: str, is_secret: bool = False, on: str = "test") -> None:
    with panel.work():
        set_variable(environment(on), name, value, is_secret, user_of(ALICE))


def variables(panel: Panel, on: str = "test") -> dict[str, tuple[str, bool]]:
    with panel.reading():
        rows = list_variables(environment(on).id)
        return {row.name: (row.value, row.is_secret) for row in rows}


def field_of(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"\s+value="([^"]*)"', page)
    assert found, name
    return found[1]


@pytest.mark.parametrize("path", ["paste/", "copy/", "history/"])
def test_strangers_and_lookers_are_kept_out(panel: Panel, path: str) -> None:
    assert panel.client_of(DORA).get(PAGE + path).status_code == 200
    assert panel.client_of(BOB).get(PAGE + path).status_code == 403
    assert panel.client_of(CHARLIE).get(PAGE + path).status_code == 404
    if path != "history/":
        assert panel.client_of(BOB).post(PAGE + path, data={"text": "A=1"}).status_code == 403


def test_a_preview_saves_nothing_and_tells_each_line(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    set_(panel, "COLOUR", "blue")
    set_(panel, "SAME", "as ever")
    caplog.set_level(logging.DEBUG)
    alice = panel.client_of(ALICE)
    text = f"COLOUR=red\nSAME='as ever'\nAPI_KEY={SECRET}\n1BAD=x\n"
    page = alice.post(f"{PAGE}paste/", data={"text": text}, content_type=MULTIPART)
    assert "1 new, 1 changed, 1 the same, 1 refused" in page.text
    assert "line 4" in page.text and "not a digit first" in page.text
    assert "Set 2 variables" not in page.text, "all or nothing"
    table = page.text[page.text.index("<table") : page.text.index("</table")]
    assert SECRET not in table and re.search(r'value="API_KEY"[^>]*checked', table)
    assert set(variables(panel)) == {"COLOUR", "SAME"}
    assert SECRET not in caplog.text
    assert SECRET not in str(page.headers) and SECRET not in page.request.url


def test_paste_is_applied_at_once_with_secrets_as_ticked(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    text = f"COLOUR='  red '\r\nAPI_KEY={SECRET}\r\nPUBLIC_KEY=abc\r\n"
    page = alice.post(f"{PAGE}paste/", data={"text": text}, content_type=MULTIPART).text
    assert "Set 3 variables" in page
    data = {
        "text": text,
        "seen": field_of(page, "seen"),
        "shown": field_of(page, "shown"),
        "secret": ["API_KEY"],
    }
    again = alice.post(f"{PAGE}paste/", data=data, content_type=MULTIPART).text
    assert re.search(r'value="API_KEY"[^>]*checked', again)
    assert not re.search(r'value="PUBLIC_KEY"[^>]*checked', again), "the person has decided"
    assert alice.post(f"{PAGE}paste/apply/", data=data, content_type=MULTIPART).status_code == 303
    assert variables(panel) == {
        "COLOUR": ("  red ", False),
        "API_KEY": (SECRET, True),
        "PUBLIC_KEY": ("abc", False),
    }


def test_paste_is_refused_as_a_whole(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    answer = alice.post(f"{PAGE}paste/apply/", data={"text": "GOOD=1\nB AD=2\n"})
    assert answer.status_code == 400 and "Line 2 cannot be used" in answer.text
    assert variables(panel) == {}
    page = alice.post(f"{PAGE}paste/", data={"text": "GOOD=1\n"}).text
    set_(panel, "GOOD", "Dora's")
    data = {"text": "GOOD=1\n", "seen": field_of(page, "seen")}
    answer = alice.post(f"{PAGE}paste/apply/", data=data)
    assert answer.status_code == 409 and "Look again" in answer.text and "GOOD=1" in answer.text
    assert variables(panel) == {"GOOD": ("Dora's", False)}


def test_paste_has_a_limit_and_takes_all_that_is_within(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    large = alice.post(f"{PAGE}paste/", data={"text": "#" * 1_100_000}, content_type=MULTIPART)
    assert large.status_code == 400 and "at most 1024 KiB" in large.text
    huge = alice.post(f"{PAGE}paste/", data={"text": "#" * 3_000_000}, content_type=MULTIPART)
    assert huge.status_code == 413
    names = [f"TOKEN_{number}" for number in range(MOST)]
    text = "".join(f"{name}=value-{name}\n" for name in names)
    data = {"text": text, "secret": names}
    assert alice.post(f"{PAGE}paste/", data=data, content_type=MULTIPART).status_code == 200
    assert alice.post(f"{PAGE}paste/apply/", data=data, content_type=MULTIPART).status_code == 303
    with panel.reading():
        assert count_variables(environment().id) == MOST
        row = find_variable(environment().id, "TOKEN_7")
        assert row and row.is_secret


def test_export_reads_back_the_same_and_is_audited(panel: Panel) -> None:
    for name, value, is_secret in (
        ("API_KEY", SECRET, True),
        ("PADDED", "  x\n'\" \\ #$A ", False),
        ("EMPTY", "", False),
    ):
        set_(panel, name, value, is_secret)
    before = variables(panel)
    dora = panel.client_of(DORA)
    assert dora.get(f"{PAGE}export/").status_code == 405
    answer = dora.post(f"{PAGE}export/")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "demo-test.env" in answer.headers["Content-Disposition"]
    assert "SECRET_KEY" not in answer.text
    live = PAGE.replace("/test/", "/live/")
    assert dora.post(f"{live}paste/apply/", data={"text": answer.text}).status_code == 303
    copied = {name: value for name, (value, _) in variables(panel, "live").items()}
    assert copied == {name: value for name, (value, _) in before.items()}
    assert "SECRET_KEY='" in dora.post(f"{PAGE}export/", data={"automatic": "y"}).text
    with panel.reading():
        exports = db.select(AuditLine).where(AuditLine.action == "variable.export")
        lines = db.session.scalars(exports).all()
        assert [line.actor_name for line in lines] == ["Dora", "Dora"]
    assert panel.client_of(BOB).post(f"{PAGE}export/").status_code == 403


def test_copying_shows_what_it_overwrites_and_then_does_it(panel: Panel) -> None:
    set_(panel, "API_KEY", SECRET, True)
    set_(panel, "COLOUR", "blue")
    set_(panel, "COLOUR", "red", on="live")
    alice = panel.client_of(ALICE)
    chosen = {"to": "live", "names": ["API_KEY", "COLOUR"]}
    page = alice.post(f"{PAGE}copy/", data=chosen).text
    assert "1 new, 1 overwritten, 0 the same" in page and SECRET not in page
    assert variables(panel, "live") == {"COLOUR": ("red", False)}
    data = chosen | {"seen": field_of(page, "seen")}
    set_(panel, "COLOUR", "green", on="live")
    told = alice.post(f"{PAGE}copy/apply/", data=data)
    assert told.status_code == 409 and "Look again" in told.text
    data["seen"] = field_of(told.text, "seen")
    assert alice.post(f"{PAGE}copy/apply/", data=data).status_code == 303
    assert variables(panel, "live") == variables(panel)


@pytest.mark.parametrize("to", ["", "nowhere", "test"])
def test_copies_go_to_another_environment_only(panel: Panel, to: str) -> None:
    set_(panel, "COLOUR", "blue")
    answer = panel.client_of(ALICE).post(f"{PAGE}copy/apply/", data={"to": to, "names": ["COLOUR"]})
    assert answer.status_code in {400, 404}


def test_the_history_masks_what_is_or_was_a_secret(panel: Panel) -> None:
    set_(panel, "COLOUR", "blue")
    set_(panel, "COLOUR", "red")
    set_(panel, "API_KEY", "plain-at-first")
    set_(panel, "API_KEY", "plain-at-first", is_secret=True)
    page = panel.client_of(DORA).get(f"{PAGE}history/").text
    assert "blue" in page and "red" in page and "Alice" in page
    assert "plain-at-first" not in page and "API_KEY" in page
    filtered = panel.client_of(DORA).get(f"{PAGE}history/?q=col").text
    assert "API_KEY" not in filtered and "COLOUR" in filtered


def test_undo_on_the_page(panel: Panel) -> None:
    set_(panel, "COLOUR", "blue")
    set_(panel, "COLOUR", "red")
    with panel.reading():
        newest, first = db.session.scalars(list_changes(environment().id)).all()
        paths = [f"{PAGE}history/{row.id}/undo/" for row in (newest, first)]
    dora = panel.client_of(DORA)
    refused = dora.post(paths[1])
    assert refused.status_code == 409 and "changed again since" in refused.text
    assert dora.post(paths[0], follow_redirects=True).status_code == 200
    assert variables(panel) == {"COLOUR": ("blue", False)}
    assert panel.client_of(BOB).post(paths[0]).status_code == 403
    assert dora.post(paths[0].replace("/test/", "/live/")).status_code == 404
