"""The pages of those who make addons."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from html import unescape
from pathlib import Path

import pytest

from app.addons.models import Addon, AddonVersion, Audience, Channel
from app.addons.queries import find_addon, find_version
from app.audit.models import AuditLine
from app.extensions import db
from tests.addons import samples
from tests.addons.archives import NAME, archive
from tests.addons.registered import register
from tests.panel import (
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    EVE,
    RITA,
    Panel,
    application,
)

HOME = f"/addons/{samples.NAME}/"
VERSION = f"{HOME}versions/1.0/"
PAGES = (HOME, VERSION, *(f"{HOME}{page}/" for page in ("package", "upload", "usage", "settings")))
NEW = {
    "package_name": "susan-example",
    "name": "Susan's example",
    "licence": "MIT",
    "organisation": "moon",
}


@pytest.fixture
def made(panel: Panel) -> Panel:
    """Moon has `moon-forms`: Dora can update it, Bob may use it."""
    samples.settle(panel)
    return panel


def stored(panel: Panel, number: str = "1.0") -> AddonVersion:
    with panel.reading():
        found = find_version(samples.addon_of().id, number)
        assert found
        return found


@pytest.mark.parametrize("path", [*PAGES, f"{HOME}collaborators/"])
def test_who_may_upload_sees_them_and_nobody_else(made: Panel, path: str) -> None:
    for person in (ALICE, DORA):
        assert made.client_of(person).get(path).status_code == 200, person
    assert made.client_of(BOB).get(path).status_code == 403, "he may use it only"
    for person in (RITA, EVE, CHARLIE):
        assert made.client_of(person).get(path).status_code == 404, person


def test_uploads_of_one_person_are_limited(made: Panel) -> None:
    alice, dora = made.client_of(ALICE), made.client_of(DORA)
    codes = [alice.post(f"{HOME}upload/", data={}).status_code for _ in range(21)]
    assert set(codes[:20]) == {200} and codes[20] == 429
    assert dora.post(f"{HOME}upload/", data={}).status_code == 200


def test_my_addons_are_those_one_works_on(made: Panel) -> None:
    alice, bob = (
        made.client_of(ALICE).get("/addons/").text,
        made.client_of(BOB).get("/addons/").text,
    )
    assert f'href="{HOME}"' in alice and "1.0" in alice and "Stable" in alice
    assert f'href="/marketplace/{samples.NAME}/"' in bob and "not change it" in bob
    for person in (RITA, CHARLIE):
        text = made.client_of(person).get("/addons/").text
        assert "Register your first addon" in text and "divio addon upload" in text
        assert samples.NAME not in text


def test_registering_an_addon_leads_to_its_packaging_files(panel: Panel) -> None:
    rita = panel.client_of(RITA)
    page = rita.get("/addons/new/").text
    assert 'value="moon"' in page and 'value="rita"' in page and 'value="charlie"' not in page
    answer = rita.post("/addons/new/", data=NEW)
    assert answer.location.endswith("/addons/susan-example/package/")
    text = rita.get(answer.location).text
    for words in (
        "setup.py",
        "addon.json",
        "aldryn_config.py",
        "susan_example",
        "divio addon upload",
    ):
        assert words in text
    assert "plugin.py" in rita.get(f"{answer.location}?kind=plugin").text
    empty = rita.get("/addons/susan-example/").text
    assert "No version yet" in empty and "divio addon validate" in empty
    packed = rita.get("/addons/susan-example/package/files/")
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert "susan-example/setup.py" in archive.namelist()
    with panel.reading():
        row = find_addon("susan-example")
        assert row and row.licence == "MIT" and row.audience == Audience.PRIVATE
    for person in (BOB, CHARLIE):
        assert panel.client_of(person).get("/addons/susan-example/").status_code == 404


@pytest.mark.parametrize(
    ("entered", "sentence"),
    [
        ({"package_name": "susan_example"}, "must not contain underscores"),
        ({"package_name": "moon-forms"}, "is taken"),
        ({"package_name": "rnoon forms"}, "small letters"),
        ({"package_name": "m0on-forms"}, "looks too much like"),
        ({"package_name": ""}, "required"),
        ({"name": ""}, "required"),
        ({"name": "x" * 2000}, "characters"),
        ({"licence": "made-up"}, "Not a valid choice"),
    ],
)
def test_a_refused_name_is_said_beside_its_field(
    made: Panel, entered: dict[str, str], sentence: str
) -> None:
    answer = made.client_of(ALICE).post("/addons/new/", data=NEW | entered)
    assert answer.status_code == 200 and sentence in answer.text
    with made.reading():
        assert find_addon("susan-example") is None


def test_nobody_registers_for_an_organisation_they_are_not_in(panel: Panel) -> None:
    data = NEW | {"organisation": "charlie"}
    assert panel.client_of(ALICE).post("/addons/new/", data=data).status_code == 404
    assert panel.client_of(EVE).post("/addons/new/", data=NEW).status_code == 403


def test_a_version_moves_between_channels_and_back(made: Panel) -> None:
    dora = made.client_of(DORA)
    for channel in ("beta", "stable", "alpha"):
        answer = dora.post(f"{HOME}versions/1.1/channel/", data={"channel": channel})
        assert answer.status_code == 303
        assert stored(made, "1.1").channel == Channel(channel)
    assert "Moved." in dora.get(answer.location).text
    assert dora.post(f"{VERSION}channel/", data={"channel": "gold"}).status_code == 400
    for person, status in ((BOB, 403), (CHARLIE, 404)):
        page = f"{VERSION}channel/"
        assert made.client_of(person).post(page, data={"channel": "beta"}).status_code == status
    with made.reading():
        lines = db.session.scalars(
            db.select(AuditLine.action).where(AuditLine.subject == samples.NAME)
        ).all()
        assert lines.count("addon.move") == 3


def test_a_version_is_yanked_with_a_reason_and_offered_again(made: Panel) -> None:
    dora = made.client_of(DORA)
    assert "required" in dora.post(f"{VERSION}yank/", data={"reason": ""}).text
    assert "required" in dora.post(f"{VERSION}yank/", data={"reason": "  "}).text
    assert not stored(made).is_yanked
    answer = dora.post(f"{VERSION}yank/", data={"reason": "It loses mails."})
    text = dora.get(answer.location).text
    assert "It loses mails." in text and "Move to" not in text and stored(made).is_yanked
    for person, status in ((BOB, 403), (CHARLIE, 404)):
        assert made.client_of(person).post(f"{VERSION}unyank/").status_code == status
    assert dora.post(f"{VERSION}unyank/").status_code == 303
    assert not stored(made).is_yanked


def test_what_is_new_can_be_told_later(made: Panel) -> None:
    dora = made.client_of(DORA)
    assert dora.post(f"{VERSION}changes/", data={"changes": "Two\nlines"}).status_code == 303
    assert "Two\nlines" in made.client_of(BOB).get(f"/marketplace/{samples.NAME}/").text
    long = dora.post(f"{VERSION}changes/", data={"changes": "x" * 30_000})
    assert long.status_code == 200 and "at most" in long.text


def test_failures_are_for_authors_only(made: Panel) -> None:
    secret = "the author&#39;s secret path"
    assert "1 failure" in made.client_of(DORA).get(HOME).text
    text = made.client_of(DORA).get(VERSION).text
    assert secret in text and "It broke." in text
    assert secret not in made.client_of(DORA).get(f"{HOME}versions/1.1/").text
    assert "secret path" not in made.client_of(BOB).get(f"/marketplace/{samples.NAME}/").text


def test_settings(made: Panel) -> None:
    dora, page = made.client_of(DORA), f"{HOME}settings/"
    entered = {
        "name": "Forms",
        "summary": "Ask visitors.",
        "licence": "",
        "categories": "Blog , seo,, blog",
        "audience": "public",
    }
    assert dora.post(page, data=entered).status_code == 303
    with made.reading():
        row = samples.addon_of()
        assert (row.name, row.summary, row.licence) == ("Forms", "Ask visitors.", "")
        assert (row.categories, row.audience) == (["blog", "seo"], Audience.PUBLIC)
    assert 'value="blog, seo"' in dora.get(page).text
    assert made.client_of(CHARLIE).get(f"/marketplace/{samples.NAME}/").status_code == 200
    assert made.client_of(CHARLIE).get(page).status_code == 403, "public: it is there for him"
    assert made.client_of(CHARLIE).post(page, data=entered).status_code == 403
    refused = dora.post(page, data=entered | {"summary": "x" * 400})
    assert refused.status_code == 200 and "at most 300" in refused.text
    assert "Not a valid choice" in dora.post(page, data=entered | {"audience": "all"}).text


def test_a_licence_of_the_packages_own_stays_in_the_list(made: Panel) -> None:
    with made.work():
        samples.addon_of().licence = "Moonware 2"
    text = made.client_of(ALICE).get(f"{HOME}settings/").text
    assert '<option selected value="Moonware 2">' in text


def test_collaborators_are_given_access_changed_and_removed(made: Panel) -> None:
    alice, page = made.client_of(ALICE), f"{HOME}collaborators/"
    text = alice.get(page).text
    assert RITA.email in text and EVE.email not in text, "a site editor cannot be given it"
    alice.post(page, data={"email": RITA.email})
    assert made.client_of(RITA).get(HOME).status_code == 403
    alice.post(page, data={"email": RITA.email, "can_update": "y"})
    rita = made.client_of(RITA)
    assert rita.get(HOME).status_code == 200
    for email, sentence in (
        (CHARLIE.email, "Only members"),
        (EVE.email, "site editor"),
        (ALICE.email, "anyway"),
        ("nobody@example.com", "Only members"),
    ):
        assert sentence in alice.post(page, data={"email": email}).text, email
    with made.reading():
        rows = {row.user.email: row.id for row in samples.addon_of().collaborators}
        assert set(rows) == {DORA.email, BOB.email, RITA.email}
    gone = rita.post(f"{page}{rows[RITA.email]}/remove/")
    assert gone.location.endswith("/addons/"), "she may not see the page any more"
    assert rita.get(HOME).status_code == 404
    assert alice.post(f"{page}{rows[RITA.email]}/remove/").status_code == 404, "twice"
    left = alice.post(f"{page}{rows[BOB.email]}/remove/")
    assert left.location.endswith(page)


def test_who_leaves_the_organisation_works_on_its_addons_no_more(made: Panel) -> None:
    dora = made.client_of(DORA)
    assert dora.get(HOME).status_code == 200
    dora.post("/organisations/moon/leave/")
    assert dora.get(HOME).status_code == 404
    with made.reading():
        assert [row.user.email for row in samples.addon_of().collaborators] == [BOB.email]


def test_usage_without_sites_says_what_to_do(made: Panel) -> None:
    dora = made.client_of(DORA)
    assert "On no site yet" in dora.get(f"{HOME}usage/").text
    with made.work():
        samples.install(samples.addon_of().versions[0], application())
    assert ">Demo</a>" in dora.get(f"{HOME}usage/").text


def test_addons_that_come_with_moonbase_are_nobodys_to_change(panel: Panel) -> None:
    with panel.reading():
        built_in = db.session.scalars(
            db.select(Addon.package_name).where(Addon.organisation_id.is_(None))
        ).first()
    alice = panel.client_of(ALICE)
    assert alice.get(f"/marketplace/{built_in}/").status_code == 200
    for page in ("", "settings/", "upload/", "collaborators/"):
        assert alice.get(f"/addons/{built_in}/{page}").status_code == 403


def test_an_archive_that_is_too_large_is_refused_before_it_is_read(made: Panel) -> None:
    limit = made.settings.addon_bytes
    dora = made.client_of(DORA)
    del dora.environ_base["HTTP_X_CSRFTOKEN"]  # as a form without scripts: the token is a field
    answer = dora.post(
        f"{HOME}upload/",
        input_stream=io.BytesIO(b"--x\r\n"),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        environ_overrides={"CONTENT_LENGTH": str(limit * 4)},
    )
    assert answer.status_code == 413 and "larger than the limit" in answer.text


def chosen(data: bytes) -> dict[str, object]:
    return {"app": (io.BytesIO(data), "susan.tar.gz")}


def test_an_archive_is_taken_and_all_that_is_wrong_with_one_is_said(panel: Panel) -> None:
    """In the real sandbox, as all uploads."""
    register(panel)
    alice, path = panel.client_of(ALICE), f"/addons/{NAME}/upload/"
    answer = alice.post(path, data=chosen(archive()))
    assert answer.location.endswith(f"/addons/{NAME}/versions/1.0/")
    assert "in the Alpha channel" in alice.get(answer.location).text
    broken = "from aldryn_client import forms\n\n\nclass Form(forms.BaseForm):\n    x = 1 / 0\n"
    refused = alice.post(path, data=chosen(archive(more={"aldryn_config.py": broken})))
    assert refused.status_code == 200 and "2 things to put right" in refused.text
    for words in ("Version 1.0 is there already", "line 5", "ZeroDivisionError", "VERSION"):
        assert words in refused.text, words
    assert "What your code raised" in refused.text
    nonsense = alice.post(path, data=chosen(b"no archive"))
    assert nonsense.status_code == 200 and "1 thing to put right" in nonsense.text


def test_the_packaging_files_can_be_uploaded_by_the_commands_on_the_page(
    panel: Panel, tmp_path: Path
) -> None:
    alice, home = panel.client_of(ALICE), "/addons/susan-example"
    alice.post("/addons/new/", data=NEW)
    packed = io.BytesIO(alice.get(f"{home}/package/files/").data)
    with zipfile.ZipFile(packed) as files:
        files.extractall(tmp_path)
    by_hand = alice.get(f"{home}/upload/").text.split("by hand", 1)[1]
    commands = [unescape(line) for line in re.findall(r"<code>(.+?)</code>", by_hand)]
    assert len(commands) == 4
    bin_of_python = str(Path(sys.executable).parent)
    environ = {"PATH": f"{bin_of_python}:/usr/bin:/bin", "HOME": str(tmp_path)}
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path / "susan-example", env=environ, capture_output=True
        )
        assert done.returncode == 0, done.stderr
    archive = (tmp_path / "susan-example.tar.gz").read_bytes()
    answer = alice.post(f"{home}/upload/", data=chosen(archive))
    assert answer.status_code == 303, re.findall(r"items-words.+?</span>", answer.text, re.DOTALL)
    with panel.reading():
        assert [row.version for row in samples.addon_of("susan-example").versions] == ["0.0.1"]


def test_no_archive_chosen_is_said_at_the_field(made: Panel) -> None:
    answer = made.client_of(DORA).post(f"{HOME}upload/", data={})
    assert answer.status_code == 200 and "Choose the archive first." in answer.text
    for person, status in ((BOB, 403), (CHARLIE, 404)):
        assert made.client_of(person).post(f"{HOME}upload/", data={}).status_code == status
