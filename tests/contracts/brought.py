"""What people bring from home, made as they would make it."""

from __future__ import annotations

import io
import tarfile

from app.adapters.services import Facts, ServiceKind
from tests.contracts.service_fixtures import ServiceCase

COMMANDS = {
    ServiceKind.POSTGRESQL: ("pg_dump", "--no-owner", "--no-privileges"),
    ServiceKind.MYSQL: ("mariadb-dump", "--host=127.0.0.1", "--no-tablespaces"),
}


def dump(case: ServiceCase, facts: Facts, *more: str) -> bytes:
    """A database as the tool of the service writes it, e.g. as SQL."""
    sink, key = io.BytesIO(), facts["key"]
    user = ("--user=" + facts["user"],) if case.server.kind == ServiceKind.MYSQL else ()
    words = (*COMMANDS[case.server.kind], *user, *more, key)
    variables = {"MYSQL_PWD": facts["password"]}
    done = case.place.engine.execute(case.container, words, variables, 60, None, sink)
    assert done.exit_code == 0, done.errors
    return sink.getvalue()


def tar(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar of these files."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as made:  # type: ignore[call-overload]
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            made.addfile(member, io.BytesIO(body))
    return sink.getvalue()


def bring(case: ServiceCase, facts: Facts) -> bytes:
    """All that is in an instance, as a person has it at home."""
    if case.server.kind != ServiceKind.OBJECT_STORAGE:
        return dump(case, facts)
    archive, folder = io.BytesIO(), io.BytesIO()
    case.backend.backup(case.server, facts, archive)
    archive.seek(0)
    case.backend.hand_out(archive, folder)
    folder.seek(0)
    with tarfile.open(fileobj=folder, mode="r:") as opened:
        return tar({one.name: opened.extractfile(one).read() for one in opened})  # type: ignore[union-attr]
