"""What sites do with the message broker they were given."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from app.adapters.services import Facts
from tests.contracts.amqp_client import AmqpConnection, Refused

QUEUE = "celery"
_COUNTED_SECONDS = 6.0
"""The server counts for its administrator every five seconds."""


class RabbitMqGuest:
    """A site that puts tasks into one queue."""

    def connect(self, facts: Facts, vhost: str | None = None) -> AmqpConnection:
        login = ":".join(quote(facts[part], safe="") for part in ("user", "password"))
        place = f"{facts['host']}:{facts['port']}/{quote(vhost or facts['vhost'], safe='')}"
        return AmqpConnection(f"amqp://{login}@{place}")

    def fill(self, facts: Facts, rows: int) -> None:
        with self.connect(facts) as connection:
            connection.publish(QUEUE, [f"naïve ☃ {row}".encode() for row in range(rows)])
        if rows >= 1000:  # to be measured
            time.sleep(_COUNTED_SECONDS)

    def read(self, facts: Facts) -> object:
        with self.connect(facts) as connection:
            return connection.read(QUEUE)

    def may_enter(self, mine: Facts, others: Facts) -> bool:
        for vhost in (others["vhost"], "/"):
            try:
                with self.connect(mine, vhost):
                    return True
            except Refused as refused:
                assert refused.code in (403, 530)
        return False

    def facts_of(self, variables: Mapping[str, str], prefix: str) -> Facts:
        parts = urlsplit(variables[f"{prefix}_AMQP_BROKER_URL"])
        return {
            "scheme": parts.scheme,
            "host": parts.hostname or "",
            "port": str(parts.port),
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "vhost": unquote(parts.path.removeprefix("/")),
        }
