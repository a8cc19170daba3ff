"""After signing in a person stays on this panel, whatever `?next=` says."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.targets import local_target
from tests.panel import ALICE, PASSWORD, Panel

HOME = "/applications/"
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https:evil.example",
    "https:/evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    " //evil.example",
    " ///evil.example",
    "\t//evil.example",
    "\t///evil.example",
    "/\t/evil.example",
    "/\t//evil.example",
    "/\n//evil.example",
    "\x01///evil.example",
    "evil.example",
    "@evil.example",
    "",
]


@pytest.mark.parametrize("target", ELSEWHERE, ids=ascii)
def test_nobody_is_sent_elsewhere(panel: Panel, target: str) -> None:
    data = {"email": ALICE.email, "password": PASSWORD}
    answer = panel.client().post("/account/sign-in/", query_string={"next": target}, data=data)
    assert answer.status_code == 303 and answer.headers["Location"] == HOME


@pytest.mark.parametrize(
    "target", ["/applications/demo/", "/applications/?q=a&page=2", "/account/"]
)
def test_a_person_comes_back_to_the_page_they_wanted(panel: Panel, target: str) -> None:
    asked = panel.client().get(target)
    assert asked.status_code == 302
    data = {"email": ALICE.email, "password": PASSWORD}
    answer = panel.client().post(asked.headers["Location"], data=data)
    assert answer.status_code == 303 and answer.headers["Location"] == target


@given(st.text(alphabet="/\\ \t\n\x00:@.?#%aevil", max_size=12))
def test_a_target_is_local_as_browsers_read_it(target: str) -> None:
    """Browsers strip blanks at the ends and tabs and newlines anywhere, and take \\ for /."""
    app = Flask("alone")
    app.add_url_rule(HOME, "overview.applications", lambda: "")
    with app.test_request_context():
        chosen = local_target(target)
    read = chosen.strip("".join(map(chr, range(33)))).replace("\\", "/")
    for dropped in "\t\r\n":
        read = read.replace(dropped, "")
    assert read.startswith("/") and not read.startswith("//") and not urlsplit(read).netloc
