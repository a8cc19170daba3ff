"""The page of an environment's variables: what is shown to whom, and what is said before saving."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event

from app.audit.models import AuditLine
from app.extensions import db
from app.variables.limits import MOST, Entry
from app.variables.operations import set_variable, set_variables
from app.variables.queries import count_variables, find_variable
from tests.panel import ALICE, BOB, CHARLIE, DORA, Panel, environment, user_of

PAGE = "/applications/demo/environments/test/variables/"
SECRET = "opensesame-4711"


def set_(panel: Panel, name: str, value: str, is_secret: bool = False) -> None:
    with panel.work():
        set_variable(environment(), name, value, is_secret, user_of(ALICE))


def value_of(panel: Panel, name: str) -> str | None:
    with panel.reading():
        row = find_variable(environment().id, name)
        return row.value if row else None


def actions(panel: Panel) -> list[tuple[str, str]]:
    with panel.reading():
        rows = db.session.scalars(db.select(AuditLine).order_by(AuditLine.id)).all()
        return [(row.action, str(row.details.get("name"))) for row in rows]


def test_only_those_who_work_on_the_site_see_variables(panel: Panel) -> None:
    set_(panel, "COLOUR", "ultramarine")
    for person in (ALICE, DORA):
        assert "ultramarine" in panel.client_of(person).get(PAGE).text
    assert panel.client_of(BOB).get(PAGE).status_code == 403
    assert panel.client_of(CHARLIE).get(PAGE).status_code == 404


def test_a_masked_value_tells_nothing_of_its_length(panel: Panel) -> None:
    pages = []
    for secret in ("x" * 9, "y" * 3000, ""):
        set_(panel, "API_KEY", secret, is_secret=True)
        page = panel.client_of(ALICE).get(PAGE).text
        pages.append(re.sub(r'name="csrf_token" value="[^"]*"|value="\d+"', "", page))
    assert pages[0] == pages[1] == pages[2]


def test_revealing_is_a_post_that_is_audited_and_kept_by_nobody(panel: Panel) -> None:
    set_(panel, "API_KEY", SECRET, is_secret=True)
    dora = panel.client_of(DORA)
    assert dora.get(f"{PAGE}API_KEY/reveal/").status_code == 405
    answer = dora.post(f"{PAGE}API_KEY/reveal/")
    assert SECRET in answer.text and answer.headers["Cache-Control"] == "no-store"
    assert ("variable.reveal", "API_KEY") in actions(panel)
    with panel.reading():
        key = environment().secret_key
    assert key in dora.post(f"{PAGE}SECRET_KEY/reveal/").text
    assert dora.post(f"{PAGE}NOTHING/reveal/").status_code == 404
    assert panel.client_of(BOB).post(f"{PAGE}API_KEY/reveal/").status_code == 403
    assert panel.client_of(CHARLIE).post(f"{PAGE}API_KEY/reveal/").status_code == 404
    assert sum(action == "variable.reveal" for action, _ in actions(panel)) == 2


@pytest.mark.parametrize(
    ("value", "remark"),
    [
        ("x  ", "2 spaces at the end are kept"),
        (" x", "1 space at the beginning is kept"),
        ("x\n", "a line break or tab at the end is kept"),
        ("   ", "nothing but white space"),
        ("one\ntwo", "2 lines"),
        ("se\u200bcret", "invisible character (U+200B)"),
        ("a\u00a0b", "invisible character (U+00A0)"),
    ],
)
def test_what_is_easily_overlooked_is_pointed_out(panel: Panel, value: str, remark: str) -> None:
    alice = panel.client_of(ALICE)
    data = {"name": "NAME", "value": value, "version": "0"}
    saved = alice.post(PAGE, data=data, follow_redirects=True)
    assert remark in saved.text and remark in alice.get(PAGE).text
    assert value_of(panel, "NAME") == value


def test_a_list_is_replaced_only_by_who_has_read_the_warning(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    data = {"name": "DOMAIN_REDIRECTS", "value": "a.example", "version": "0", "accepted": ""}
    asked = alice.post(PAGE, data=data)
    assert asked.status_code == 200 and "replaces the whole list" in asked.text
    assert "a.example" in asked.text, "what was typed is still there"
    assert value_of(panel, "DOMAIN_REDIRECTS") is None
    saved = alice.post(PAGE, data=data | {"accepted": "list"}, follow_redirects=True)
    assert value_of(panel, "DOMAIN_REDIRECTS") == "a.example"
    assert saved.text.count("replaces the whole list") >= 2
    assert "DOMAIN_ALIASES replaces the whole list" in alice.get(f"{PAGE}?new=DOMAIN_ALIASES").text
    assert "SITE_NAME replaces" not in alice.get(f"{PAGE}?new=SITE_NAME").text


@pytest.mark.parametrize(
    ("name", "value", "secret", "words"),
    [
        ("PIN", "1234", "y", "shorter than 8 characters cannot be masked"),
        ("PATH", "/nowhere", "", "programs in it may not be found"),
        ("SECRET_KEY", "another-secret-key", "y", "signs everybody out"),
        ("colour", "red", "", "There is COLOUR already"),
    ],
)
def test_other_second_thoughts(
    panel: Panel, name: str, value: str, secret: str, words: str
) -> None:
    set_(panel, "COLOUR", "blue")
    data = {"name": name, "value": value, "is_secret": secret, "version": "0"}
    asked = panel.client_of(ALICE).post(PAGE, data={k: v for k, v in data.items() if v})
    assert words in asked.text and value_of(panel, name) is None
    (accepted,) = re.findall(r'name="accepted" value="([a-z ]+)"', asked.text)
    panel.client_of(ALICE).post(PAGE, data=data | {"accepted": accepted})
    assert value_of(panel, name) == value


def test_a_refused_form_keeps_what_was_typed(panel: Panel) -> None:
    data = {"name": "1BAD", "value": "  long work  ", "version": "0"}
    answer = panel.client_of(ALICE).post(PAGE, data=data)
    assert answer.status_code == 400
    assert "not a digit first" in answer.text and "  long work  " in answer.text
    large = panel.client_of(ALICE).post(PAGE, data={"name": "BIG", "value": "x" * 1024**2})
    assert large.status_code == 400 and "at most 128 KiB" in large.text


def test_of_two_people_the_second_sees_both_values(panel: Panel) -> None:
    set_(panel, "COLOUR", "blue")
    alice, dora = panel.client_of(ALICE), panel.client_of(DORA)
    data = {"name": "COLOUR", "version": "1"}
    assert 'name="version" value="1"' in alice.get(f"{PAGE}?edit=COLOUR").text
    assert dora.post(PAGE, data=data | {"value": "vermilion"}).status_code == 303
    told = alice.post(PAGE, data=data | {"value": "ultramarine"})
    assert told.status_code == 409
    assert "vermilion" in told.text and "ultramarine" in told.text and "Dora" in told.text
    assert value_of(panel, "COLOUR") == "vermilion"
    assert 'name="version" value="2"' in told.text
    alice.post(PAGE, data=data | {"value": "ultramarine", "version": "2"})
    assert value_of(panel, "COLOUR") == "ultramarine"


def test_of_two_people_who_add_the_same_secret_none_is_shown_the_others(panel: Panel) -> None:
    set_(panel, "API_KEY", SECRET, is_secret=True)
    data = {"name": "API_KEY", "value": "mine-mine-mine", "is_secret": "y", "version": "0"}
    told = panel.client_of(DORA).post(PAGE, data=data)
    assert told.status_code == 409 and SECRET not in told.text and "mine-mine-mine" in told.text


def test_a_secret_left_empty_keeps_its_value(panel: Panel) -> None:
    set_(panel, "API_KEY", SECRET, is_secret=True)
    alice = panel.client_of(ALICE)
    data = {"name": "API_KEY", "value": "", "version": "1"}
    assert alice.post(PAGE, data=data | {"is_secret": "y"}).status_code == 303
    assert value_of(panel, "API_KEY") == SECRET
    refused = alice.post(PAGE, data=data)
    assert refused.status_code == 400 and "Enter the value again" in refused.text


def test_search_finds_parts_of_names_in_both_sections(panel: Panel) -> None:
    for name in ("SMTP_HOST", "SMTP_PORT", "COLOUR"):
        set_(panel, name, "x")
    page = panel.client_of(ALICE).get(f"{PAGE}?q=smtp+ho").text
    assert ">SMTP_HOST<" in page and ">SMTP_PORT<" not in page and ">COLOUR<" not in page
    page = panel.client_of(ALICE).get(f"{PAGE}?q=domain_").text
    assert ">DOMAIN_ALIASES<" in page and ">STAGE<" not in page
    assert "None of yours" in panel.client_of(ALICE).get(f"{PAGE}?q=%25").text


def test_five_thousand_variables_stay_usable(panel: Panel) -> None:
    with panel.work():
        entries = [Entry(f"NAME_{n:04}", f"value {n}", n % 3 == 0) for n in range(MOST)]
        set_variables(environment(), entries, user_of(ALICE))
    alice = panel.client_of(ALICE)
    alice.get(PAGE)
    queries: list[str] = []
    with panel.reading():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *a: queries.append(str(a[2])))
    first = alice.get(PAGE)
    selects = [text for text in queries if text.startswith("SELECT")]
    assert len(selects) <= 25, len(selects)
    assert first.text.count("/remove/") == 100 and "value 1<" in first.text
    assert ">NAME_4999<" in alice.get(f"{PAGE}?page=50").text
    assert len(first.data) < 1_000_000
    assert alice.get(f"{PAGE}copy/").status_code == 200
    everything = alice.post(f"{PAGE}copy/", data={"to": "live", "all": "y"})
    assert everything.status_code == 200
    names = [f"NAME_{n:04}" for n in range(MOST)]
    copied = alice.post(f"{PAGE}copy/apply/", data={"to": "live", "names": names})
    assert copied.status_code == 303
    with panel.reading():
        assert count_variables(environment("live").id) == MOST


def test_without_variables_the_page_teaches(panel: Panel) -> None:
    assert "None of your own yet" in panel.client_of(ALICE).get(PAGE).text
