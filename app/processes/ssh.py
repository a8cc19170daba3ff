"""The Git server over SSH: which key is whose, and what a push means, answered from the rooms."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from typing import TypeVar

from flask import Flask

from app.accounts.models import User
from app.accounts.queries import find_ssh_key
from app.adapters.git import GitService
from app.adapters.git.ssh_server import Person, start_git_ssh
from app.audit.operations import acting_through
from app.background import create_background_app
from app.extensions import db, now
from app.installation import EXTENSION, Installation
from app.platform_status.operations import REPORT_SECONDS, Reporter
from app.repositories.access import Tips, authorise_git, finish_push
from app.transactions import unit_of_work

Answer = TypeVar("Answer")


class PanelGitAccess:
    """Asks the rooms, each question in a thread with an app context and a session of its own."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._installation: Installation = app.extensions[EXTENSION]

    async def find_person(self, fingerprint: str) -> Person | None:
        return await self._ask(lambda: self._find_person(fingerprint))

    async def authorise(self, person: Person, path: str, service: GitService) -> str:
        return await self._ask(lambda: self._authorise(person, path, service))

    async def pushed(
        self, person: Person, key: str, changed: Mapping[str, tuple[str | None, str | None]]
    ) -> list[str]:
        before = {name: tip for name, (tip, _) in changed.items() if tip}
        after = {name: tip for name, (_, tip) in changed.items() if tip}
        return await self._ask(lambda: self._pushed(key, Tips(before, after), person.id))

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        def answer() -> Answer:
            with self._app.app_context():
                return question()

        return await asyncio.to_thread(answer)

    def _find_person(self, fingerprint: str) -> Person | None:
        key = find_ssh_key(fingerprint)
        if key is None:
            return None
        person = Person(id=key.user_id, name=key.user.name)
        # A client may ask about a key many times before it signs, and anybody may ask.
        if key.last_used_at is None or (now() - key.last_used_at).total_seconds() > 60:
            with unit_of_work():
                key.last_used_at = now()
        return person

    def _authorise(self, person: Person, path: str, service: GitService) -> str:
        user = db.session.get_one(User, person.id)
        return authorise_git(user, path, service)

    def _pushed(self, key: str, tips: Tips, person_id: int) -> list[str]:
        acting_through("Git over SSH")
        with unit_of_work():
            return finish_push(key, tips, self._installation.adapters.repositories, person_id)


async def serve(app: Flask) -> None:
    """Serve until SIGTERM. A container's first process has to say itself that it ends by it."""
    here: Installation = app.extensions[EXTENSION]
    server = await start_git_ssh(
        here.settings.host,
        here.settings.ssh_port,
        here.settings.data_dir / "secrets" / "ssh_host.key",
        PanelGitAccess(app),
        here.adapters.repositories,
    )
    reporting = asyncio.create_task(_report(app))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
    try:
        await server.wait_closed()
    finally:
        reporting.cancel()


async def _report(app: Flask) -> None:
    """Note that this loop turns, which is what serves everybody."""
    alive = Reporter("ssh")

    def report() -> None:
        with app.app_context():
            alive()

    while True:
        await asyncio.to_thread(report)
        await asyncio.sleep(REPORT_SECONDS)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    asyncio.run(serve(create_background_app()))


if __name__ == "__main__":
    main()
