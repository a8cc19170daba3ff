"""The log store of this installation."""

from __future__ import annotations

from app.installation import installation
from app.logs.store import LogStore


def log_store() -> LogStore:
    """Where all logs lie, with the limits the operator set."""
    settings = installation().settings
    return LogStore(
        settings.data_dir / "logs", settings.deployment_log_bytes, settings.runtime_log_bytes
    )
