"""What a page says of an environment at a glance."""

from __future__ import annotations

from app.deployments.cards import load_cards
from app.domains.models import Domain, DomainKind
from app.extensions import db, now
from tests.deployments import site
from tests.panel import Panel, application, environment


def shown_host(panel: Panel) -> str:
    with panel.reading():
        found = application()
        return next(
            card.host for card in load_cards([found])[found.id] if card.environment.slug == "live"
        )


def add_primary(panel: Panel) -> None:
    with panel.work():
        db.session.add(
            Domain(
                environment_id=environment("live").id,
                host="www.example.com",
                kind=DomainKind.PRIMARY,
                proved_at=now(),
            )
        )


def test_a_new_primary_host_is_shown_once_it_answers(panel: Panel) -> None:
    site.commit(panel)
    assert site.deploy(panel, "live").status == "succeeded"
    add_primary(panel)
    assert shown_host(panel) == "demo.localhost"
    site.commit(panel)
    assert site.deploy(panel, "live").status == "succeeded"
    assert shown_host(panel) == "www.example.com"


def test_before_the_first_deployment_it_is_the_one_to_come(panel: Panel) -> None:
    add_primary(panel)
    assert shown_host(panel) == "www.example.com"
