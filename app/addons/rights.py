"""What a package asks for: as it is stored, in words, and compared with what people agreed to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from app.addons.api import Rights, ServiceKind, Slot

SLOT_WORDS = {
    Slot.DOCKER_FROM: _l("the base image"),
    Slot.SYSTEM: _l("packages of the operating system"),
    Slot.NODE: _l("Node.js"),
    Slot.NPM: _l("packages from npm"),
    Slot.BOWER: _l("packages from Bower"),
    Slot.PYTHON: _l("Python packages"),
    Slot.SOURCE: _l("the site's own code"),
    Slot.GULP: _l("the front-end build"),
    Slot.STATIC: _l("static files"),
}
SERVICE_WORDS = {
    ServiceKind.POSTGRESQL: _l("a PostgreSQL database"),
    ServiceKind.MYSQL: _l("a MySQL database"),
    ServiceKind.OBJECT_STORAGE: _l("storage for uploaded files"),
    ServiceKind.RABBITMQ: _l("a message broker (RabbitMQ)"),
    ServiceKind.REDIS: _l("a cache (Redis)"),
    ServiceKind.SEARCH: _l("a search engine"),
}


def read_rights(stored: Mapping[str, Any]) -> Rights:
    """From the JSON of `AddonVersion.rights` or `InstalledAddon.consented`; `{}`: nothing."""
    return msgspec.convert(stored, Rights, strict=True)


def write_rights(rights: Rights) -> dict[str, Any]:
    """As JSON for the database: lists and plain strings."""
    stored: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(rights))
    return stored


def words_of(rights: Rights) -> list[str]:
    """One sentence for each kind of thing it asks for, e.g. “It sets the variable SENTRY_DSN.”;
    empty when it asks for nothing."""
    return [
        *_about_variables(rights),
        *_about_running(rights),
        *_about_building(rights),
    ]


def widened(old: Rights, new: Rights) -> Rights | None:
    """What `new` asks for beyond `old`; None when that is nothing."""
    more = Rights(
        reads_variables=_beyond(old.reads_variables, new.reads_variables),
        writes_variables=_beyond(old.writes_variables, new.writes_variables),
        slots=tuple(slot for slot in new.slots if slot not in old.slots),
        services=tuple(kind for kind in new.services if kind not in old.services),
        processes=_beyond(old.processes, new.processes),
        files=tuple(path for path in new.files if not _is_covered(path, old.files)),
        has_release_commands=new.has_release_commands and not old.has_release_commands,
        has_requirements=new.has_requirements and not old.has_requirements,
    )
    return None if more == Rights() else more


def _beyond(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in new if name not in old)


def _is_covered(path: str, agreed: Sequence[str]) -> bool:
    """A path that ends in `/` stands for all below it."""
    return path in agreed or any(known.endswith("/") and path.startswith(known) for known in agreed)


def _about_variables(rights: Rights) -> list[str]:
    sentences = []
    if rights.writes_variables:
        sentences.append(
            ngettext(
                "It sets the variable %(names)s.",
                "It sets the variables %(names)s.",
                len(rights.writes_variables),
                names=_listed(rights.writes_variables),
            )
        )
    if rights.reads_variables:
        sentences.append(
            ngettext(
                "It reads the variable %(names)s.",
                "It reads the variables %(names)s.",
                len(rights.reads_variables),
                names=_listed(rights.reads_variables),
            )
        )
    return sentences


def _about_running(rights: Rights) -> list[str]:
    sentences = []
    if rights.services:
        words = [str(SERVICE_WORDS[kind]) for kind in rights.services]
        sentences.append(_("It needs %(things)s.", things=_listed(words)))
    if rights.processes:
        sentences.append(
            ngettext(
                "It adds %(num)s process beside the site: %(names)s.",
                "It adds %(num)s processes beside the site: %(names)s.",
                len(rights.processes),
                names=_listed(rights.processes),
            )
        )
    if rights.has_release_commands:
        sentences.append(
            _("It runs commands of its own at each deployment, before the site serves.")
        )
    return sentences


def _about_building(rights: Rights) -> list[str]:
    sentences = []
    if rights.has_requirements:
        sentences.append(_("It adds lines to requirements.in."))
    if rights.slots:
        words = [str(SLOT_WORDS[slot]) for slot in rights.slots]
        sentences.append(_("It writes parts of the Dockerfile: %(things)s.", things=_listed(words)))
    if rights.files:
        words = [
            _("everything in %(folder)s", folder=path) if path.endswith("/") else path
            for path in rights.files
        ]
        sentences.append(_("It puts files into the repository: %(paths)s.", paths=_listed(words)))
    return sentences


def _listed(words: Sequence[str]) -> str:
    """“A”, “A and B”, “A, B and C”."""
    if len(words) < 2:
        return "".join(words)
    return str(_("%(first)s and %(last)s", first=", ".join(words[:-1]), last=words[-1]))
