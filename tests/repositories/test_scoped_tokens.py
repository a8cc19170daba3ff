"""Git over HTTP with tokens that may do less than their person."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from app.accounts.models import AccessToken
from app.accounts.operations import create_access_token
from app.audit.models import AuditLine
from app.extensions import db, now
from app.permissions import Scope
from app.repositories.queries import load_repository
from tests.contracts.git_client import GitClient, GitFailed
from tests.panel import ALICE, BOB, Panel, Person, application, organisation, user_of
from tests.repositories.test_git_over_http import basic

PUSHING = {Scope.WRITE, Scope.ADMIN}


def token_of(panel: Panel, person: Person, scope: Scope, only: str = "") -> str:
    with panel.work():
        limit = organisation(only).id if only else None
        return create_access_token(user_of(person), "Scoped", scope=scope, organisation_id=limit)[1]


def ask(panel: Panel, token: str, service: str, slug: str = "demo", who: Person = ALICE) -> str:
    """Status and words of the first request of a Git client."""
    answer = panel.client().get(
        f"/git/{slug}.git/info/refs?service=git-{service}-pack",
        headers={"Authorization": basic(who.email, token).partition(": ")[2]},
    )
    return f"{answer.status_code} {answer.text if answer.status_code != 200 else ''}".strip()


@pytest.mark.parametrize("scope", list(Scope))
def test_all_scopes_fetch_and_two_push(panel: Panel, scope: Scope) -> None:
    token = token_of(panel, ALICE, scope)
    assert ask(panel, token, "upload") == "200"
    answer = ask(panel, token, "receive")
    if scope in PUSHING:
        assert answer == "200"
    else:
        assert answer.startswith("403") and "The token “Scoped” lets you fetch" in answer


def test_a_token_of_another_organisation_finds_no_repository(panel: Panel) -> None:
    elsewhere = token_of(panel, ALICE, Scope.ADMIN, "alice")
    there = ask(panel, elsewhere, "upload")
    missing = ask(panel, elsewhere, "upload", "missing")
    assert there.startswith("404") and there.replace("demo", "…") == missing.replace("missing", "…")
    assert ask(panel, elsewhere, "receive").startswith("404")
    assert ask(panel, token_of(panel, ALICE, Scope.WRITE, "moon"), "receive") == "200"


def test_a_scope_gives_nobody_more_than_they_may(panel: Panel) -> None:
    token = token_of(panel, BOB, Scope.ADMIN)
    assert ask(panel, token, "upload", who=BOB) == "200"
    answer = ask(panel, token, "receive", who=BOB)
    assert answer.startswith("403") and "token" not in answer


def test_a_real_client_is_told_why(panel: Panel, tmp_path: Path) -> None:
    header = basic(ALICE.email, token_of(panel, ALICE, Scope.READ))
    with panel.served() as (host, port):
        address = f"http://{host}:{port}/git/demo.git"
        work = GitClient(tmp_path / "work", header=header).clone(address)
        work.commit("A change", {"x": "x"})
        with pytest.raises(GitFailed) as refused:
            work.push(address)
    assert "403" in refused.value.said
    with panel.reading():
        key = load_repository(application().id).uuid
        assert panel.store.log(key, panel.store.resolve(key, "main") or "", None, 1)[0].subject != (
            "A change"
        )


def test_its_use_is_noted_every_five_minutes(panel: Panel) -> None:
    token = token_of(panel, ALICE, Scope.READ)

    def used() -> datetime.datetime | None:
        with panel.reading():
            return db.session.scalars(db.select(AccessToken)).one().last_used_at

    assert used() is None
    ask(panel, token, "upload")
    first = used()
    assert first
    ask(panel, token, "upload")
    assert used() == first
    with panel.work():
        row = db.session.scalars(db.select(AccessToken)).one()
        row.last_used_at = now() - datetime.timedelta(minutes=5, seconds=1)
    ask(panel, token, "upload")
    assert used() >= first


def test_making_one_is_an_audit_line_of_its_organisation(panel: Panel) -> None:
    token_of(panel, ALICE, Scope.DEPLOY, "moon")
    with panel.reading():
        line = db.session.scalars(
            db.select(AuditLine).where(AuditLine.action == "account.token.create")
        ).one()
        assert line.organisation_id == organisation().id
        assert line.details["scope"] == "deploy"
