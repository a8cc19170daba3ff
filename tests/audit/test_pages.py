"""The log's pages: who sees what, searching, paging, downloading."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.exports import FORMULA, harmless
from app.audit.filters import Filter, read_filter
from app.audit.models import AuditLine
from app.audit.operations import record
from app.audit.words import GROUPS, OF_OPERATORS, SENTENCES, sentence
from app.organisations.operations import rename_organisation
from tests.panel import ADAM, ALICE, BOB, CHARLIE, Panel, organisation, user_of

PAGE = "/organisations/moon/audit/"


def note(panel: Panel, action: str, subject: str, **details: object) -> None:
    with panel.work():
        record(action, subject, actor=user_of(ALICE), organisation_id=organisation().id, **details)


def test_who_sees_the_log(panel: Panel) -> None:
    for path in (PAGE, f"{PAGE}export.csv", f"{PAGE}export.jsonl"):
        assert panel.client_of(ALICE).get(path).status_code == 200
        assert panel.client_of(ADAM).get(path).status_code == 200
        assert panel.client_of(BOB).get(path).status_code == 403
        assert panel.client_of(CHARLIE).get(path).status_code == 404
    assert panel.client_of(ALICE).get(f"{PAGE}export.exe").status_code == 404


def test_acts_read_as_sentences_with_the_exact_data_below(panel: Panel) -> None:
    note(panel, "variable.set", "demo/live", name="SMTP_HOST", before="a.example", after="b")
    page = panel.client_of(ALICE).get(PAGE).text
    assert "Alice changed SMTP_HOST of demo/live" in page
    assert "a.example" in page and "platform" in page


def test_a_line_of_an_unknown_act_is_shown_all_the_same(panel: Panel) -> None:
    note(panel, "future.act", "demo", odd={"a": [1, None, True]})
    page = panel.client_of(ALICE).get(PAGE).text
    assert "Alice: future.act – demo" in page and "a: 1, –, yes" in page


def test_markup_in_names_stays_text(panel: Panel) -> None:
    note(panel, "variable.set", "<b>x</b>", name="<script>alert(1)</script>{actor}")
    page = panel.client_of(ALICE).get(PAGE).text
    assert "<script>alert" not in page and "<b>x" not in page


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("q=smtp_host", 1),
        ("q=smtp_host+demo", 1),
        ("q=smtp_host+nowhere", 0),
        ("q=Zo%C3%AB", 1),
        ("q=%25", 0),
        ("q=SMTP%5F", 1),
        ("group=variable", 2),
        ("group=deployment", 0),
        ("application=demo&group=variable", 1),
        ("application=dem&group=variable", 0),
        ("actor=Alice&group=variable", 2),
        ("actor=Bob&group=variable", 0),
        ("since=2999-01-01", 0),
        ("until=2001-01-01", 0),
        ("since=2001-01-01&until=2999-01-01&group=variable", 2),
        ("since=yesterday&group=variable", 2),
        ("q=%00&group=variable", 2),
    ],
)
def test_the_filter(panel: Panel, query: str, hits: int) -> None:
    note(panel, "variable.set", "demo/live", name="SMTP_HOST", after="Zoë")
    note(panel, "variable.set", "other/live", name="MAIL_FROM")
    page = panel.client_of(ALICE).get(f"{PAGE}export.jsonl?{query}").text
    assert len(page.splitlines()) == hits
    assert panel.client_of(ALICE).get(f"{PAGE}?{query}").status_code == 200


def test_the_filter_is_kept_over_pages(panel: Panel) -> None:
    with panel.work():
        for number in range(60):
            record(
                "variable.set",
                "demo/live",
                actor=user_of(ALICE),
                organisation_id=organisation().id,
                name=f"N{number}",
            )
    page = panel.client_of(ALICE).get(f"{PAGE}?group=variable&q=demo").text
    assert "60 acts fit" in page
    assert "q=demo" in page and "page=2" in page and "group=variable" in page
    second = panel.client_of(ALICE).get(f"{PAGE}?group=variable&q=demo&page=2").text
    assert "added N9 to" in second and "added N10 to" not in second


def test_a_csv_holds_no_formula_and_every_line(panel: Panel) -> None:
    note(panel, "variable.set", "demo/live", name="=cmd|' /C calc'!A0", after="+1", before="@x")
    with panel.work():
        rename_organisation(organisation(), "=1+1", user_of(ALICE))
    answer = panel.client_of(ALICE).get(f"{PAGE}export.csv?q=demo")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-moon.csv"'
    whole = panel.client_of(ALICE).get(f"{PAGE}export.csv").text
    rows = list(csv.DictReader(io.StringIO(whole)))
    assert not any(cell.startswith(FORMULA) for row in rows for cell in row.values())
    assert rows[0]["subject"] == "'=1+1" and rows[1]["after"] == "'+1"
    with panel.reading():
        assert len(rows) == len(organisation_lines := list(_lines(organisation().id)))
        assert [row["hash"] for row in rows] == [line.hash for line in organisation_lines]


def _lines(organisation_id: int) -> list[AuditLine]:
    from app.audit.queries import list_lines
    from app.extensions import db

    return list(db.session.scalars(list_lines(organisation_id=organisation_id)))


def test_an_export_longer_than_a_batch_misses_and_doubles_nothing(panel: Panel) -> None:
    with panel.work():
        for number in range(1203):
            record("mark", str(number), actor=None, organisation_id=organisation().id)
    text = panel.client_of(ALICE).get(f"{PAGE}export.jsonl?group=mark").text
    assert text == ""  # “mark” has no group
    text = panel.client_of(ALICE).get(f"{PAGE}export.jsonl?q=mark").text
    subjects = [json.loads(line)["subject"] for line in text.splitlines()]
    assert subjects == [str(number) for number in range(1202, -1, -1)]


def test_ones_own_acts(panel: Panel) -> None:
    note(panel, "variable.set", "demo/live", name="MINE")
    assert "added MINE to" in panel.client_of(ALICE).get("/account/activity/").text
    assert "added MINE to" not in panel.client_of(BOB).get("/account/activity/").text
    assert panel.client().get("/account/activity/").status_code == 302


def test_operators_read_lines_of_organisations_that_are_gone(panel: Panel) -> None:
    with panel.work():
        user_of(ALICE).is_operator = True
        record("organisation.delete", "Lost & Co", actor=user_of(CHARLIE), organisation_id=4711)
    page = panel.client_of(ALICE).get("/operator/audit/?q=Lost").text
    assert "Charlie deleted the organisation Lost &amp; Co" in page
    assert panel.client_of(BOB).get("/operator/audit/").status_code == 404


def test_every_sentence_can_be_said(panel: Panel) -> None:
    """Also of a line whose details were written by an older version."""
    with panel.app.test_request_context():
        for action in SENTENCES:
            line = AuditLine(action=action, subject="demo", actor_name="Alice", details={})
            assert "{" not in sentence(line), action
            assert action.partition(".")[0] in {*GROUPS, *OF_OPERATORS}, action


@given(st.text())
def test_no_cell_begins_like_a_formula(cell: str) -> None:
    made = harmless(cell)
    assert not made.lstrip(" ").startswith(FORMULA)
    assert made.removeprefix("'") == cell or made == cell


@given(st.dictionaries(st.sampled_from(["q", "group", "since", "until", "actor"]), st.text()))
def test_any_address_is_a_filter_and_back(arguments: dict[str, str]) -> None:
    wanted = read_filter(arguments)
    assert isinstance(wanted, Filter)
    assert read_filter(wanted.arguments()) == wanted
