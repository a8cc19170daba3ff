"""Claiming, proving, using and giving up domains."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from app.audit.models import AuditLine
from app.domains import operations, queries
from app.domains.models import Domain, DomainKind, RedirectBy
from app.domains.records import suggest_records
from app.errors import Invalid
from app.extensions import db, now
from app.routes.operations import give_up_host
from app.runtime.queries import automatic_variables
from tests.domains.site import claim, own, prove, row, uses
from tests.panel import ALICE, CHARLIE, Panel, environment, user_of

ALIAS, REDIRECT, PRIMARY = DomainKind.ALIAS, DomainKind.REDIRECT, DomainKind.PRIMARY


def hosts(panel: Panel, slug: str = "live") -> list[str]:
    with panel.reading():
        return queries.list_hosts(environment(slug).id)


def redirects(panel: Panel) -> list[list[str | int]]:
    with panel.reading():
        return queries.list_redirects(environment("live").id)


def variables(panel: Panel) -> dict[str, str]:
    with panel.reading():
        found = automatic_variables(environment("live"))
        return {name: value for name, value in found.items() if name.startswith("DOMAIN")}


def grow_old(panel: Panel, uuid: str, days: float) -> None:
    with panel.work():
        row(uuid).created_at = now() - datetime.timedelta(days=days)


# Claims ------------------------------------------------------------------------------------------


def test_a_claim_serves_nothing_until_it_is_proved(panel: Panel) -> None:
    uuid = claim(panel, "HTTPS://www.Bakery.com/")
    assert hosts(panel) == ["demo.localhost"]
    assert variables(panel)["DOMAIN"] == "demo.localhost"
    assert prove(panel, uuid)
    assert hosts(panel) == ["demo.localhost", "www.bakery.com"]
    assert not prove(panel, uuid)  # it is already


def test_only_live_has_domains_unless_the_operator_allows_more(panel: Panel) -> None:
    with pytest.raises(Invalid, match="Only Live"):
        claim(panel, "www.bakery.com", "test")
    wider = dataclasses.replace(panel.settings, has_domains_beyond_live=True)
    with panel.work():
        operations.claim_domain(environment("test"), "www.bakery.com", user_of(ALICE), wider)


@pytest.mark.parametrize("host", ["demo.localhost", "x.localhost", "co.uk", "10.0.0.1", "*.a.com"])
def test_what_can_be_nobodys_domain_is_refused(panel: Panel, host: str) -> None:
    with pytest.raises(Invalid):
        claim(panel, host)
    assert uses(panel) == {}


def test_two_may_claim_one_host_and_the_first_to_prove_it_has_it(panel: Panel) -> None:
    ours = claim(panel, "www.bakery.com")
    theirs = claim(panel, "www.bakery.com", of="other", by=CHARLIE)
    assert prove(panel, theirs)
    assert not prove(panel, ours)
    with panel.reading():
        assert queries.taken_hosts([row(ours)]) == {"www.bakery.com"}
        assert queries.list_hosts(environment("live", "other").id)[1:] == ["www.bakery.com"]
    assert hosts(panel) == ["demo.localhost"]


def test_a_host_of_another_site_is_refused_without_saying_whose(panel: Panel) -> None:
    own(panel, "www.bakery.com")
    with pytest.raises(Invalid, match="another site here") as refusal:
        claim(panel, "www.bakery.com", of="other", by=CHARLIE)
    assert "demo" not in refusal.value.sentence.lower()
    with pytest.raises(Invalid, match="of Live already"):
        claim(panel, "www.bakery.com")


def test_the_same_claim_twice_is_refused_until_it_has_expired(panel: Panel) -> None:
    first = claim(panel, "www.bakery.com")
    with panel.reading():
        token = row(first).proof_token
    with pytest.raises(Invalid, match="in the list already"):
        claim(panel, "www.bakery.com")
    grow_old(panel, first, 6.9)
    with pytest.raises(Invalid, match="in the list already"):
        claim(panel, "www.bakery.com")
    grow_old(panel, first, 7)
    assert not prove(panel, first)
    again = claim(panel, "www.bakery.com")
    with panel.reading():
        assert row(again).proof_token != token
    assert prove(panel, again)


def test_there_is_an_end_to_claims(panel: Panel) -> None:
    with panel.work():
        number = environment("live").id
        for count in range(operations.DOMAINS_PER_ENVIRONMENT):
            host = f"shop-{count}.bakery.com"
            db.session.add(Domain(environment_id=number, host=host, kind=ALIAS))
    with pytest.raises(Invalid, match="at most 100"):
        claim(panel, "www.bakery.com")


# Uses --------------------------------------------------------------------------------------------


def test_there_is_exactly_one_primary_once_there_is_any(panel: Panel) -> None:
    first, second = own(panel, "www.bakery.com"), own(panel, "bakery.com")
    assert uses(panel) == {"www.bakery.com": "primary", "bakery.com": "alias"}
    with pytest.raises(Invalid, match="always one"), panel.work():
        operations.change_use(row(first), ALIAS, RedirectBy.FOUND, user_of(ALICE))
    with panel.work():
        operations.change_use(row(second), PRIMARY, RedirectBy.FOUND, user_of(ALICE))
    assert uses(panel) == {"www.bakery.com": "alias", "bakery.com": "primary"}
    assert hosts(panel) == ["demo.localhost", "bakery.com", "www.bakery.com"]


def test_what_is_not_proved_or_not_ones_own_has_no_other_use(panel: Panel) -> None:
    uuid = claim(panel, "www.bakery.com")
    with pytest.raises(Invalid, match="Prove first"), panel.work():
        operations.change_use(row(uuid), PRIMARY, RedirectBy.FOUND, user_of(ALICE))
    with panel.reading():
        platform = queries.find_domain("demo.localhost")
        assert platform
        number = platform.uuid
    with pytest.raises(Invalid, match="platform's address"), panel.work():
        operations.change_use(row(number), ALIAS, RedirectBy.FOUND, user_of(ALICE))
    with pytest.raises(Invalid, match="platform's address"), panel.work():
        operations.trash_domain(row(number), user_of(ALICE))


def test_redirects_by_the_platform_and_by_the_application(panel: Panel) -> None:
    own(panel, "www.bakery.com")
    own(panel, "bakery.com", REDIRECT)
    own(panel, "baker.com", REDIRECT, RedirectBy.MOVED_PERMANENTLY)
    own(panel, "bread.com", REDIRECT, RedirectBy.APPLICATION)
    own(panel, "shop.bakery.com")
    assert hosts(panel) == ["demo.localhost", "www.bakery.com", "bread.com", "shop.bakery.com"]
    assert redirects(panel) == [
        ["bakery.com", "www.bakery.com", 302],
        ["baker.com", "www.bakery.com", 301],
    ]
    assert variables(panel) == {
        "DOMAIN": "www.bakery.com",
        "DOMAIN_ALIASES": "demo.localhost,shop.bakery.com",
        "DOMAIN_REDIRECTS": "bakery.com,baker.com,bread.com",
    }


def test_without_own_domains_the_platforms_is_the_domain(panel: Panel) -> None:
    assert variables(panel) == {
        "DOMAIN": "demo.localhost",
        "DOMAIN_ALIASES": "",
        "DOMAIN_REDIRECTS": "",
    }


# Giving up ---------------------------------------------------------------------------------------


def trash(panel: Panel, uuid: str) -> None:
    with panel.work():
        operations.trash_domain(row(uuid), user_of(ALICE))


def test_an_unproved_claim_is_simply_gone(panel: Panel) -> None:
    trash(panel, claim(panel, "www.bakery.com"))
    with panel.reading():
        assert db.session.scalar(db.select(Domain).where(Domain.host == "www.bakery.com")) is None


def test_when_the_primary_goes_the_oldest_alias_follows(panel: Panel) -> None:
    first = own(panel, "www.bakery.com")
    own(panel, "bakery.com", REDIRECT)
    own(panel, "shop.bakery.com")
    trash(panel, first)
    assert uses(panel) == {"bakery.com": "redirect", "shop.bakery.com": "primary"}
    assert redirects(panel) == [["bakery.com", "shop.bakery.com", 302]]
    with panel.work():
        operations.restore_domain(row(first), user_of(ALICE))
    assert uses(panel)["www.bakery.com"] == "alias"


def test_a_host_in_the_trash_stays_taken_and_comes_back_whole(panel: Panel) -> None:
    uuid = own(panel, "www.bakery.com")
    trash(panel, uuid)
    assert hosts(panel) == ["demo.localhost"] and variables(panel)["DOMAIN"] == "demo.localhost"
    with pytest.raises(Invalid, match="trash"):
        claim(panel, "www.bakery.com")
    with pytest.raises(Invalid, match="another site here"):
        claim(panel, "www.bakery.com", of="other", by=CHARLIE)
    with panel.work():
        operations.restore_domain(row(uuid), user_of(ALICE))
    assert uses(panel) == {"www.bakery.com": "primary"}
    assert hosts(panel) == ["demo.localhost", "www.bakery.com"]


def test_what_is_given_up_for_good_belongs_to_whoever_proves_it_next(panel: Panel) -> None:
    uuid = own(panel, "www.bakery.com")
    trash(panel, uuid)
    with panel.work():
        give_up_host(row(uuid), user_of(ALICE))
    assert own(panel, "www.bakery.com", of="other", by=CHARLIE)


def test_every_act_is_an_audit_line(panel: Panel) -> None:
    uuid = own(panel, "www.bakery.com")
    other = own(panel, "bakery.com", REDIRECT, RedirectBy.MOVED_PERMANENTLY)
    trash(panel, uuid)
    with panel.work():
        operations.restore_domain(row(uuid), user_of(ALICE))
    trash(panel, other)
    with panel.work():
        give_up_host(row(other), None)
    with panel.reading():
        lines = db.session.scalars(
            db.select(AuditLine).where(AuditLine.action.like("domain.%")).order_by(AuditLine.id)
        ).all()
        assert [line.action.removeprefix("domain.") for line in lines] == (
            "claim prove claim prove change trash restore trash delete".split()
        )
        assert {line.subject for line in lines} == {"demo/live"}
        change = lines[4].details
        assert (change["before"], change["after"]) == ("alias", "redirect (301)")


# DNS records -------------------------------------------------------------------------------------


def test_the_record_to_make_depends_on_the_name() -> None:
    sub = suggest_records("www.bakery.com", "demo.sites.net", ["192.0.2.1"])
    assert (sub.best.kind, sub.best.name, sub.best.value) == (
        "CNAME",
        "www.bakery.com",
        "demo.sites.net",
    )
    assert sub.last_resort == ()
    bare = suggest_records("bakery.co.uk", "demo.sites.net", ["192.0.2.1", "2001:db8::1"])
    assert (bare.best.kind, bare.best.value) == ("ALIAS", "demo.sites.net")
    assert [(one.kind, one.value) for one in bare.last_resort] == [
        ("A", "192.0.2.1"),
        ("AAAA", "2001:db8::1"),
    ]
