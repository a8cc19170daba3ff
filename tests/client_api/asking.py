"""A program that asks the API with somebody's token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from app.accounts.operations import create_access_token
from app.permissions import Scope
from tests.backups import data
from tests.panel import ALICE, Panel, Person, environment, organisation, user_of


@dataclass(frozen=True)
class Program:
    """Shows `token`, or nothing."""

    panel: Panel
    token: str | None

    def ask(self, method: str, path: str, body: object = None) -> TestResponse:
        """As the client sends it: a body of JSON with GET as well."""
        headers = {"Authorization": f"Token {self.token}"} if self.token else {}
        client = self.panel.app.test_client()
        return client.open(path, method=method, json=body or {}, headers=headers)

    def get(self, path: str) -> TestResponse:
        return self.ask("GET", path)

    def post(self, path: str, body: object) -> TestResponse:
        return self.ask("POST", path, body)


def program_of(
    panel: Panel,
    person: Person = ALICE,
    scope: Scope = Scope.WRITE,
    only: str | None = None,
) -> Program:
    """With a new token; `only` for this organisation."""
    with panel.work():
        within = organisation(only).id if only else None
        text = create_access_token(user_of(person), "laptop", scope=scope, organisation_id=within)[
            1
        ]
    return Program(panel, text)


@dataclass
class Steps:
    """What a client does one after the other, in `test` of `demo`."""

    program: Program
    instance: str

    @property
    def environment(self) -> str:
        with self.program.panel.reading():
            return environment().uuid

    def take(self, **more: object) -> dict[str, Any]:
        """A backup that was taken."""
        body = {"environment": self.environment, "services": [self.instance], **more}
        answer = self.program.post("/apps/v3/backups/", body)
        assert answer.status_code == 201, answer.text
        data.run_jobs(self.program.panel)
        return self.backup(answer.json["uuid"])

    def backup(self, uuid: str) -> dict[str, Any]:
        answer = self.program.get(f"/apps/v3/backups/{uuid}/")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json
        return found

    def begin(self, **more: object) -> tuple[str, dict[str, Any]]:
        """The uuid of a backup that is to be brought, and the way in."""
        body = {"environment": self.environment, "services": [self.instance], **more}
        answer = self.program.post("/apps/v3/backups/upload/", body)
        assert answer.status_code == 201, answer.text
        return answer.json["uuid"], answer.json["results"][self.instance]

    def send(self, way: dict[str, Any], body: bytes) -> TestResponse:
        """Without a token, as the client does."""
        client = self.program.panel.app.test_client()
        return client.put(way["upload_parameters"]["url"], data=body)

    def finish(self, way: dict[str, Any]) -> TestResponse:
        return self.program.panel.app.test_client().post(way["finish_url"])

    def bring(self, body: bytes) -> dict[str, Any]:
        """What became of a file."""
        uuid, way = self.begin()
        assert self.send(way, body).status_code == 204
        assert self.finish(way).status_code == 204
        data.run_jobs(self.program.panel)
        return self.backup(uuid)

    def restore(self, backup: dict[str, Any]) -> dict[str, Any]:
        """How a restore of its first part ended."""
        answer = self.program.post("/apps/v3/backup-restores/", restore_body(backup))
        assert answer.status_code == 201, answer.text
        data.run_jobs(self.program.panel)
        found: dict[str, Any] = self.program.get(
            f"/apps/v3/backup-restores/{answer.json['uuid']}/"
        ).json
        return found

    def download(self, backup: dict[str, Any]) -> dict[str, Any]:
        """A download of its first part."""
        answer = self.program.post("/apps/v3/backup-downloads/", download_body(backup))
        assert answer.status_code == 201, answer.text
        data.run_jobs(self.program.panel)
        listed = self.program.get(
            f"/apps/v3/backup-download-service-instances/?backup={answer.json['uuid']}&page_size=10"
        ).json
        uuid = listed["results"][0]["uuid"]
        found: dict[str, Any] = self.program.get(
            f"/apps/v3/backup-download-service-instances/{uuid}"
        ).json
        return found


def restore_body(backup: dict[str, Any]) -> dict[str, object]:
    part = {"service_instance_backup": backup["service_instance_backups"][0]}
    return {"backup": backup["uuid"], "service_instance_restores": [part], "notes": "push"}


def download_body(backup: dict[str, Any]) -> dict[str, object]:
    parts = backup["service_instance_backups"]
    return {"backup": backup["uuid"], "service_instance_backups": parts, "trigger": "PULL"}
