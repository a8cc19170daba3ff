"""Installing, upgrading, removing, and what the history says and takes back."""

from __future__ import annotations

import re

from app.addons.models import Audience, Channel, PackageKind
from app.addons.operations import yank_version
from app.addons.queries import find_addon, find_installed, find_version
from app.extensions import db
from app.repositories.queries import load_repository
from tests.addons.samples import add_version, make_addon
from tests.panel import ALICE, BOB, DORA, RITA, Panel, application, organisation, user_of
from tests.publishing import sample

ADDONS = "/applications/demo/addons/"
INSTALL = f"{ADDONS}install/{sample.NAME}/"
FORM = f"{ADDONS}{sample.NAME}/"
AGREED = sample.ENTERED | {"version": "1.0", "channel": "stable", "agrees": "y"}


def test_it_is_installed_by_who_agrees_to_what_it_asks_for(panel: Panel) -> None:
    sample.settle(panel)
    dora = panel.client_of(DORA)
    page = dora.get(INSTALL)
    words = sample.words_of(page.text)
    assert "It sets the variables MAP_KEY and OPENING_DAYS." in words
    assert "Stable 1.0" not in words and "Install version 1.0" in words
    refused = dora.post(INSTALL, data=AGREED | {"agrees": ""})
    assert "Tick this to agree" in refused.text and 'value="Closed in August"' in refused.text
    assert find(panel) is None
    answer = dora.post(INSTALL, data=AGREED)
    assert answer.status_code == 303
    assert "is saved in the site. It goes live when you publish." in dora.get(answer.location).text
    found = find(panel)
    assert found is not None and found[1]["notice"] == "Closed in August"


def find(panel: Panel) -> tuple[str, dict[str, object], str] | None:
    """Version, settings and channel of the sample on `demo`."""
    with panel.reading():
        row = find_installed(application().id, sample.NAME)
        return (row.version.version, dict(row.settings), row.channel) if row else None


def test_a_form_that_is_refused_installs_nothing(panel: Panel) -> None:
    sample.settle(panel)
    page = panel.client_of(ALICE).post(INSTALL, data=AGREED | {"setting-notice": "closed"})
    assert "Say when you open again." in page.text and find(panel) is None


def test_a_version_nobody_has_seen_is_not_installed(panel: Panel) -> None:
    sample.settle(panel)
    page = panel.client_of(ALICE).post(INSTALL, data=AGREED | {"version": "0.9"})
    assert "A newer version came out just now." in page.text and find(panel) is None


def test_the_channel_is_chosen_at_the_installation(panel: Panel) -> None:
    sample.settle(panel)
    with panel.work():
        sample.publish_version(user_of(ALICE), "2.0b1", sample.RIGHTS, Channel.BETA)
    alice = panel.client_of(ALICE)
    assert "2.0b1" in alice.get(INSTALL).text
    assert "Install version 2.0b1" in alice.get(INSTALL + "?channel=beta").text
    chosen = AGREED | {"version": "2.0b1", "channel": "beta"}
    assert alice.post(INSTALL, data=chosen).status_code == 303
    found = find(panel)
    assert found is not None and (found[0], found[2]) == ("2.0b1", "beta")


def test_who_may_install_what(panel: Panel) -> None:
    sample.settle(panel)
    with panel.work():
        private = make_addon(organisation(), user_of(ALICE), "boards-own")
        add_version(private, "1.0")
    for person, of_the_house, private_one in ((ALICE, 200, 200), (DORA, 200, 404), (BOB, 403, 403)):
        browser = panel.client_of(person)
        assert browser.get(INSTALL).status_code == of_the_house, person
        assert browser.get(ADDONS + "install/boards-own/").status_code == private_one, person
    assert panel.client_of(RITA).get(INSTALL).status_code == 404


def test_what_it_needs_is_named_first(panel: Panel) -> None:
    sample.settle(panel)
    with panel.work():
        addon = make_addon(organisation(), user_of(ALICE), "needs-hours")
        version = add_version(addon, "1.0")
        version.kind, version.texts = PackageKind.ALDRYN, {"addon_json": "{}"}
        version.facts = {"needs": [sample.NAME], "has_package": False}
    page = panel.client_of(ALICE).get(ADDONS + "install/needs-hours/").text
    assert "It needs other addons: install these first" in page and INSTALL in page
    path = ADDONS + "install/needs-hours/"
    answer = panel.client_of(ALICE).post(path, data={"version": "1.0", "channel": "stable"})
    assert answer.status_code == 400 and "Install these first: opening-hours." in answer.text


def test_what_it_needs_tells_nothing_of_private_addons(panel: Panel) -> None:
    sample.settle(panel)
    with panel.work():
        make_addon(organisation(), user_of(ALICE), "boards-own").name = "The board's own"
        addon = make_addon(organisation(), user_of(ALICE), "needs-it", Audience.ORGANISATION)
        version = add_version(addon, "1.0")
        version.kind, version.texts = PackageKind.ALDRYN, {"addon_json": "{}"}
        version.facts = {"needs": ["boards-own"], "has_package": False}
    path = ADDONS + "install/needs-it/"
    assert "The board&#39;s own" in panel.client_of(ALICE).get(path).text
    page = panel.client_of(DORA).get(path)
    assert page.status_code == 200 and "install these first" in page.text
    assert "board&#39;s own" not in page.text and "install/boards-own" not in page.text


def test_an_upgrade_shows_what_is_new_and_asks_again_for_more(site: Panel) -> None:
    with site.work():
        sample.publish_version(user_of(ALICE), "1.1", sample.WIDER)
    alice = site.client_of(ALICE)
    assert "Update available: 1.1" in alice.get(ADDONS).text
    assert "There is an update for 1 addon." in alice.get("/applications/demo/").text
    page = alice.get(FORM + "version/").text
    assert "New in 1.1." in page and "It asks for more than before" in page
    data = {"version": "1.1", "seen": sample.hidden(page, "seen")}
    assert alice.post(FORM + "version/", data=data).status_code == 400
    assert find(site) and find(site)[0] == "1.0"  # type: ignore[index]
    assert alice.post(FORM + "version/", data=data | {"agrees": "y"}).status_code == 303
    assert find(site) and find(site)[0] == "1.1"  # type: ignore[index]
    assert "Moved from version 1.0 to 1.1" in sample.words_of(alice.get(FORM + "history/").text)
    assert "This is the newest version" in alice.get(FORM + "version/").text
    assert alice.post(FORM + "version/", data={"version": "9"}).status_code == 404


def test_who_may_not_install_it_does_not_upgrade_it_either(site: Panel) -> None:
    with site.work():
        addon = find_addon(sample.NAME)
        assert addon is not None
        addon.audience = Audience.PRIVATE
        sample.publish_version(user_of(ALICE), "1.1", sample.RIGHTS)
    dora = site.client_of(DORA)
    page = dora.get(FORM + "version/")
    assert page.status_code == 200 and "Upgrade to 1.1" not in page.text
    assert dora.post(FORM + "version/", data={"version": "1.1"}).status_code == 404
    assert dora.get(FORM).status_code == 200  # what is installed may be filled in
    assert find(site) and find(site)[0] == "1.0"  # type: ignore[index]


def test_a_site_hears_of_the_versions_of_its_channel_only(site: Panel) -> None:
    with site.work():
        sample.publish_version(user_of(ALICE), "1.1a1", sample.RIGHTS, Channel.ALPHA)
    alice = site.client_of(ALICE)
    assert "1.1a1" not in alice.get(ADDONS).text
    answer = alice.post(FORM + "channel/", data={"channel": "alpha"})
    assert answer.status_code == 303 and "Update available: 1.1a1" in alice.get(ADDONS).text
    assert "has demo follow the channel alpha" in alice.get("/organisations/moon/audit/").text
    assert alice.post(FORM + "channel/", data={"channel": "gamma"}).status_code == 400


def test_a_version_that_was_taken_back_is_named_with_the_reason(site: Panel) -> None:
    with site.work():
        addon = find_addon(sample.NAME)
        assert addon is not None
        version = find_version(addon.id, "1.0")
        assert version is not None
        yank_version(version, "It shows the wrong <b>day</b>.", user_of(ALICE))
    alice = site.client_of(ALICE)
    for path in (ADDONS, FORM, FORM + "version/"):
        page = alice.get(path).text
        assert "It shows the wrong &lt;b&gt;day&lt;/b&gt;." in page, path
    assert "taken back by its author" in alice.get("/applications/demo/").text


def test_a_removal_wants_the_name_and_says_what_stays(site: Panel) -> None:
    alice = site.client_of(ALICE)
    page = alice.get(FORM + "remove/").text
    assert "What stays" in page and "database" in page
    data = {"seen": sample.hidden(page, "seen"), "name": "Something else"}
    refused = alice.post(FORM + "remove/", data=data)
    assert refused.status_code == 400 and "This is not the name." in refused.text and find(site)
    answer = alice.post(FORM + "remove/", data=data | {"name": "opening hours"})
    assert answer.status_code == 303 and find(site) is None
    page = alice.get(answer.location).text
    assert "Opening hours is taken out." in page and "stays among the variables" in page
    assert "No addons yet" in page and alice.get(FORM).status_code == 404
    with site.reading():
        key = load_repository(application().id).uuid
        assert site.store.list_files(key, sample.tip(site), "addons") == []


def test_an_addon_that_others_need_stays(site: Panel) -> None:
    with site.work():
        addon = make_addon(organisation(), user_of(ALICE), "needs-hours")
        version = add_version(addon, "1.0")
        version.facts = {"needs": [sample.NAME]}
        db.session.flush()
        sample.rows_only(version, application())
    page = site.client_of(ALICE).get(FORM + "remove/").text
    assert "Remove Needs hours first." in page and "Remove the addon" not in page
    data = {"name": "Opening hours"}
    assert site.client_of(ALICE).post(FORM + "remove/", data=data).status_code == 409
    assert find(site)


def test_the_history_says_who_changed_what_and_takes_one_change_back(site: Panel) -> None:
    sample.save(site, DORA, notice="Closed in August", days=6)
    sample.save(site, ALICE, style="boxed")
    alice = site.client_of(ALICE)
    page = alice.get(FORM + "history/").text
    words = sample.words_of(page)
    assert "“Notice” changes from “Welcome” to “Closed in August”." in words
    assert "Dora" in words and "Installed version 1.0" in words
    newest, first = re.findall(r"history/([0-9a-f-]+)/undo/", page)
    undo = f"{FORM}history/{first}/undo/"
    shown = alice.get(undo).text
    assert "2 things will change" not in shown  # the variable is a third one
    assert "“Notice” changes from “Closed in August” to “Welcome”." in sample.words_of(shown)
    answer = alice.post(undo, data={"plan": sample.hidden(shown, "plan")})
    assert answer.status_code == 303
    found = find(site)
    assert found is not None
    assert (found[1]["notice"], found[1]["days"], found[1]["style"]) == ("Welcome", 5, "boxed")
    assert "Undid an earlier change" in alice.get(FORM + "history/").text
    assert newest != first


def test_an_undo_never_overwrites_what_came_later(site: Panel) -> None:
    sample.save(site, DORA, notice="First")
    sample.save(site, DORA, notice="Second")
    alice = site.client_of(ALICE)
    page = alice.get(FORM + "history/").text
    first = re.findall(r"history/([0-9a-f-]+)/undo/", page)[-1]
    shown = alice.get(f"{FORM}history/{first}/undo/").text
    assert "It cannot be undone" in shown and "changed again since: “Notice”" in shown
    assert alice.post(f"{FORM}history/{first}/undo/").status_code == 409
    assert find(site) and find(site)[1]["notice"] == "Second"  # type: ignore[index]
    assert alice.get(f"{FORM}history/{'0' * 36}/undo/").status_code == 404


def test_files_that_are_left_alone_are_named(panel: Panel) -> None:
    sample.settle_small(panel)
    alice = panel.client_of(ALICE)
    page = sample.words_of(alice.get(ADDONS).text)
    assert "settings.py has no section" in page and "add “small” to the list there yourself" in page
    with panel.work():
        text = b"INSTALLED_ADDONS = [\n    # <INSTALLED_ADDONS>\n    # </INSTALLED_ADDONS>\n]\n"
        sample.commit_files(application(), panel.store, {"settings.py": text})
    assert "settings.py has no section" not in alice.get(ADDONS).text
