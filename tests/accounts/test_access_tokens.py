"""Access tokens: shown once, kept as a hash, ended by time or hand."""

from __future__ import annotations

import datetime
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.models import AccessToken
from app.accounts.operations import create_access_token
from app.accounts.queries import find_access_token
from app.applications.queries import rights_by_token
from app.errors import Invalid
from app.extensions import now
from app.permissions import (
    EVERYTHING,
    SCOPE_RIGHTS,
    Access,
    Permission,
    Role,
    Scope,
    rights_of,
)
from tests.panel import (
    ALICE,
    BOB,
    CHARLIE,
    Panel,
    Person,
    application,
    organisation,
    user_of,
)

FORM = {"name": "laptop", "days": "30", "scope": "write", "organisation": ""}
SHOWN = re.compile(r"mb_[A-Za-z0-9_-]{43}")


def make_token(panel: Panel, days: int | None = None) -> str:
    with panel.work():
        return create_access_token(user_of(ALICE), "laptop", days)[1]


def test_the_text_is_shown_once_and_kept_nowhere(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    page = client.post("/account/access-tokens/", data=FORM).text
    shown = set(SHOWN.findall(page))
    assert len(shown) == 1
    text = shown.pop()
    assert text not in client.get("/account/access-tokens/").text
    for file in (panel.settings.data_dir / "panel").iterdir():
        assert text.encode() not in file.read_bytes()
    with panel.reading():
        token = find_access_token(text)
        assert token and token.user.email == ALICE.email and text.startswith(token.hint)
        assert len(token.hint) < 10


@pytest.mark.parametrize("text", ["", "mb_", "mb_wrong", "\0", "x" * 100_000])
def test_other_texts_open_nothing(panel: Panel, text: str) -> None:
    make_token(panel)
    with panel.reading():
        assert find_access_token(text) is None


def test_a_token_ends_at_its_time(panel: Panel) -> None:
    text = make_token(panel, days=30)
    with panel.reading():
        soon, late = (now() + datetime.timedelta(days=30, seconds=s) for s in (-60, 1))
        assert find_access_token(text, soon)
        assert find_access_token(text, late) is None
    lasting = make_token(panel)
    with panel.reading():
        assert find_access_token(lasting, now() + datetime.timedelta(days=9999))


def test_a_revoked_token_opens_nothing(panel: Panel) -> None:
    text = make_token(panel)
    assert panel.client_of(BOB).post("/account/access-tokens/1/revoke/").status_code == 404
    with panel.reading():
        assert find_access_token(text)
    assert panel.client_of(ALICE).post("/account/access-tokens/1/revoke/").status_code == 303
    with panel.reading():
        assert find_access_token(text) is None


def test_a_token_needs_a_name(panel: Panel) -> None:
    with pytest.raises(Invalid), panel.work():
        create_access_token(user_of(ALICE), " ")


def test_scope_and_organisation_are_kept(panel: Panel) -> None:
    data = {**FORM, "scope": "deploy", "organisation": "moon"}
    panel.client_of(ALICE).post("/account/access-tokens/", data=data)
    with panel.reading():
        token = user_of(ALICE).access_tokens[0]
        assert (token.scope, token.organisation_id) == (Scope.DEPLOY, organisation().id)
    page = panel.client_of(ALICE).get("/account/access-tokens/").text
    assert "Reads and deploys" in page and "Moon" in page


@pytest.mark.parametrize(("field", "value"), [("organisation", "charlie"), ("scope", "root")])
def test_what_is_not_on_offer_cannot_be_chosen(panel: Panel, field: str, value: str) -> None:
    answer = panel.client_of(ALICE).post("/account/access-tokens/", data={**FORM, field: value})
    assert answer.status_code == 200 and not SHOWN.search(answer.text)
    with panel.reading():
        assert user_of(ALICE).access_tokens == []


def test_the_client_is_sent_to_a_page_with_its_lines(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    page = "/account/desktop-app/access-token/"
    assert 'value="Command line"' in client.get(page).text
    answer = client.post(page, data=FORM).text
    text = SHOWN.findall(answer)[0]
    assert f"machine localhost\nlogin {ALICE.email}\npassword {text}" in answer
    assert "git clone http://alice%40example.com@localhost/git/demo.git" in answer
    assert panel.client().get(page).status_code == 302


PERMISSIONS = st.frozensets(st.sampled_from(list(Permission)))


@given(rights=PERMISSIONS, scope=st.sampled_from(list(Scope)), only=st.sampled_from([None, 1, 2]))
def test_a_token_never_gives_more_than_person_scope_and_organisation(
    rights: frozenset[Permission], scope: Scope, only: int | None
) -> None:
    given_on = AccessToken(scope=scope, organisation_id=only).limit(rights, 1)
    assert given_on <= rights and given_on <= SCOPE_RIGHTS[scope]
    assert given_on == (frozenset() if only == 2 else rights & SCOPE_RIGHTS[scope])


def test_each_scope_holds_the_one_before() -> None:
    chain = [SCOPE_RIGHTS[scope] for scope in Scope]
    assert all(less < more for less, more in itertools.pairwise(chain))
    assert Permission.INSTALLATION_OPERATE not in chain[-1]


@pytest.mark.parametrize(
    ("person", "scope", "only", "expected"),
    [
        (ALICE, Scope.ADMIN, None, EVERYTHING),
        (ALICE, Scope.READ, "moon", SCOPE_RIGHTS[Scope.READ]),
        (ALICE, Scope.ADMIN, "alice", frozenset()),
        (BOB, Scope.ADMIN, None, rights_of(Role.REGULAR, Access.VIEWER)),
        (CHARLIE, Scope.ADMIN, None, frozenset()),
    ],
    ids=["owner", "reads only", "elsewhere", "looks only", "stranger"],
)
def test_rights_by_token_on_an_application(
    panel: Panel, person: Person, scope: Scope, only: str | None, expected: frozenset[Permission]
) -> None:
    with panel.work():
        limit = organisation(only).id if only else None
        user = user_of(person)
        token = create_access_token(user, "x", scope=scope, organisation_id=limit)[0]
        assert rights_by_token(application(), token) == expected


def test_operators_make_tokens_with_scope_and_end(panel: Panel) -> None:
    words = "panel token create --scope deploy --organisation moon --days 7".split()
    runner = panel.app.test_cli_runner()
    done = runner.invoke(args=[*words, ALICE.email])
    assert done.exit_code == 0, done.output
    with panel.reading():
        token = find_access_token(done.output.strip())
        assert token and token.scope == Scope.DEPLOY and token.expires_at
        assert token.organisation_id == organisation().id
    assert runner.invoke(args=[*words, CHARLIE.email]).exit_code == 1
