"""What browsers and people do to every form: send it twice, send it late, send it from elsewhere.
Generated over the URL map, like the permission matrix, and from its table of forms and values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from werkzeug.routing import Rule

from app.permissions import Permission
from tests.matrix import NAMING, STREAMS, About, Snapshot, about_of, guarded, permission_of
from tests.panel import ALICE, Panel, Person, copy_panel
from tests.test_permissions import EVERYBODY, OLGA, On, busy_panel, form, values

HOSTILE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "/%09/evil.example",
    "\t//evil.example",
)
GONE = {"uuid": "00000000-0000-4000-8000-000000000000"}


@pytest.fixture(scope="session")
def busy_home(panel_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("edges") / "data"
    busy_panel(panel_template, home).close()
    return home


@pytest.fixture
def busy(busy_home: Path, tmp_path: Path) -> Iterator[Panel]:
    """A panel in which every address of the matrix names something."""
    panel = copy_panel(busy_home, tmp_path / "data")
    yield panel
    panel.close()


def posts(panel: Panel) -> list[Rule]:
    return [rule for rule, method in guarded(panel.app) if method == "POST"]


def address(panel: Panel, rule: Rule, **changed: object) -> str:
    with panel.reading():
        known = {**values(rule, On.OWN), **changed}
        return str(rule.build(known, append_unknown=False)[1])  # type: ignore[index]


def whoever_may(panel: Panel, rule: Rule) -> Person:
    is_installation = permission_of(panel.app, rule) == Permission.INSTALLATION_OPERATE
    return OLGA if is_installation else ALICE


def test_every_post_without_a_token_is_refused(busy: Panel) -> None:
    """By those who may do it, on rows that exist: nothing but the token is missing."""
    rules = posts(busy)
    for rule in rules:
        client = busy.client_of(whoever_may(busy, rule))
        del client.environ_base["HTTP_X_CSRFTOKEN"]
        answer = client.post(address(busy, rule), data=form(rule.endpoint, ALICE, On.OWN))
        assert answer.status_code == 400 and "too old" in answer.text, rule.endpoint
    assert len(rules) > 50


def test_a_form_sent_twice_is_answered_twice(busy: Panel) -> None:
    """Somebody clicks twice, or goes back and sends again: a page or a sentence, never a 500."""
    busy.app.config["PROPAGATE_EXCEPTIONS"] = False
    clients = {person: busy.client_of(person) for person in EVERYBODY}
    cookies = {person: client.get_cookie("session") for person, client in clients.items()}
    kept, seen = Snapshot(busy), {}
    for rule in posts(busy):
        person = whoever_may(busy, rule)
        client = clients[person]
        client.set_cookie("session", cookies[person].value)  # type: ignore[union-attr]
        path = address(busy, rule)
        for _ in range(2):
            answer = client.post(path, data=form(rule.endpoint, person, On.OWN))
            answer.close()
            seen.setdefault(answer.status_code, []).append(rule.endpoint)
            assert answer.status_code in {200, 302, 303, 400, 403, 404, 409, 429}, rule.endpoint
        kept.restore(busy)
    assert len(seen[303]) > 40 and seen[404]


def test_a_stale_page_whose_object_is_gone_is_answered_with_a_sentence(busy: Panel) -> None:
    """The row that a page's address or button names was removed by somebody else meanwhile."""
    asked = 0
    for rule, method in guarded(busy.app):
        rows = rule.arguments - NAMING
        if not rows:
            continue
        gone = {name: _nobody(rule, name) for name in rows}
        path = address(busy, rule, **gone)
        client = busy.client_of(whoever_may(busy, rule))
        method = "HEAD" if rule.endpoint in STREAMS else method
        answer = client.open(path, method=method, data=form(rule.endpoint, ALICE, On.OWN))
        assert answer.status_code == 404, (method, rule.endpoint, answer.status_code)
        assert method == "HEAD" or "<h1" in answer.text, "a page with a sentence"
        asked += 1
    assert asked > 30


def _nobody(rule: Rule, name: str) -> object:
    """A value of the right form that names nothing."""
    return 987_654 if f"<int:{name}>" in rule.rule else GONE["uuid"]


def test_pages_of_an_object_that_is_gone_are_not_found(busy: Panel) -> None:
    asked = 0
    for rule, method in guarded(busy.app):
        about = about_of(busy.app, rule)
        if about in (About.APPLICATION, About.ORGANISATION):
            path = address(busy, rule, slug="gone-for-good")
            method = "HEAD" if rule.endpoint in STREAMS else method
            answer = busy.client_of(ALICE).open(path, method=method)
            assert answer.status_code == 404, (method, rule.endpoint)
            asked += 1
    assert asked > 50


@pytest.mark.parametrize("target", HOSTILE)
def test_no_route_sends_people_elsewhere(busy: Panel, target: str) -> None:
    """Whatever a link says about where to go next."""
    asked = {"next": target, "url": target, "to": target, "redirect": target, "return": target}
    clients = (busy.client(), busy.client_of(ALICE))
    for rule in busy.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.arguments or rule.endpoint in STREAMS:
            continue
        for client in clients:
            with client.get(rule.rule, query_string=asked) as answer:
                assert is_ours(answer.headers.get("Location")), (rule.endpoint, target)
    form = {"email": ALICE.email, "password": "correct horse battery", "next": target}
    answer = busy.client().post("/account/sign-in/", query_string=asked, data=form)
    assert answer.status_code == 303 and is_ours(answer.location), answer.location


def test_a_made_up_host_is_nowhere_in_an_answer(busy: Panel) -> None:
    """Whoever sends a request says what host it is for: no link is made of that."""
    made_up = {"Host": "panel.evil.example"}
    clients = (busy.client(), busy.client_of(ALICE))
    for rule in busy.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.arguments or rule.endpoint in STREAMS:
            continue
        for client in clients:
            with client.get(rule.rule, headers=made_up) as answer:
                assert "evil.example" not in answer.text, rule.endpoint
                assert "evil.example" not in answer.headers.get("Location", ""), rule.endpoint


def test_a_refused_form_goes_back_to_this_panel_only(busy: Panel) -> None:
    """The page a form came from is the browser's word."""
    client = busy.client_of(ALICE)
    path = "/applications/demo/settings/name/"
    for referrer, is_followed in (
        ("http://localhost/applications/demo/settings/", True),
        ("http://localhost.evil.example/", False),
        ("http://localhost@evil.example/", False),
        ("https://evil.example/http://localhost/", False),
    ):
        answer = client.post(path, data={"name": ""}, headers={"Referer": referrer})
        assert answer.status_code == (303 if is_followed else 400), referrer
        assert is_ours(answer.headers.get("Location"))


def is_ours(location: str | None) -> bool:
    """Whether a redirect stays on this panel, as browsers read it."""
    read = (location or "/").replace("\\", "/").replace("\t", "").strip()
    parts = urlsplit(read)
    return (
        not read.startswith("//")
        and parts.netloc in ("", "localhost")
        and (parts.scheme in ("", "http") and "evil" not in parts.netloc)
    )
