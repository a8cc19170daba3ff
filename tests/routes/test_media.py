"""Buckets in the feed: those of embedded servers that work, at hosts that nobody else can have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.adapters.ingress import Media, Upstream, traefik
from app.adapters.services import ServiceKind
from app.environments.operations import RESERVED_SLUGS
from app.errors import Invalid
from app.extensions import db, now
from app.names import media_host
from app.routes.queries import list_ingress_media
from app.seals import SealedText, present_seal
from app.services.models import ServiceInstance, ServiceServer, ServiceState
from tests.panel import Panel, environment

MEDIA = Media("m1--media.localhost", "m1", Upstream("10.0.0.9", 80))
FACTS = {"bucket": "m1", "address": "10.0.0.9", "port": "80"}


def add_instance(panel: Panel, **changed: Any) -> None:
    with panel.work():
        server = ServiceServer(
            region_id=environment().region_id,
            kind=ServiceKind.OBJECT_STORAGE,
            version="4",
            name="Object storage",
            is_embedded=True,
            secret=SealedText(present_seal().close("x")),
        )
        db.session.add(server)
        db.session.flush()
        values: dict[str, Any] = {
            "environment_id": environment().id,
            "server_id": server.id,
            "kind": ServiceKind.OBJECT_STORAGE,
            "state": ServiceState.ATTACHED,
            "encrypted_facts": json.dumps(FACTS),
            "provisioned_at": now(),
        }
        db.session.add(ServiceInstance(**values | changed))


def listed(panel: Panel) -> list[Media]:
    with panel.reading():
        return list_ingress_media("localhost")


def test_a_bucket_that_works_is_served(panel: Panel) -> None:
    assert listed(panel) == []
    add_instance(panel)
    assert listed(panel) == [MEDIA]
    with panel.work():
        environment().trashed_at = now()
    assert listed(panel) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"provisioned_at": None, "encrypted_facts": "{}"},
        {"state": ServiceState.REMOVING},
        {"trashed_at": now()},
        {"encrypted_facts": json.dumps({"bucket": "m1", "host": "s3.amazonaws.com"})},
    ],
)
def test_no_other_is(panel: Panel, changed: dict[str, Any]) -> None:
    add_instance(panel, **changed)
    assert listed(panel) == []


def test_no_environment_can_have_its_host() -> None:
    assert media_host("m1", "localhost") == MEDIA.host
    assert "media" in RESERVED_SLUGS


def test_only_reading_passes() -> None:
    document = traefik.render([], 1, "probe.invalid", [MEDIA])["http"]
    router = document["routers"]["media-m1"]
    assert "Host(`m1--media.localhost`) && (Method(`GET`) || Method(`HEAD`))" in router["rule"]
    assert "!QueryRegexp(`response-content-type`, `.*`)" in router["rule"]
    assert {"addPrefix": {"prefix": "/m1"}} in document["middlewares"].values()
    assert router["middlewares"][0].startswith("limits-")
    with pytest.raises(Invalid, match="Two buckets"):
        traefik.render([], 1, "probe.invalid", [MEDIA, MEDIA])
    with pytest.raises(Invalid):
        traefik.render([], 1, "probe.invalid", [Media("a.test", "a`b", MEDIA.upstream)])
