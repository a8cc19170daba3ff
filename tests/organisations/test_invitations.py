"""Invitations: the mail, the page behind its link, and everything that can go wrong with one."""

from __future__ import annotations

import datetime
import re

import pytest
from flask.testing import FlaskClient

from app.accounts.queries import find_user
from app.errors import Invalid, NotAllowed
from app.extensions import db, now
from app.mails.models import Mail
from app.organisations import invitations
from app.organisations.models import Invitation
from app.organisations.operations import add_member, remove_member
from app.organisations.queries import find_invitation_to, find_member
from app.permissions import Role
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    PASSWORD,
    Panel,
    Person,
    organisation,
    user_of,
)

ANNA = "anna@client.example"
PAGE = "/organisations/moon/members/"


def invite(panel: Panel, email: str = ANNA, role: Role = Role.REGULAR) -> str:
    """Alice invites; returns the path of the link in the mail."""
    form = {"email": email, "role": role.value}
    answer = panel.client_of(ALICE).post("/organisations/moon/invitations/", data=form)
    assert answer.status_code == 303 and answer.location.endswith(PAGE)
    return link(panel)


def link(panel: Panel) -> str:
    """The path in the newest mail."""
    found = re.search(r"https?://[^/]+(/invitations/[^/]+/)", newest_mail(panel).text)
    assert found
    return found[1]


def newest_mail(panel: Panel) -> Mail:
    with panel.reading():
        mail = db.session.scalars(db.select(Mail).order_by(Mail.id.desc())).first()
        assert mail is not None and mail.text  # which is loaded when asked for
        return mail


def pending(panel: Panel, email: str = ANNA) -> Invitation | None:
    with panel.reading():
        return find_invitation_to(organisation().id, email)


def role_of(panel: Panel, email: str) -> Role | None:
    with panel.reading():
        user = find_user(email)
        member = find_member(organisation().id, user.id) if user else None
        return member.role if member else None


def age(panel: Panel, **by: float) -> None:
    """Let the invitation to Anna lie for some time."""
    with panel.work():
        row = find_invitation_to(organisation().id, ANNA)
        assert row
        row.sent_at -= datetime.timedelta(**by)
        row.expires_at -= datetime.timedelta(**by)


def make_account(client: FlaskClient, path: str) -> int:
    return client.post(path, data={"name": "Anna", "password": PASSWORD}).status_code


def test_the_mail_says_who_invites_whom_to_what(panel: Panel) -> None:
    invite(panel, role=Role.SITE_EDITOR)
    mail = newest_mail(panel)
    assert mail.recipient == ANNA
    assert "Moon" in mail.subject
    for words in ("Alice (alice@example.com) invites you to join Moon", "site editor", "7 days"):
        assert words in mail.text


def test_a_newcomer_makes_an_account_and_is_in_also_where_sign_up_is_closed(panel: Panel) -> None:
    object.__setattr__(panel.settings, "sign_up_is_open", False)
    path = invite(panel)
    browser = panel.client()
    assert browser.get("/account/sign-up/").status_code == 403
    page = browser.get(path)
    assert page.status_code == 200 and "Alice" in page.text and "Moon" in page.text
    assert make_account(browser, path) == 303
    assert role_of(panel, ANNA) == Role.REGULAR
    assert browser.get(PAGE).status_code == 200, "signed in and a member"


def test_the_address_is_fixed_whatever_the_form_says(panel: Panel) -> None:
    path = invite(panel)
    form = {"name": "Mallory", "password": PASSWORD, "email": "mallory@example.com"}
    assert panel.client().post(path, data=form).status_code == 303
    with panel.reading():
        assert find_user("mallory@example.com") is None and find_user(ANNA) is not None


def test_a_weak_password_keeps_the_invitation(panel: Panel) -> None:
    path = invite(panel)
    answer = panel.client().post(path, data={"name": "Anna", "password": "short"})
    assert answer.status_code == 200 and "at least 10 characters" in answer.text
    assert pending(panel) is not None and role_of(panel, ANNA) is None


def test_who_has_an_account_signs_in_and_accepts(panel: Panel) -> None:
    path = invite(panel, CHARLIE.email)
    stranger = panel.client()
    page = stranger.get(path).text
    assert "Sign in to accept" in page and f"next={path}" in page
    assert "Choose a password" not in page
    browser = panel.client_of(CHARLIE)
    assert "Accept and join" in browser.get(path).text
    assert browser.post(path).status_code == 303
    assert role_of(panel, CHARLIE.email) == Role.REGULAR


def test_nobody_makes_a_second_account_for_the_address(panel: Panel) -> None:
    path = invite(panel, CHARLIE.email)
    answer = panel.client().post(path, data={"name": "Mallory", "password": PASSWORD})
    assert answer.status_code == 200 and role_of(panel, CHARLIE.email) is None


def test_looking_at_the_page_accepts_nothing(panel: Panel) -> None:
    """Mail programs open links by themselves."""
    path = invite(panel, CHARLIE.email)
    panel.client_of(CHARLIE).get(path)
    assert role_of(panel, CHARLIE.email) is None


def test_somebody_else_is_told_and_may_sign_out(panel: Panel) -> None:
    path = invite(panel)
    browser = panel.client_of(CHARLIE)
    page = browser.get(path).text
    assert "You are signed in as charlie@example.com" in page and ANNA in page
    assert browser.post(path).status_code == 403
    assert role_of(panel, CHARLIE.email) is None and pending(panel)
    out = browser.post(f"{path}sign-out/")
    assert out.status_code == 303 and out.location.endswith(path)
    assert "Make an account and join" in browser.get(path).text


def test_an_accepted_link_leads_in_and_lets_nobody_else_in(panel: Panel) -> None:
    path = invite(panel, CHARLIE.email)
    browser = panel.client_of(CHARLIE)
    browser.post(path)
    for again in (browser.post(path), browser.get(path)):
        assert again.status_code in (302, 303) and again.location.endswith("/applications/")
    assert "You are a member of Moon already." in browser.get("/applications/").text
    for other in (panel.client(), panel.client_of(BOB)):
        answer = other.get(path)
        assert answer.status_code == 404 and "accepted already, taken back" in answer.text
    with panel.reading():
        assert len([row for row in organisation().members if row.user.email == CHARLIE.email]) == 1


def test_the_link_does_not_bring_back_who_was_removed(panel: Panel) -> None:
    path = invite(panel, CHARLIE.email)
    browser = panel.client_of(CHARLIE)
    browser.post(path)
    with panel.work():
        row = find_member(organisation().id, user_of(CHARLIE).id)
        assert row
        remove_member(row, user_of(ALICE))
    assert browser.post(path).status_code == 404
    assert role_of(panel, CHARLIE.email) is None


def test_after_a_week_it_has_expired(panel: Panel) -> None:
    path = invite(panel)
    age(panel, days=6, hours=23)
    assert "Make an account and join" in panel.client().get(path).text
    age(panel, hours=2)
    browser = panel.client()
    page = browser.get(path)
    assert "This invitation has expired" in page.text and "Make an account" not in page.text
    refused = browser.post(path, data={"name": "Anna", "password": PASSWORD})
    assert "expired" in refused.text and role_of(panel, ANNA) is None
    assert "expired" in panel.client_of(ALICE).get(PAGE).text


def test_sent_again_it_has_a_new_link_and_a_new_week(panel: Panel) -> None:
    path = invite(panel)
    age(panel, days=8)
    row = pending(panel)
    assert row
    act = f"/organisations/moon/invitations/{row.uuid}/resend/"
    assert panel.client_of(ADAM).post(act).status_code == 303
    newer = link(panel)
    assert newer != path
    assert panel.client().get(path).status_code == 404
    assert "Adam" in panel.client().get(newer).text
    assert make_account(panel.client(), newer) == 303


def test_it_is_sent_again_once_a_minute_at_most(panel: Panel) -> None:
    invite(panel)
    row = pending(panel)
    assert row
    act = f"/organisations/moon/invitations/{row.uuid}/resend/"
    assert panel.client_of(ALICE).post(act).status_code == 400
    age(panel, minutes=1)
    assert panel.client_of(ALICE).post(act).status_code == 303


def test_taken_back_it_opens_nothing(panel: Panel) -> None:
    path = invite(panel)
    row = pending(panel)
    assert row
    alice = panel.client_of(ALICE)
    act = f"/organisations/moon/invitations/{row.uuid}/revoke/"
    assert alice.post(act).status_code == 303
    assert panel.client().get(path).status_code == 404
    assert make_account(panel.client(), path) == 404
    assert alice.post(act).status_code == 404, "sent twice"


def test_a_made_up_link_is_not_there(panel: Panel) -> None:
    for browser in (panel.client(), panel.client_of(ALICE)):
        assert browser.get("/invitations/made-up/").status_code == 404
        assert browser.post("/invitations/made-up/").status_code == 404
        assert browser.get("/invitations/%00/").status_code == 404


def test_the_form_tells_nobody_who_has_an_account(panel: Panel) -> None:
    """Also a mail of the same length and words, but for the address."""
    answers, texts = [], []
    for email in (CHARLIE.email, "nobody@example.com"):
        form = {"email": email, "role": "regular"}
        browser = panel.client_of(ALICE)
        browser.post("/organisations/moon/invitations/", data=form)
        answers.append(browser.get(PAGE).text.split("The invitation is on its way")[0][-80:])
        mail = newest_mail(panel)
        texts.append(re.sub(r"/invitations/\S+", "", mail.text.replace(email, "")))
    assert answers[0] == answers[1] and texts[0] == texts[1]


def test_members_and_invited_people_are_not_invited_again(panel: Panel) -> None:
    invite(panel)
    for email, words in ((BOB.email, "member already"), (ANNA.upper(), "invited already")):
        answer = panel.client_of(ALICE).post(
            "/organisations/moon/invitations/", data={"email": email, "role": "regular"}
        )
        assert answer.status_code == 200 and words in answer.text


def test_who_became_a_member_otherwise_keeps_their_role(panel: Panel) -> None:
    path = invite(panel, CHARLIE.email, Role.REGULAR)
    with panel.work():
        add_member(organisation(), CHARLIE.email, Role.ADMINISTRATOR, user_of(ALICE))
    assert panel.client_of(CHARLIE).post(path).status_code == 303
    assert role_of(panel, CHARLIE.email) == Role.ADMINISTRATOR
    assert pending(panel, CHARLIE.email) is None


@pytest.mark.parametrize("person", [ADAM, BOB], ids=str)
def test_only_owners_invite_owners(panel: Panel, person: Person) -> None:
    with pytest.raises(NotAllowed, match="Only owners"), panel.work():
        invitations.invite(organisation(), ANNA, Role.OWNER, user_of(person))


def test_an_administrator_leaves_an_owners_invitation_alone(panel: Panel) -> None:
    invite(panel, role=Role.OWNER)
    age(panel, minutes=2)
    for act in (invitations.resend, invitations.revoke):
        with pytest.raises(NotAllowed, match="Only owners"), panel.work():
            row = find_invitation_to(organisation().id, ANNA)
            assert row
            act(row, user_of(ADAM))


def test_an_address_that_is_none_is_refused(panel: Panel) -> None:
    with pytest.raises(Invalid, match="not an e-mail address"), panel.work():
        invitations.invite(organisation(), "anna", Role.REGULAR, user_of(ALICE))


def test_no_other_site_learns_the_address_of_the_page(panel: Panel) -> None:
    path = invite(panel)
    browser = panel.client()
    for answer in (browser.get(path), browser.post(path), browser.get("/invitations/none/")):
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_the_token_is_kept_nowhere(panel: Panel) -> None:
    path = invite(panel)
    token = path.split("/")[2]
    row = pending(panel)
    assert row and row.token_hash != token and row.expires_at > now()
    kept = (panel.settings.data_dir / "panel" / "panel.sqlite3").read_bytes()
    log = panel.settings.data_dir / "panel" / "panel.sqlite3-wal"
    kept += log.read_bytes() if log.exists() else b""
    assert token.encode() not in kept, "the mail's text is encrypted"
