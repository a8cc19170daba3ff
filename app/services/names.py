"""Prefixes, and the variables that an instance of a kind brings: known before it is made."""

from __future__ import annotations

import re

from app.adapters.services import ServiceKind
from app.errors import Invalid
from app.services.models import DEFAULT

PREFIX = re.compile(r"[A-Z][A-Z0-9_]*")
PREFIX_LENGTH = 40
FIELD = "prefix"
ENDINGS = {
    ServiceKind.POSTGRESQL: "DATABASE_DSN",
    ServiceKind.MYSQL: "DATABASE_DSN",
    ServiceKind.OBJECT_STORAGE: "STORAGE_DSN",
    ServiceKind.RABBITMQ: "AMQP_BROKER_URL",
    ServiceKind.REDIS: "CACHE_URL",
    ServiceKind.SEARCH: "HAYSTACK_URL",
}
WITHOUT_PREFIX = {
    ServiceKind.POSTGRESQL: "DATABASE_URL",
    ServiceKind.MYSQL: "DATABASE_URL",
    ServiceKind.RABBITMQ: "BROKER_URL",
    ServiceKind.REDIS: "CACHE_URL",
}
"""What the prefix DEFAULT brings besides (L5925)."""


def clean_prefix(text: str) -> str:
    """The prefix in `text`, in capitals. Raises `Invalid` for what is none."""
    prefix = text.strip().upper()
    if not PREFIX.fullmatch(prefix) or len(prefix) > PREFIX_LENGTH:
        raise Invalid(
            "A prefix has letters, digits and underscores, begins with a letter and has at most "
            f"{PREFIX_LENGTH} characters, e.g. DEFAULT or ARCHIVE.",
            FIELD,
        )
    return prefix


def variable_names(kind: ServiceKind, prefix: str) -> tuple[str, ...]:
    """The variables of an instance of this kind with this prefix."""
    names = (f"{prefix}_{ENDINGS[kind]}",)
    is_first = prefix == DEFAULT and kind in WITHOUT_PREFIX
    return (*names, WITHOUT_PREFIX[kind]) if is_first else names
