"""The form: filled in, previewed, saved; in both frames."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.addons.models import AddonFailure
from app.environments.queries import list_environments
from app.extensions import db
from app.repositories.queries import load_repository
from app.variables.queries import list_variables
from tests.overview.test_sites import DEVELOPERS_WORDS, leaves_own_organisation
from tests.panel import ALICE, BOB, DORA, EVE, Panel, application
from tests.publishing import sample

FORM = f"/applications/demo/addons/{sample.NAME}/"
SITE_FORM = f"/sites/demo/forms/{sample.NAME}/"


def preview(browser: FlaskClient, page: str = FORM, **entered: str) -> TestResponse:
    """Open the form, change what is `entered` (by field), and look at the preview."""
    seen = sample.hidden(browser.get(page).text, "seen")
    return send(browser, page, act="preview", seen=seen, **entered)


def send(browser: FlaskClient, page: str, **entered: str) -> TestResponse:
    own = {"act", "seen", "plan"}
    fields = {name if name in own else f"setting-{name}": text for name, text in entered.items()}
    return browser.post(page, data=sample.ENTERED | fields)


def save(browser: FlaskClient, page: str = FORM, **entered: str) -> TestResponse:
    """Preview, then save what was previewed."""
    shown = preview(browser, page, **entered).text
    seen, plan = sample.hidden(shown, "seen"), sample.hidden(shown, "plan")
    return send(browser, page, act="save", seen=seen, plan=plan, **entered)


def committed(panel: Panel) -> dict[str, object]:
    """`settings.json` at the tip."""
    with panel.reading():
        key = load_repository(application().id).uuid
        text = panel.store.read_file(key, sample.tip(panel), f"addons/{sample.NAME}/settings.json")
    found: dict[str, object] = json.loads(text or b"")
    return found


def test_a_preview_says_what_will_change_and_changes_nothing(site: Panel) -> None:
    with site.reading():
        before = sample.tip(site)
    page = preview(site.client_of(ALICE)).text
    words = sample.words_of(page)
    assert "6 things will change on your site" in words
    assert "“Notice” changes from “Welcome” to “Closed in August”." in words
    assert "“Show them in the footer” is switched on." in words
    assert "The environment variable OPENING_DAYS becomes “6”." in words
    assert "a/addons/opening-hours/settings.json" in words
    with site.reading():
        assert sample.tip(site) == before and sample.installed().settings["notice"] == "Welcome"


def test_a_save_is_a_commit_of_the_person_and_says_when_it_goes_live(site: Panel) -> None:
    browser = site.client_of(DORA)
    answer = save(browser)
    assert answer.status_code == 303
    page = browser.get(answer.location).text
    assert "Your change is saved. It goes live when you publish." in page
    assert "Saved, not published yet" in page and "Last changed by Dora" in page
    assert committed(site)["notice"] == "Closed in August"
    with site.reading():
        key = load_repository(application().id).uuid
        newest = site.store.log(key, sample.tip(site), None, 1)[0]
        assert (newest.author_name, newest.author_email) == ("Dora", DORA.email)


def test_nothing_is_saved_that_was_not_previewed(site: Panel) -> None:
    browser = site.client_of(ALICE)
    shown = preview(browser).text
    seen, plan = sample.hidden(shown, "seen"), sample.hidden(shown, "plan")
    answer = send(browser, FORM, act="save", seen=seen)
    assert answer.status_code == 200 and "things will change" in answer.text
    answer = send(browser, FORM, act="save", seen=seen, plan=plan, notice="Another")
    assert answer.status_code == 409 and "to “Another”" in sample.words_of(answer.text)
    assert committed(site)["notice"] == "Welcome"


def test_an_unchanged_form_has_nothing_to_save(site: Panel) -> None:
    browser = site.client_of(ALICE)
    seen = sample.hidden(browser.get(FORM).text, "seen")
    data = {"setting-notice": "Welcome", "setting-days": "5", "setting-style": "plain"}
    page = browser.post(FORM, data=data | {"setting-zone": "UTC", "seen": seen}).text
    assert "You have changed nothing" in page and 'value="save"' not in page


@pytest.mark.parametrize(
    ("entered", "sentence", "place"),
    [
        ({"notice": "closed"}, "Say when you open again.", "setting-notice"),
        (
            {"notice": "x" * 81},
            "This may have at most 80 characters, and has 81.",
            "setting-notice",
        ),
        ({"days": "9"}, "This may not be larger than 7.", "setting-days"),
        ({"days": "many"}, "Enter a whole number.", "setting-days"),
        ({"notice": "nonsense"}, "This does not go together.", None),
    ],
)
def test_what_is_wrong_is_said_where_it_is_wrong(
    site: Panel, entered: dict[str, str], sentence: str, place: str | None
) -> None:
    page = preview(site.client_of(ALICE), **entered).text
    at = page.index(f'id="{place}-error"') if place else page.index('role="alert"')
    assert sentence in page[at : at + 1200]
    assert "things will change" not in page


def test_an_addon_that_fails_is_an_error_of_the_form_without_its_traceback(site: Panel) -> None:
    page = preview(site.client_of(ALICE), notice="boom").text
    assert 'role="alert"' in page
    for word in ("Traceback", "RuntimeError", "a secret of the author"):
        assert word not in page
    with site.reading():
        failure = db.session.scalars(db.select(AddonFailure)).one()
        assert "a secret of the author" in failure.detail


def test_who_saves_second_overwrites_nothing_and_is_told(site: Panel) -> None:
    alice = site.client_of(ALICE)
    shown = preview(alice).text
    seen, plan = sample.hidden(shown, "seen"), sample.hidden(shown, "plan")
    sample.save(site, DORA, notice="Dora was here")
    answer = send(alice, FORM, act="save", seen=seen, plan=plan)
    words = sample.words_of(answer.text)
    assert answer.status_code == 409 and committed(site)["notice"] == "Dora was here"
    assert "Dora has changed the settings" in words and "What Dora has saved meanwhile" in words
    assert "to “Dora was here”" in words and 'value="Closed in August"' in answer.text
    again = send(alice, FORM, act="preview", seen=sample.hidden(answer.text, "seen"))
    assert "changes from “Dora was here” to “Closed in August”" in sample.words_of(again.text)


def test_a_push_of_other_files_meanwhile_is_kept(site: Panel) -> None:
    browser = site.client_of(ALICE)
    shown = preview(browser).text
    with site.work():
        sample.commit_files(application(), site.store, {"README.md": b"Pushed meanwhile"})
    seen, plan = sample.hidden(shown, "seen"), sample.hidden(shown, "plan")
    assert send(browser, FORM, act="save", seen=seen, plan=plan).status_code == 303
    with site.reading():
        key = load_repository(application().id).uuid
        assert site.store.read_file(key, sample.tip(site), "README.md") == b"Pushed meanwhile"


def test_a_secret_goes_to_variables_and_never_into_git_or_a_page(site: Panel) -> None:
    browser = site.client_of(ALICE)
    hush = "hush-4711"
    shown = preview(browser, map_key=hush)
    assert hush not in shown.text and "The secret “Key of the map” gets a new value." in shown.text
    assert save(browser, map_key=hush).status_code == 303
    page = browser.get(FORM).text
    assert hush not in page and "It is set." in page
    assert hush not in json.dumps(committed(site)) and "map_key" not in committed(site)
    assert secrets_of(site) == [hush, hush]
    assert hush not in browser.get(FORM + "history/").text
    save(browser, map_key="", notice="Left empty: kept")
    assert secrets_of(site) == [hush, hush]
    send_removal(browser)
    assert secrets_of(site) == []


def secrets_of(panel: Panel) -> list[str]:
    """The value of MAP_KEY in each environment that has it."""
    with panel.reading():
        return [
            row.value
            for environment in list_environments(application().id)
            for row in list_variables(environment.id)
            if row.name == "MAP_KEY" and row.is_secret
        ]


def send_removal(browser: FlaskClient) -> None:
    data = sample.ENTERED | {"remove-map_key": "y"}
    seen = sample.hidden(browser.get(FORM).text, "seen")
    shown = browser.post(FORM, data=data | {"seen": seen}).text
    assert "The secret “Key of the map” is removed." in shown
    confirmed = {"act": "save", "plan": sample.hidden(shown, "plan"), "seen": seen}
    assert browser.post(FORM, data=data | confirmed).status_code == 303


def test_html_of_an_author_is_harmless_on_every_page(site: Panel) -> None:
    bad = "<script>alert(3)</script>"
    browser = site.client_of(ALICE)
    assert save(browser, notice=bad, hours=bad, style="boxed").status_code == 303
    uuid = browser.get(FORM + "history/").text.split("/history/")[1].split("/undo/")[0]
    for path in (FORM, SITE_FORM, FORM + "history/", SITE_FORM + f"history/{uuid}/undo/"):
        page = browser.get(path).text
        assert "<script>alert" not in page and "<img" not in page, path
    page = preview(browser, notice=bad + "2").text
    assert "<script>alert" not in page


def test_an_editor_fills_it_in_without_meeting_a_word_of_developers(site: Panel) -> None:
    leaves_own_organisation(site)
    eve = site.client_of(EVE)
    assert "Opening hours" in eve.get("/sites/demo/").text
    assert save(eve, SITE_FORM).status_code == 303
    shown = preview(eve, SITE_FORM, notice="Open again")
    assert "OPENING_DAYS" not in shown.text and "settings.json" not in shown.text
    paths = (SITE_FORM, SITE_FORM + "history/", "/sites/demo/", "/sites/demo/publish/")
    for page in (shown, *map(eve.get, paths)):
        found = DEVELOPERS_WORDS.findall(sample.words_of(page.text))
        assert page.status_code == 200 and not found, (page.request.path, found)
        assert "/applications/demo/" not in page.text


def test_an_editor_at_the_address_of_the_application_is_led_to_the_site(site: Panel) -> None:
    eve = site.client_of(EVE)
    answer = eve.get(FORM)
    assert (answer.status_code, answer.location) == (307, SITE_FORM)
    assert eve.get("/applications/demo/addons/").status_code == 403


def test_who_may_only_look_sees_the_cards_and_no_form(site: Panel) -> None:
    bob = site.client_of(BOB)
    page = bob.get("/applications/demo/addons/")
    assert page.status_code == 200 and "Says when you are open." in page.text
    assert FORM not in page.text and bob.get(FORM).status_code == 403
    assert bob.get("/sites/demo/").status_code == 200
    assert SITE_FORM not in bob.get("/sites/demo/").text


def test_the_diff_is_for_those_who_may_see_code(site: Panel) -> None:
    alice = site.client_of(ALICE)
    assert "line by line" in preview(alice).text
    assert "line by line" not in preview(alice, SITE_FORM).text
    assert "line by line" not in preview(site.client_of(EVE), SITE_FORM).text


def test_settings_that_cannot_be_read_are_explained(site: Panel) -> None:
    with site.work():
        path = f"addons/{sample.NAME}/settings.json"
        sample.commit_files(application(), site.store, {path: b"{not json"})
    page = site.client_of(ALICE).get(FORM)
    assert page.status_code == 200 and "cannot be read" in page.text
    assert save(site.client_of(ALICE)).status_code == 303
    assert committed(site)["notice"] == "Closed in August"
