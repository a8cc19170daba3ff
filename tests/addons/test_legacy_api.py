"""The addresses that `divio` and pip ask: who may, and in which shape faults are told."""

from __future__ import annotations

import base64
import http.client
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from werkzeug.test import TestResponse

from app.accounts.models import AccessToken
from app.accounts.operations import create_access_token
from app.addons.models import Audience
from app.addons.operations import set_addon_collaborator
from app.audit.models import AuditLine
from app.extensions import db
from app.permissions import Scope
from tests.addons.archives import archive, sdist
from tests.addons.registered import addon, header, left_behind, register, upload
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    ERIN,
    RITA,
    Panel,
    Person,
    organisation,
    user_of,
)

ADDONS = "/legacy/v3/addons/"


def find(panel: Panel, person: Person, scope: Scope = Scope.WRITE) -> list[dict[str, Any]]:
    answer = panel.client().get(
        f"{ADDONS}?package_name=susan-example", headers=header(panel, person, scope), json={}
    )
    assert answer.status_code == 200 and answer.json["count"] == len(answer.json["results"])
    found: list[dict[str, Any]] = answer.json["results"]
    return found


def send(panel: Panel, headers: dict[str, str], data: bytes | None = None) -> TestResponse:
    with panel.reading():
        uuid = addon().uuid
    return panel.client().post(
        f"{ADDONS}{uuid}/upload/",
        data={"app": (io.BytesIO(data or archive()), "app")},
        headers=headers,
    )


def post(panel: Panel, headers: dict[str, str], **words: object) -> TestResponse:
    return panel.client().post(ADDONS, json={"organisation": None, **words}, headers=headers)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Token made-up"}, {"Authorization": "Basic !"}, {"Authorization": "x"}],
)
def test_without_a_token_nobody_is_known(panel: Panel, headers: dict[str, str]) -> None:
    register(panel)
    for answer in (
        panel.client_of(ALICE).get(ADDONS, headers=headers),  # a session is no token
        post(panel, headers, package_name="new-one", name="New"),
        send(panel, headers),
    ):
        assert answer.status_code == 401
        assert answer.json == {"detail": "Show an access token: “Authorization: Token …”."}


def test_basic_with_address_and_token_will_do(panel: Panel) -> None:
    """Plain requests takes it from ~/.netrc."""
    register(panel)
    with panel.work():
        text = create_access_token(user_of(ALICE), "Laptop")[1]
    for name, status in ((ALICE.email, 200), (CHARLIE.email, 401)):
        packed = base64.b64encode(f"{name}:{text}".encode()).decode()
        answer = panel.client().get(
            f"{ADDONS}?package_name=susan-example", headers={"Authorization": f"Basic {packed}"}
        )
        assert answer.status_code == status
    with panel.reading():
        token = db.session.scalars(db.select(AccessToken)).one()
        assert token.last_used_at is not None


def test_who_finds_an_addon(panel: Panel) -> None:
    register(panel)
    assert find(panel, ALICE)[0]["package_name"] == "susan-example"
    assert find(panel, ADAM) and find(panel, ALICE, Scope.READ)
    assert not find(panel, BOB) and not find(panel, ERIN) and not find(panel, CHARLIE)
    with panel.work():
        addon().audience = Audience.PUBLIC
    assert find(panel, BOB) and find(panel, CHARLIE)


def test_who_uploads(panel: Panel) -> None:
    """Checklist Part 3, the column “upload version”."""
    register(panel)
    with panel.work():
        set_addon_collaborator(addon(), DORA.email, True, user_of(ALICE))
        set_addon_collaborator(addon(), BOB.email, False, user_of(ALICE))
    for number, (person, status) in enumerate(
        [(ALICE, 200), (ADAM, 200), (DORA, 200), (BOB, 403), (RITA, 404), (CHARLIE, 404)]
    ):
        answer = send(panel, header(panel, person), archive(f"1.{number}"))
        assert answer.status_code == status, (person, answer.text)
    assert "is in the Alpha channel" in send(panel, header(panel, ALICE), archive("2.0")).text
    answer = send(panel, header(panel, ALICE, Scope.READ), archive("3.0"))
    assert answer.status_code == 403 and "lets you look at" in answer.json["detail"]
    with panel.reading():
        assert [row.version for row in addon().versions] == ["1.0", "1.1", "1.2", "2.0"]
        line = db.session.scalars(db.select(AuditLine).where(AuditLine.action == "addon.upload"))
        assert line.first().details["via"] == "token Laptop"  # type: ignore[union-attr]


def test_a_token_of_another_organisation_opens_nothing(panel: Panel) -> None:
    register(panel)
    with panel.work():
        own = organisation("alice").id
        text = create_access_token(user_of(ALICE), "Own", organisation_id=own)[1]
    headers = {"Authorization": f"Token {text}"}
    assert send(panel, headers).status_code == 404
    answer = post(panel, headers, package_name="new-one", name="New", organisation="moon")
    assert answer.status_code == 403
    answer = post(panel, headers, package_name="new-one", name="New")  # the only one left
    assert answer.status_code == 201, answer.text


def test_registering(panel: Panel) -> None:
    answer = post(
        panel, header(panel, RITA), package_name="rita-example", name="Rita's", organisation="moon"
    )
    assert answer.status_code == 201 and answer.json["name"] == "Rita's"
    with panel.reading():
        row = addon("rita-example")
        assert answer.json["uuid"] == row.uuid
        assert [(one.user.name, one.can_update) for one in row.collaborators] == [("Rita", True)]
        number = organisation().uuid
    answer = post(
        panel, header(panel, ALICE), package_name="by-uuid", name="By uuid", organisation=number
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("person", "words", "field", "says"),
    [
        (ALICE, {"package_name": "x_y"}, "package_name", "Call it “x-y”."),
        (ALICE, {"package_name": ""}, "package_name", "is needed"),
        (ALICE, {"package_name": None}, "package_name", "is needed"),
        (ALICE, {"package_name": 3}, "package_name", "must be a text"),
        (ALICE, {"name": ""}, "name", "is needed"),
        (ALICE, {"organisation": None}, "organisation", "One of: alice, moon."),
        (ALICE, {"organisation": "charlie"}, "organisation", "no member"),
        (ALICE, {"organisation": ["moon"]}, "organisation", "must be a text"),
        (ERIN, {}, "detail", "You may not register addons for Moon."),
    ],
)
def test_what_cannot_be_registered(
    panel: Panel, person: Person, words: dict[str, object], field: str, says: str
) -> None:
    asked = {"package_name": "new-one", "name": "New", "organisation": "moon", **words}
    answer = post(panel, header(panel, person), **asked)
    told = answer.json[field]
    assert says in (told if field == "detail" else told[0])
    assert answer.status_code == (403 if field == "detail" else 400)
    assert isinstance(told, str if field == "detail" else list)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"\xff"])
def test_bodies_that_say_nothing(panel: Panel, body: bytes) -> None:
    headers = {**header(panel, CHARLIE), "Content-Type": "application/json"}
    answer = panel.client().post(ADDONS, data=body, headers=headers)
    assert answer.status_code == 400 and "package_name" in answer.json


def test_a_second_factor_that_was_not_set_up(panel: Panel) -> None:
    register(panel)
    with panel.work():
        organisation().requires_second_factor = True
    answer = send(panel, header(panel, ALICE))
    assert answer.status_code == 403 and "second factor" in answer.json["detail"]
    answer = post(panel, header(panel, ALICE), package_name="x", name="X", organisation="moon")
    assert answer.status_code == 403


def test_findings_are_told_a_line_each(panel: Panel) -> None:
    register(panel)
    answer = send(panel, header(panel, ALICE), archive(more={"addon.json": "x", "VERSION": "?"}))
    assert answer.status_code == 400
    assert [line.partition(":")[0] for line in answer.json["non_field_errors"]] == [
        "addon.json, line 1",
        "VERSION, line 1",
    ]


def test_an_upload_without_its_part(panel: Panel) -> None:
    register(panel)
    with panel.reading():
        uuid = addon().uuid
    answer = panel.client().post(f"{ADDONS}{uuid}/upload/", headers=header(panel, ALICE))
    assert answer.json == {"non_field_errors": ["The request has no file in its part “app”."]}
    answer = panel.client().post(f"{ADDONS}made-up/upload/", headers=header(panel, ALICE))
    assert answer.status_code == 404


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def plainly_served(panel: Panel) -> Iterator[tuple[str, int]]:
    """By a server that reads no more of a request than the application does, and then hangs up:
    like gunicorn, and unlike the one of the other tests."""
    with make_server("127.0.0.1", 0, panel.app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield "127.0.0.1", server.server_port
        server.shutdown()
        thread.join()


def test_200_mb_are_refused_and_the_sender_hears_why(panel: Panel) -> None:
    """By a real connection: nothing of it reaches disk or memory, and it is not cut off."""
    register(panel)
    with panel.reading():
        path = f"{ADDONS}{addon().uuid}/upload/"
    headers = {**header(panel, ALICE), "Content-Type": "multipart/form-data; boundary=x"}
    begin = b'--x\r\nContent-Disposition: form-data; name="app"; filename="app"\r\n\r\n'
    size = 200 * 1024**2

    def body() -> Iterator[bytes]:
        yield begin
        for _ in range(200):
            yield bytes(1024**2)

    with plainly_served(panel) as (host, port):
        connection = http.client.HTTPConnection(host, port, timeout=30)
        length = {"Content-Length": str(size + len(begin))}
        connection.request("POST", path, body(), headers | length)
        answer = connection.getresponse()
        assert answer.status == 400
        assert "larger than 50 MB" in answer.read().decode()
        connection.close()
    assert left_behind(panel) == []


def test_pip_fetches_the_package(panel: Panel) -> None:
    register(panel)
    uuid = upload(panel, look=lambda version: version.uuid)
    address = f"/api/v1/apps/serve/susan-example/1.0/{uuid}/susan-example-1.0.tar.gz"
    answer = panel.client().get(address)
    assert answer.status_code == 200 and answer.data == sdist()
    for other in (
        address.replace("1.0/", "1.1/"),
        address.replace(str(uuid), "another"),
        address.replace("serve/susan-example", "serve/susan"),
        address.replace(".tar.gz", ".zip"),
    ):
        assert panel.client().get(other).status_code == 404
