"""The pages of Flavours addons: who sees them, and what comes of the form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from app.variables.queries import list_variables
from tests.addons.flavours.laravel import ADDON, KEY, NAME, PREFIX, install, put
from tests.panel import ALICE, BOB, CHARLIE, DORA, EVE, Panel, Person, environment

LIST = "/applications/demo/environments/test/flavours/"
FORM = f"{LIST}{KEY}/"
ENTERED = {
    "setting-cache-lifetime": "3600",
    "setting-driver": "redis",
    "setting-header": "",
    "setting-build": "hacked",
}


def seen_on(page: TestResponse) -> str:
    found = re.search(r'name="seen"\s+value="([0-9a-f]*)"', page.text)
    assert found is not None
    return found[1]


def post(
    panel: Panel, person: Person = ALICE, more: Mapping[str, str] | None = None
) -> TestResponse:
    browser = panel.client_of(person)
    page = browser.get(FORM)
    seen = seen_on(page) if page.status_code == 200 else ""
    return browser.post(FORM, data={"seen": seen} | ENTERED | dict(more or {}))


def variables(panel: Panel) -> dict[str, str]:
    with panel.reading():
        return {row.name: row.value for row in list_variables(environment().id)}


def test_a_site_without_any_learns_how(panel: Panel) -> None:
    page = panel.client_of(ALICE).get(LIST)
    assert page.status_code == 200 and "flavour add namespace/addon:version" in page.text


def test_from_the_list_to_a_saved_form(panel: Panel) -> None:
    install(panel, ADDON)
    browser = panel.client_of(ALICE)
    page = browser.get(LIST).text
    assert NAME in page and "6.1.1" in page and f'href="{FORM}"' in page
    form = browser.get(FORM).text
    assert "Lifetime" in form and 'value="604800"' in form and f"{PREFIX}_CACHE_LIFETIME" in form
    assert '<a href="https://example.com/lifetime"' in form  # help may hold links
    answer = post(panel)
    assert answer.status_code == 303 and answer.location == LIST
    assert variables(panel) == {
        "RESPONSE_CACHE_ENABLED": "False",  # its box was not ticked
        f"{PREFIX}_CACHE_LIFETIME": "3600",
        f"{PREFIX}_DRIVER": "redis",
        f"{PREFIX}_BUILD": "1.10",  # read only, whatever is sent
    }
    assert 'value="3600"' in browser.get(FORM).text
    listed = browser.get("/applications/demo/environments/test/variables/").text
    assert f"{PREFIX}_DRIVER" in listed


@pytest.mark.parametrize(
    ("person", "list_status", "form_status"),
    [(ALICE, 200, 200), (DORA, 200, 200), (BOB, 200, 403), (EVE, 403, 403), (CHARLIE, 404, 404)],
    ids=str,
)
def test_who_may(panel: Panel, person: Person, list_status: int, form_status: int) -> None:
    install(panel, ADDON)
    browser = panel.client_of(person)
    page = browser.get(LIST)
    assert page.status_code == list_status
    assert ("Configure" in page.text) == (form_status == 200)
    assert browser.get(FORM).status_code == form_status
    saved = post(panel, person).status_code
    assert saved == (303 if form_status == 200 else form_status)
    assert bool(variables(panel)) == (form_status == 200)


def test_errors_stand_at_their_fields_and_nothing_is_lost(panel: Panel) -> None:
    install(panel, ADDON)
    answer = post(panel, more={"setting-cache-lifetime": "-2", "setting-driver": ""})
    assert answer.status_code == 400
    text = unescape(answer.text)
    assert "“Lifetime” is at least -1." in text
    assert "“Where answers are kept” must be filled in." in text
    assert 'value="-2"' in text and re.search(r"<details[^>]*\bopen\b", text)
    answer = post(panel, more={"setting-cache-lifetime": "soon"})
    assert answer.status_code == 400 and "Enter a whole number." in answer.text
    assert 'value="soon"' in answer.text
    assert variables(panel) == {}


def test_two_people_at_once(panel: Panel) -> None:
    install(panel, ADDON)
    browser = panel.client_of(ALICE)
    seen = seen_on(browser.get(FORM))
    assert post(panel, DORA).status_code == 303
    late = browser.post(FORM, data={"seen": seen} | ENTERED | {"setting-driver": "mine"})
    assert late.status_code == 409 and "Somebody else" in late.text and "mine" in late.text
    assert variables(panel)[f"{PREFIX}_DRIVER"] == "redis"


def test_problems_are_told_and_have_no_form(panel: Panel) -> None:
    install(panel, ADDON.replace("RESPONSE_CACHE_ENABLED", "DATABASE_URL"))
    browser = panel.client_of(ALICE)
    text = browser.get(LIST).text
    assert "DATABASE_URL, which belongs to Moonbase" in text and "Configure" not in text
    assert browser.get(FORM).status_code == 404
    assert browser.post(FORM, data=ENTERED).status_code == 404
    put(panel, {"app.flavour": "spec: 9\n"})
    page = browser.get(LIST)
    assert page.status_code == 200 and "only 0.1 is known" in page.text


def test_what_the_file_says_is_text_on_the_page(panel: Panel) -> None:
    """Labels and help come from a repository: nothing of them acts."""
    wild = "<script>alert(1)</script><img src=x onerror=alert(2)><a href='javascript:x()'>x</a>"
    addon = ADDON.replace("label: Lifetime", f'label: "{wild}"')
    addon = addon.replace("helptext: In seconds.", f"helptext: {wild}")
    install(panel, addon)
    page = panel.client_of(ALICE).get(FORM)
    assert page.status_code == 200 and "alert(1)" in page.text  # the label is there
    assert "<script>alert" not in page.text and "<img src" not in page.text
    assert not re.search(r"<a[^>]*javascript:", page.text)


def test_a_real_bomb_in_a_repository_is_a_sentence(panel: Panel) -> None:
    laughs = Path(__file__).with_name("laughs.yaml").read_text()
    put(panel, {"app.flavour": laughs})
    page = panel.client_of(ALICE).get(LIST)
    assert page.status_code == 200 and "anchor or alias" in page.text
