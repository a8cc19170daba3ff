"""Which PostgreSQL extensions sites may have: a list that the operator allows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.adapters.services import ServiceKind
from app.errors import Invalid
from app.installation import installation


def allowed_extensions() -> Sequence[str]:
    """Names as PostgreSQL spells them, from the installation's settings."""
    return installation().settings.postgresql_extensions.replace(",", " ").split()


def clean_extensions(kind: ServiceKind, names: Iterable[str]) -> list[str]:
    """Those in `names` once each, in the order of the list. Raises `Invalid` for one that is not
    allowed, and for any of another kind than PostgreSQL."""
    wanted = {name.strip() for name in names} - {""}
    if wanted and kind != ServiceKind.POSTGRESQL:
        raise Invalid("Only PostgreSQL has extensions.", "extensions")
    allowed = allowed_extensions()
    for name in sorted(wanted):
        if name not in allowed:
            raise Invalid(
                f"The extension {name} is not allowed here. Allowed are {', '.join(allowed)}; the "
                "operator can add others.",
                "extensions",
            )
    return [name for name in allowed if name in wanted]
