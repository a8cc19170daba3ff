"""`python -m app.processes.ingress_agent`: the ingress agent with settings from the environment.

INGRESS_FEED_URL, INGRESS_TOKEN_FILE, INGRESS_NODE, INGRESS_STATE_FILE, INGRESS_AGENT_PORT,
INGRESS_PROBE_URL; INGRESS_PAGES_PORT (the agent's port + 1), INGRESS_HEARTBEAT (3 s).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from app.adapters.ingress.agent import AgentSettings, IngressAgent

LOOPBACK = "127.0.0.1"


def read_settings(environment: Mapping[str, str]) -> AgentSettings:
    """The agent's settings; KeyError, ValueError or OSError for what is missing or unusable."""
    token = Path(environment["INGRESS_TOKEN_FILE"]).read_text().strip()
    if not token:
        raise ValueError("INGRESS_TOKEN_FILE names an empty file")
    port = int(environment["INGRESS_AGENT_PORT"])
    return AgentSettings(
        feed_url=environment["INGRESS_FEED_URL"].rstrip("/"),
        token=token,
        node=environment["INGRESS_NODE"],
        state_file=Path(environment["INGRESS_STATE_FILE"]),
        listen=(LOOPBACK, port),
        pages_listen=(LOOPBACK, int(environment.get("INGRESS_PAGES_PORT", port + 1))),
        probe_url=environment["INGRESS_PROBE_URL"],
        heartbeat=float(environment.get("INGRESS_HEARTBEAT", "3")),
    )


def main() -> int:
    """Run until SIGTERM or SIGINT; 1 when it broke, 2 for a bad setting."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = read_settings(os.environ)
    except (KeyError, ValueError, OSError) as error:
        logging.error("the ingress agent's settings: %r", error)
        return 2
    agent = IngressAgent(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    return 0 if agent.run() else 1


if __name__ == "__main__":
    sys.exit(main())
