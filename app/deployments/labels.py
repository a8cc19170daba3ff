"""How what deployments make in the engine is marked."""

from __future__ import annotations

from app.adapters.engine import LABEL_ENVIRONMENT, LABEL_INSTALLATION

ROLE_WEB = "web"
ROLE_WORKER = "worker"
ROLE_COMMAND = "command"
ROLE_CRON = "cron"
"""Of a run of a cron job: `app.cron` alone starts, watches and removes those."""
ROLE_NETWORK = "network"


def environment_labels(installation_id: str, environment_uuid: str) -> dict[str, str]:
    """Labels that say whose a thing in the engine is."""
    return {LABEL_INSTALLATION: installation_id, LABEL_ENVIRONMENT: environment_uuid}
