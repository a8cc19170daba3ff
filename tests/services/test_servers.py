"""Servers: the rows there are from the start, an operator's own, and their secrets."""

from __future__ import annotations

import pytest

from app.accounts.operators import appoint_operator
from app.errors import Invalid
from app.extensions import db
from app.routes.queries import load_feed
from app.services.models import ServiceServer
from app.services.queries import find_offer, list_servers
from app.services.servers import installation_id, seed_servers, server_of
from tests.panel import ALICE, BOB, Panel, environment, user_of
from tests.services.acting import POSTGRESQL, act, add, backend, provision, remove, server, states

URL = "postgresql://admin:opensesame-4711@db.example:5432/"


def run(panel: Panel, *words: str, **given: str) -> str:
    result = panel.app.test_cli_runner().invoke(args=["panel", "service-server", *words], **given)
    assert result.exit_code == 0, result.output
    return result.output


def test_one_embedded_server_a_kind_and_version(panel: Panel) -> None:
    with panel.reading():
        rows = [(row.kind, row.version, row.is_embedded) for row in list_servers()]
        assert [row for row in rows if row[0] == "postgresql"] == [
            ("postgresql", "15", True),
            ("postgresql", "18", True),
        ]
        assert len(rows) == 7
        offered = find_offer(environment().region_id, POSTGRESQL)
        assert offered and offered.version == "15"
        told = server_of(offered)
        assert told.installation_id == installation_id() == load_feed().epoch
        assert told.network.endswith(".252.0/22") and told.secret not in repr(told)
        assert told.media_address == "http://{bucket}--media.localhost:9"
    assert panel.engine.calls == [] and backend(panel).running == set()


def test_seeding_again_keeps_what_there_is_and_withdraws_what_cannot_be_had(panel: Panel) -> None:
    with panel.work():
        before = server().secret.open()
        seed_servers()
        assert len(list_servers()) == 7 and server().secret.open() == before
        row = server(version="18")
        db.session.add(
            ServiceServer(
                region_id=row.region_id,
                kind=row.kind,
                version="9",
                name="PostgreSQL 9",
                is_embedded=True,
                secret="x",
            )
        )
        db.session.flush()
        seed_servers()
        assert find_offer(row.region_id, POSTGRESQL, "9") is None


def test_an_operator_adds_lists_and_withdraws_one_by_command(panel: Panel) -> None:
    uuid = run(panel, "add", "postgresql", "16", "-", input=f"{URL}\n").strip()
    listed = run(panel, "list")
    assert f"{uuid}\tpostgresql\t16\tPostgreSQL 16 (db.example)\ton offer\t0" in listed
    assert "opensesame" not in listed
    with panel.reading():
        row = server()  # an operator's own comes before embedded ones
        assert row.uuid == uuid and server_of(row).secret == URL and server_of(row).network == ""
        stored = db.session.scalar(
            db.text("SELECT secret FROM service_servers WHERE uuid = :u").bindparams(u=uuid)
        )
        assert "opensesame" not in str(stored)
    run(panel, "withdraw", uuid)
    with panel.reading():
        assert server().is_embedded
    run(panel, "offer", uuid)
    run(panel, "change-url", uuid, "postgresql://admin:other@db.example/")
    with panel.reading():
        assert server_of(server()).secret.endswith("other@db.example/")
    for words in (("add", "postgresql", "16", "no url"), ("withdraw", "made-up")):
        result = panel.app.test_cli_runner().invoke(args=["panel", "service-server", *words])
        assert result.exit_code == 1 and "no url" not in result.output


@pytest.mark.parametrize("url", ["", "nowhere", "postgresql://", "http://[::1"])
def test_what_is_no_url_is_not_repeated(panel: Panel, url: str) -> None:
    from app.services.servers import add_server

    with panel.work(), pytest.raises(Invalid, match="not the URL of a server") as refused:
        add_server(environment().region, POSTGRESQL, "16", f"{url}", None)
    assert not url or url not in refused.value.sentence.replace("scheme://name", "")


def test_a_server_that_is_gone_for_good_lets_its_services_be_deleted(panel: Panel) -> None:
    uuid = add(panel)
    provision(panel, uuid)
    act(panel, "detach_instance", uuid)
    act(panel, "trash_instance", uuid)
    act(panel, "begin_removal", uuid)
    backend(panel).failures["start"] = "The server does not answer."
    remove(panel, uuid)
    assert states(panel) == {"DEFAULT": "removing"}
    with panel.reading():
        number = server().uuid
    run(panel, "write-off", number, "--yes")
    with panel.work():
        db.session.execute(db.text("UPDATE service_instances SET heartbeat_at = NULL"))
    remove(panel, uuid)
    assert states(panel) == {}
    assert "\tlost\t0" in run(panel, "list")


def test_the_operators_page(panel: Panel) -> None:
    with panel.work():
        appoint_operator(user_of(ALICE), None)
    alice, bob = panel.client_of(ALICE), panel.client_of(BOB)
    assert bob.get("/operator/services/").status_code == 404
    assert bob.post("/operator/services/").status_code == 404
    assert "PostgreSQL 18" in alice.get("/operator/services/").text
    sent = {"kind": "postgresql", "version": "16", "url": URL}
    assert alice.post("/operator/services/", data=sent).status_code == 303
    page = alice.get("/operator/services/").text
    assert "PostgreSQL 16 (db.example)" in page and "opensesame" not in page
    wrong = alice.post("/operator/services/", data=sent | {"url": "opensesame"})
    assert "not the URL of a server" in wrong.text and "opensesame" not in wrong.text
    with panel.reading():
        uuid = server().uuid
    assert alice.post(f"/operator/services/{uuid}/offer/").status_code == 303
    assert bob.post(f"/operator/services/{uuid}/offer/").status_code == 404
    assert "not on offer" in alice.get("/operator/services/").text
