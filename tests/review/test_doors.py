"""Ways in that stood open: what was closed must stay closed."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Callable

import pytest

from app.accounts.jobs import send_password_reset
from app.accounts.models import AccessToken, PasswordReset, SSHKey, User
from app.accounts.operations import add_ssh_key, change_password, create_access_token
from app.accounts.password_resets import reset_password
from app.accounts.password_resets import send_password_reset as send_reset
from app.accounts.queries import find_user
from app.accounts.sign_ins import end_sign_ins
from app.audit.models import AuditLine
from app.domains.models import Domain, DomainKind, RedirectBy
from app.domains.operations import change_use, note_finding, restore_domain, trash_domain
from app.errors import Conflict, PanelError
from app.extensions import db
from app.lifecycle.organisations import delete_organisation
from app.lifecycle.trash import trash_application
from app.logs.queries import log_store
from app.mails.jobs import deliver
from app.mails.models import Mail
from app.names import RESERVED_SLUGS
from app.organisations.models import Member
from app.organisations.operations import create_organisation, remove_member
from app.organisations.queries import find_member, find_organisation
from app.permissions import Role
from app.routes.operations import give_up_trashed_host
from app.variables.operations import set_variable
from app.web.streams import ASK_AGAIN_SECONDS
from tests.accounts.soft_authenticator import SoftAuthenticator
from tests.domains.site import FOUND, claim, own, prove, row, uses
from tests.panel import (
    ALICE,
    DORA,
    PASSWORD,
    Panel,
    application,
    environment,
    organisation,
    user_of,
)

PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFhbHbyTmWXoQVzjH/2cSTRwcoaKZb0QzKsmHrDXbBZ1 somebody"
)
NEW = "another long password"


# Passkeys -------------------------------------------------------------------------------------


def test_a_challenge_to_show_a_passkey_adds_none(panel: Panel) -> None:
    """It is had without a password: who found an open browser must not add a key of their own."""
    browser, key = panel.client_of(ALICE), SoftAuthenticator(panel.settings.panel_url)
    asked = json.loads(browser.post("/account/sign-in/passkey-options/").text)
    data = {"name": "Mine", "passkey": key.create(asked)}
    answer = browser.post("/account/passkeys/", data=data, follow_redirects=True)
    assert "was not taken" in answer.text
    with panel.reading():
        assert not user_of(ALICE).has_second_factor


def test_a_browser_that_says_nonsense_of_its_transports(panel: Panel) -> None:
    browser, key = panel.client_of(ALICE), SoftAuthenticator(panel.settings.panel_url)
    options = browser.post("/account/passkeys/options/", data={"password": PASSWORD})
    made = json.loads(key.create(json.loads(options.text)))
    made["response"]["transports"] = [["usb"], {}, 1, "usb"]
    answer = browser.post("/account/passkeys/", data={"passkey": json.dumps(made)})
    assert answer.status_code == 200
    with panel.reading():
        assert user_of(ALICE).passkeys[0].transports == ["usb"]


# An account that somebody else made for my address ----------------------------------------------


def test_who_waits_in_an_account_with_a_strangers_address_is_put_out(panel: Panel) -> None:
    """They sign up with it, leave a key and a token, and wait for its owner to be invited."""
    form = {"email": "victim@example.com", "name": "Somebody", "password": PASSWORD}
    assert panel.client().post("/account/sign-up/", data=form).status_code == 303
    with panel.work():
        waiting = user("victim@example.com")
        add_ssh_key(waiting, "theirs", PUBLIC_KEY)
        create_access_token(waiting, "theirs")
    chooses_by_mail(panel, "victim@example.com")
    with panel.reading():
        assert db.session.scalars(db.select(SSHKey)).all() == []
        assert db.session.scalars(db.select(AccessToken)).all() == []
        assert user("victim@example.com").is_email_proved
        letter = db.session.scalars(db.select(Mail.subject).order_by(Mail.id.desc())).first()
        assert letter and "keys and tokens of before were removed" in letter


def test_who_has_proved_the_address_keeps_keys_and_tokens(panel: Panel) -> None:
    with panel.work():
        add_ssh_key(user_of(ALICE), "hers", PUBLIC_KEY)
        create_access_token(user_of(ALICE), "hers")
    chooses_by_mail(panel, ALICE.email)
    with panel.reading():
        assert user_of(ALICE).ssh_keys and user_of(ALICE).access_tokens


def user(email: str) -> User:
    found = find_user(email)
    assert found
    return found


def chooses_by_mail(panel: Panel, email: str) -> None:
    """Whoever reads the mails of `email` has forgotten the password."""
    with panel.reading():
        send_password_reset(email)
        number = db.session.scalars(db.select(Mail.id).order_by(Mail.id.desc())).first()
        deliver(number or 0)
    found = re.search(r"/reset-password/(\S+)/", panel.mailer.letters[-1].text)
    assert found
    with panel.work():
        reset_password(found[1], NEW)


def test_a_link_to_a_new_password_dies_when_it_is_changed(panel: Panel) -> None:
    with panel.work():
        send_reset(ALICE.email)
    with panel.work():
        change_password(user_of(ALICE), PASSWORD, NEW)
    with panel.reading():
        assert db.session.scalars(db.select(PasswordReset)).all() == []


# Live pages -------------------------------------------------------------------------------------


def is_removed() -> None:
    member = find_member(organisation().id, user_of(DORA).id)
    assert member
    remove_member(member, user_of(ALICE))


def is_signed_out() -> None:
    end_sign_ins(user_of(DORA))


def is_trashed() -> None:
    trash_application(application(), user_of(ALICE))


def is_asked_for_a_second_factor() -> None:
    organisation().requires_second_factor = True


def told_by_the_log_of(panel: Panel, meanwhile: Callable[[], None]) -> bytes:
    """What Dora's browser hears of a line written after `meanwhile` was done to her: far longer
    after than a right may outlast itself, and before the stream ends by itself."""
    cookie = panel.client_of(DORA).get_cookie("session")
    assert cookie
    with panel.reading():
        uuid = environment().uuid
    with panel.served() as (host, port):
        connection = http.client.HTTPConnection(host, port, timeout=10)
        path = "/applications/demo/environments/test/logs/stream/"
        connection.request("GET", path, headers={"Cookie": f"session={cookie.value}"})
        answer = connection.getresponse()
        assert answer.status == 200
        with panel.work():
            meanwhile()
        time.sleep(ASK_AGAIN_SECONDS + 0.4)
        with panel.reading():
            log_store().runtime(uuid).append("a line of later\n")
        heard = answer.read()
        connection.close()
    return heard


@pytest.mark.parametrize(
    "what", [is_removed, is_signed_out, is_trashed, is_asked_for_a_second_factor]
)
def test_a_live_page_ends_with_the_right_to_see_it(panel: Panel, what: Callable[[], None]) -> None:
    assert b"a line of later" not in told_by_the_log_of(panel, what)


def test_a_live_page_goes_on_for_who_may_see_it(panel: Panel) -> None:
    assert b"a line of later" in told_by_the_log_of(panel, lambda: None)


# Addresses --------------------------------------------------------------------------------------


def test_no_application_hides_behind_a_page_beside_it(panel: Panel) -> None:
    rules = [str(rule) for rule in panel.app.url_map.iter_rules()]
    beside = {found[1] for rule in rules if (found := re.match(r"/applications/([a-z-]+)/", rule))}
    assert {"new", "deploy"} <= beside <= RESERVED_SLUGS


# What audit lines keep for ever -----------------------------------------------------------------


def test_a_secret_that_was_not_ticked_is_in_no_audit_line(panel: Panel) -> None:
    with panel.work():
        set_variable(environment(), "SMTP_PASSWORD", "hunter2 hunter2", False, user_of(ALICE))
        address = "postgres://me:hunter2@db.example.com/x"
        set_variable(environment(), "DATABASE", address, False, user_of(ALICE))
        set_variable(environment(), "COLOUR", "blue", False, user_of(ALICE))
    with panel.reading():
        lines = [json.dumps(one) for one in db.session.scalars(db.select(AuditLine.details))]
        assert not any("hunter2" in line for line in lines)
        assert any("blue" in line for line in lines)


def test_a_search_with_thousands_of_words_is_answered(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    for page in ("variables", "variables/history"):
        path = f"/applications/demo/environments/test/{page}/"
        assert client.get(path, query_string={"q": "a " * 3000}).status_code == 200


def test_somebody_who_borrows_a_name_for_an_act_is_known_all_the_same(panel: Panel) -> None:
    client = panel.client_of(DORA)
    for name in (ALICE.name, DORA.name):
        profile = {"name": name, "time_zone": "UTC", "language": "en", "failure_notices": "own"}
        assert client.post("/account/", data=profile).status_code == 303
        if name == ALICE.name:
            client.post("/applications/demo/settings/name/", data={"name": "Ruined"})
    page = panel.client_of(ALICE).get("/organisations/moon/audit/export.csv").text
    line = next(row for row in page.splitlines() if "application.rename" in row)
    assert ALICE.name in line and DORA.email in line
    assert f"{DORA.name} is called {ALICE.name}" in client.get("/account/activity/").text


def test_the_last_day_of_the_calendar_is_a_day(panel: Panel) -> None:
    for path in ("/organisations/moon/audit/", "/organisations/moon/audit/export.csv"):
        for bound in ("since", "until"):
            for day in ("0001-01-01", "9999-12-31"):
                answer = panel.client_of(ALICE).get(path, query_string={bound: day})
                assert answer.status_code == 200 and answer.data


# Domains ----------------------------------------------------------------------------------------


def test_what_went_to_the_trash_meanwhile_is_given_no_use(panel: Panel) -> None:
    first, second = own(panel, "one.example.com"), own(panel, "two.example.com")
    with panel.work():
        trash_domain(row(second), user_of(ALICE))
    for act in (
        lambda: change_use(row(second), DomainKind.PRIMARY, RedirectBy.FOUND, user_of(ALICE)),
        lambda: trash_domain(row(second), user_of(ALICE)),
        lambda: restore_domain(row(first), user_of(ALICE)),
        lambda: give_up_trashed_host(row(first), None),
    ):
        with pytest.raises(Conflict), panel.work():
            act()
    assert uses(panel) == {"one.example.com": "primary"}


# Two at the same instant, on PostgreSQL ---------------------------------------------------------


@pytest.fixture
def postgresql(settled_postgresql_panel: Panel) -> Panel:
    return settled_postgresql_panel


def at_once(panel: Panel, *acts: Callable[[], object]) -> list[BaseException]:
    """Each in a thread and a unit of work of its own, as closely together as the locks let them."""
    together, raised = threading.Barrier(len(acts)), list[BaseException]()

    def run(act: Callable[[], object]) -> None:
        try:
            with panel.work():
                act()
                try:
                    together.wait(1)
                except threading.BrokenBarrierError:
                    return
        except Exception as error:  # noqa: BLE001 -- whatever it is, the assertion shows it
            raised.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return raised


def test_an_environment_has_one_primary_domain(postgresql: Panel) -> None:
    claims = [claim(postgresql, f"{name}.example.com") for name in ("one", "two")]
    both = [lambda uuid=uuid: proves(uuid) for uuid in claims]
    assert at_once(postgresql, *both) == []
    assert sorted(uses(postgresql).values()) == ["alias", "primary"]
    third = claim(postgresql, "three.example.com")
    assert prove(postgresql, third)
    with postgresql.reading():
        aliases = db.session.scalars(
            db.select(Domain.uuid).where(Domain.kind == DomainKind.ALIAS)
        ).all()
    chosen = [
        lambda uuid=uuid: change_use(
            row(uuid), DomainKind.PRIMARY, RedirectBy.FOUND, user_of(ALICE)
        )
        for uuid in aliases
    ]
    assert at_once(postgresql, *chosen) == []
    assert sorted(uses(postgresql).values()) == ["alias", "alias", "primary"]
    postgresql.close()


def proves(uuid: str) -> None:
    assert note_finding(row(uuid), FOUND, None)


def test_an_organisation_that_two_delete(postgresql: Panel) -> None:
    with postgresql.work():
        create_organisation("Short", user_of(ALICE))

    def delete() -> None:
        delete_organisation(organisation("short"), user_of(ALICE))

    raised = at_once(postgresql, delete, delete)
    assert [type(error) for error in raised] == [Conflict]
    postgresql.close()


def test_joining_what_is_just_being_deleted(postgresql: Panel) -> None:
    """The invitation was looked up, and is taken while the organisation goes."""
    with postgresql.work():
        create_organisation("Short", user_of(ALICE))
    loaded, gone = threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def join() -> None:
        try:
            with postgresql.work():
                place, person = organisation("short").id, user_of(DORA).id
                loaded.set()
                assert gone.wait(10)
                db.session.add(Member(organisation_id=place, user_id=person, role=Role.REGULAR))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the assertion shows it
            raised.append(error)

    thread = threading.Thread(target=join)
    thread.start()
    assert loaded.wait(10)
    with postgresql.work():
        delete_organisation(organisation("short"), user_of(ALICE))
    gone.set()
    thread.join(20)
    assert [type(error) for error in raised] == [Conflict]
    assert isinstance(raised[0], PanelError) and "changed what this belongs to" in str(raised[0])
    with postgresql.reading():
        assert find_organisation("short") is None
    postgresql.close()
