"""What the parts of the Docker engine's adapter share: whose objects it touches, and filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from docker.errors import APIError

from app.adapters.engine import LABEL_INSTALLATION
from app.errors import Invalid

REFUSED = 403
GONE = 404
CONFLICT = 409


def refuse_foreign(
    found: Mapping[str, str] | None, wanted: Mapping[str, str], kind: str, name: str
) -> None:
    """`Invalid` unless both carry the same installation label."""
    owner = (found or {}).get(LABEL_INSTALLATION)
    if owner is None or owner != wanted.get(LABEL_INSTALLATION):
        raise Invalid(f"A {kind} named “{name}” that is not ours is in the way.")


@contextmanager
def silent(*statuses: int) -> Iterator[None]:
    """Pass over the engine's refusal with one of these HTTP statuses."""
    try:
        yield
    except APIError as error:
        if error.status_code not in statuses:
            raise


def label_filter(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """The filter by which the engine lists what carries all of `labels`."""
    return {"label": [f"{name}={value}" for name, value in labels.items()]}
