"""What holds for every page: security headers, CSRF protection, quiet errors."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.panel import ALICE, PASSWORD, Panel

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
PAGES = (
    "/account/sign-in/",
    "/account/sign-up/",
    "/account/forgotten-password/",
    "/account/reset-password/",
    "/health/",
    "/nowhere/",
    "/applications/",
    "/applications/new/",
    "/applications/demo/",
    "/applications/demo/environments/",
    "/applications/demo/environments/test/",
    "/applications/demo/environments/test/logs/",
    "/applications/demo/environments/test/variables/",
    "/applications/demo/environments/live/domains/",
    "/applications/demo/environments/live/cron-jobs/",
    "/applications/demo/repository/",
    "/applications/demo/settings/",
    "/applications/missing/",
    "/git/demo.git/info/refs?service=git-upload-pack",
    "/organisations/moon/members/",
    "/organisations/moon/audit/",
    "/account/",
    "/account/password/",
    "/account/sessions/",
    "/account/second-factor/",
    "/account/second-factor/app/",
    "/account/sign-in/second-step/",
    "/account/ssh-keys/",
    "/account/access-tokens/",
    "/account/desktop-app/access-token/",
    "/account/email/",
    "/account/delete/",
    "/marketplace/",
    "/marketplace/django/",
    "/addons/",
    "/addons/new/",
)


def check_headers(answer: TestResponse) -> None:
    policy = answer.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    if answer.mimetype == "text/html":
        assert answer.headers["Cache-Control"] == "no-store"


def test_every_answer_has_the_security_headers(panel: Panel) -> None:
    alice = panel.client_of(ALICE)
    for path in PAGES:
        check_headers(alice.get(path))
        check_headers(panel.client().get(path))
    check_headers(alice.post("/applications/demo/"))


def test_session_cookie_is_for_the_server_only(panel: Panel) -> None:
    answer = panel.client().post(
        "/account/sign-in/", data={"email": ALICE.email, "password": PASSWORD}
    )
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


BY_TOKEN = ("repositories.", "legacy.", "client_")
"""Opened by a token in a header or an address, never by a cookie: nothing to forge."""


def post_rules(panel: Panel) -> list[Rule]:
    return [
        rule
        for rule in panel.app.url_map.iter_rules()
        if "POST" in (rule.methods or set()) and not rule.endpoint.startswith(BY_TOKEN)
    ]


def address_of(rule: Rule, panel: Panel) -> str:
    values: dict[str, object] = dict.fromkeys(rule.arguments, "demo")
    values |= {name: 1 for name in rule.arguments if name.endswith("_id")}
    values |= {"name": "test"} if "name" in rule.arguments else {}
    return str(rule.build(values, append_unknown=False)[1])  # type: ignore[index]


@pytest.mark.parametrize("token", [None, "", "made-up"], ids=["missing", "empty", "made up"])
def test_every_post_refuses_a_wrong_csrf_token(panel: Panel, token: str | None) -> None:
    client = panel.client_of(ALICE)
    del client.environ_base["HTTP_X_CSRFTOKEN"]
    data = {} if token is None else {"csrf_token": token}
    rules = post_rules(panel)
    assert len(rules) > 15
    for rule in rules:
        answer = client.post(address_of(rule, panel), data=data)
        assert answer.status_code == 400, rule.rule
        assert "too old" in answer.text, rule.rule


def test_a_token_of_another_session_is_refused(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    with client.session_transaction() as session:
        session["csrf_token"] = "another"
    assert client.post("/account/sign-out/").status_code == 400


def test_errors_are_sentences_in_the_form_that_was_asked_for(panel: Panel) -> None:
    client: FlaskClient = panel.client()
    assert "There is no such page." in client.get("/nowhere/").text
    plain = client.get("/nowhere/", headers={"Accept": "text/plain"})
    assert plain.mimetype == "text/plain" and plain.text == "There is no such page.\n"


def test_hostile_addresses_are_no_error_of_ours(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    for path in (
        "/applications/%00/",
        "/applications/%F0%9F%8C%99/",
        "/applications/..%2f..%2fetc/",
        f"/applications/{'x' * 5000}/",
        "/applications/demo/environments/%00/logs/",
        "/applications/demo/deployments/%00/",
        f"/organisations/moon/members/{'9' * 400}/remove/",
        "/applications/?q=%00&page=%C2%B2&organisation=%00&state=%00",
        "/applications/demo/repository/?branch=%00",
        "/applications/demo/repository/?branch=--output=/tmp/x",
    ):
        assert client.get(path).status_code in {200, 400, 404, 405}, path
