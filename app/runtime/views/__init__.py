"""Variables and release commands: what the next deployment will run with."""

from app.runtime.views import (  # noqa: F401 -- their routes
    copying,
    exporting,
    history,
    pasting,
    settings,
    variables,
)
from app.runtime.views.blueprint import blueprint

__all__ = ["blueprint"]
