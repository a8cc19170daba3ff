"""A site with a database and media: made, filled, backed up, destroyed, brought back, upgraded."""

from __future__ import annotations

import hashlib
import re
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from app.backups.models import WorkStatus
from app.errors import PanelError
from app.installation import EXTENSION
from app.services.models import ServiceState
from tests.flows.running_panel import RunningPanel, wait_for
from tests.flows.shop_site import FILES
from tests.flows.steered import DATABASE, MEDIA, Steered, share_packages, steer

SLUG = "record-shop"
ROWS, PICTURES = 2000, 8
KINDS = (DATABASE, MEDIA)


@pytest.mark.timeout(420)  # two images are built, and servers started, on busy cores
@pytest.mark.usefixtures("python_base_image")
def test_a_site_and_its_data_outlive_everything(panel: RunningPanel, package_cache: Path) -> None:
    share_packages(panel, package_cache)
    shop = steer(panel, SLUG)
    panel.push(SLUG, FILES)
    _begin(shop)
    live = shop.request("live")  # it takes the image of Test, while that is filled
    before = _fill(shop)
    shop.say("filled")
    _see_worker_and_cron(shop)
    before = shop.ask("test", "/state")
    backup = shop.take_backup("test", "before the sale")
    shop.say("backed up")
    shop.settle(live)
    assert shop.ask("live", "/empty") == {"tables": 0, "media": 0}
    shop.restore("test", backup, "live")
    _require_same(shop, "live", before)
    shop.say("restored into Live")
    _lose_the_server_in_a_backup(shop)
    shop.say("lost the database server")
    new = shop.add_service("live", DATABASE, "18", "NEW")
    shop.do("live", new, "provision")  # its image is made meanwhile
    _destroy_and_bring_back(shop, backup, before)
    shop.say("destroyed and brought back")
    _upgrade(shop, new)
    shop.say("upgraded")


def _begin(shop: Steered) -> None:
    """Services of both environments, a worker, a cron job; Test is deployed."""
    for environment in ("test", "live"):
        shop.add_service(environment, DATABASE, "15")
        shop.add_service(environment, MEDIA)
    base = f"/applications/{shop.slug}"
    shop.person.post(f"{base}/workers/", name="packer", command="python worker.py", count=1)
    shop.person.post(
        f"{base}/environments/test/cron-jobs/new/",
        label="Tally",
        command="python tally.py",
        period="own",
        schedule="0 0 29 2 *",
        zone="Europe/Zurich",
        timeout_seconds=60,
        overlap="skip",
    )
    log = shop.deploy("test")
    assert "PostgreSQL" in log and "Object storage" in log
    states = {row.state for row in shop.instances("test").values()}
    assert states == {ServiceState.ATTACHED}
    shop.say("Test is deployed")


def _fill(shop: Steered) -> dict[str, Any]:
    made: dict[str, Any] = shop.ask("test", f"/fill?rows={ROWS}&files={PICTURES}", "POST")
    assert made["data"]["count"] == ROWS and len(made["data"]["media"]) == PICTURES
    assert made["version"] == 15
    _see_media(shop, made)
    return made


def _see_media(shop: Steered, state: dict[str, Any]) -> None:
    """Anybody may read each object by its public address, and nobody may list them."""
    for key, digest in state["data"]["media"].items():
        answer = shop.fetch_media(state["media_url"] + quote(key))
        assert answer.status_code == 200, (key, answer.status_code, answer.text[:300])
        assert hashlib.sha256(answer.content).hexdigest() == digest
        assert answer.headers["Content-Type"] == "image/jpeg"
    assert shop.fetch_media(state["media_url"]).status_code >= 400


def _see_worker_and_cron(shop: Steered) -> None:
    task = shop.ask("test", "/tasks", "POST")["id"]
    wait_for(
        lambda: dict(shop.ask("test", "/tasks"))[task], 10, "the worker does not take the task"
    )
    assert "packer" in shop.person.get(f"/applications/{shop.slug}/workers/")
    status, page = shop.run_cron_job("test")
    assert status == "succeeded" and f"entries: {ROWS}" in page


def _require_same(shop: Steered, environment: str, before: dict[str, Any]) -> None:
    """The same rows and media, byte by byte, at the environment's own addresses."""
    after = shop.ask(environment, "/state")
    assert after["data"] == before["data"]
    _see_media(shop, after)


def _lose_the_server_in_a_backup(shop: Steered) -> None:
    """kill -9 of the database server while it is dumped: that backup says so and is no good one;
    server and site come back, and the next backup is whole."""
    engine = shop.panel.app.extensions[EXTENSION].adapters.engine
    facts, server = shop.facts("test", DATABASE), shop.server("test", DATABASE)
    state, base = engine.inspect_container(server), f"{shop.base('test')}/backups/"
    login = {name: facts[name] for name in ("port", "user", "password")}
    with (
        suppress(psycopg.OperationalError),
        closing(psycopg.connect(host=state.address, dbname=facts["database"], **login)) as holder,
    ):
        holder.execute("LOCK TABLE entries")
        shop.person.post(base, contents="database", note="with the server gone")
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_for(lambda: holder.execute(waiting).fetchone() != (0,), 30, "nothing is dumped")
        with suppress(PanelError):  # the command dies of it as well
            engine.execute(server, ("sh", "-c", "kill -9 -1"), {}, 20)
        holder.execute("SELECT 1")
    _, status, sentence = shop.wait_backed_up("test")
    assert status == WorkStatus.FAILED
    assert "PostgreSQL" in sentence and sentence.split(".")[0] in shop.person.get(base)

    def is_back() -> bool:
        with suppress(AssertionError):
            return bool(shop.ask("test", "/state"))
        return False

    wait_for(is_back, 30, "the site does not come back")
    shop.take_backup("test", "with the server back")


def _destroy_and_bring_back(shop: Steered, backup: str, before: dict[str, Any]) -> None:
    """Both services of Test are removed for good; others of the same prefix get the data."""
    gone = {kind: shop.instance("test", kind).uuid for kind in KINDS}
    old_media = shop.ask("test", "/state")["media_url"]
    for uuid in gone.values():
        shop.do("test", uuid, "rename", prefix="GONE")
        shop.do("test", uuid, "detach")
    for kind in KINDS:
        shop.add_service("test", kind, "15" if kind == DATABASE else "")
    shop.deploy("test")
    assert shop.ask("test", "/empty") == {"tables": 0, "media": 0}
    trash = f"/applications/{shop.slug}/trash"
    for uuid in gone.values():
        shop.do("test", uuid, "remove", name="GONE")
        assert uuid in shop.person.get(f"{trash}/")
        shop.person.post(f"{trash}/services/{uuid}/delete/", name="GONE")
    wait_for(lambda: len(shop.instances("test")) == 2, 60, "services are not deleted for good")
    picture = next(iter(before["data"]["media"]))
    assert shop.fetch_media(old_media + quote(picture)).status_code == 404
    shop.restore("test", backup, "test")
    _require_same(shop, "test", before)


def _upgrade(shop: Steered, new: str) -> None:
    """The documented path on Live, from PostgreSQL 15 to `new`, of 18: nothing is lost."""
    task = shop.ask("live", "/tasks", "POST")["id"]
    wait_for(lambda: dict(shop.ask("live", "/tasks"))[task], 10, "no worker in Live")
    before = shop.ask("live", "/state")
    assert before["version"] == 15
    shop.wait_provisioned("live", DATABASE, "NEW")
    backup = shop.take_backup("live", "before PostgreSQL 18")
    shop.restore_database("live", backup, "live", new)
    old = shop.instance("live", DATABASE).uuid
    shop.do("live", old, "rename", prefix="OLD")
    shop.do("live", old, "detach")
    shop.do("live", new, "rename", prefix="DEFAULT")
    _share_the_database_of_test(shop)
    assert shop.ask("live", "/state") == before  # nothing changes before the deployment
    shop.deploy("live")
    after = shop.ask("live", "/state")
    assert after["version"] == 18 and after["data"] == before["data"]
    # Nothing but what is shared is on that server: by that alone its network is reached.
    assert shop.ask("live", "/common") == {"count": ROWS, "version": 15}
    task = shop.ask("live", "/tasks", "POST")["id"]
    wait_for(lambda: dict(shop.ask("live", "/tasks"))[task], 10, "no worker after the upgrade")
    shop.do("live", old, "remove", name="OLD")
    row = shop.instance("live", DATABASE, "OLD")
    assert row.is_trashed and shop.instance("live", DATABASE).state == ServiceState.ATTACHED


def _share_the_database_of_test(shop: Steered) -> None:
    """With Live, which takes it as “COMMON”."""
    shop.do("test", shop.instance("test", DATABASE).uuid, "shares", place=f"{SLUG}/live")
    services = f"{shop.base('live')}/services/"
    found = re.search(rf"{services}shared/([0-9a-f-]+)/accept/", shop.person.get(services))
    assert found
    shop.person.post(found[0], prefix="COMMON")
    assert shop.instance("live", DATABASE, "COMMON").state == ServiceState.PENDING_ATTACHMENT
