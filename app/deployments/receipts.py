"""The deployment receipt (N1): what a visitor would have seen while traffic was switched."""

from __future__ import annotations

import http.client
import itertools
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

INTERVAL_SECONDS = 0.05
ANSWER_SECONDS = 5.0
"""No answer in this time counts as a lost request (architecture §4, "Receipt prober")."""
LOST_STATUSES = frozenset({502, 503, 504})
NOT_FOUND = 404
INGRESS_404 = b"404 page not found"
"""The ingress's own answer for a host it has no route for; a site's 404 is the site's matter."""


@dataclass(frozen=True)
class Measured:
    """A prober's account. `longest_gap_ms` is the longest time between two good answers."""

    sent: int
    failed: int
    p95_ms: float
    longest_gap_ms: float
    failures: dict[str, int]


@dataclass
class Prober:
    """Asks the site for `/` twenty times a second through the ingress, until it is stopped."""

    ingress_host: str
    ingress_port: int
    site_host: str
    path: str = "/"
    _times: list[float] = field(default_factory=list)
    _good_at: list[float] = field(default_factory=list)
    _failures: Counter[str] = field(default_factory=Counter)
    _sent: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._probe_until_stopped, daemon=True)
        self._thread.start()

    def stop(self) -> Measured:
        """End and give the account; the request under way is waited for."""
        self._stop.set()
        if self._thread:
            self._thread.join(ANSWER_SECONDS + 1)
        gaps = [later - earlier for earlier, later in itertools.pairwise(self._good_at)]
        return Measured(
            sent=self._sent,
            failed=sum(self._failures.values()),
            p95_ms=_percentile_95(self._times) * 1000,
            longest_gap_ms=max(gaps, default=0) * 1000,
            failures=dict(self._failures),
        )

    def _probe_until_stopped(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            failure = self._probe()
            ended = time.monotonic()
            self._sent += 1
            if failure:
                self._failures[failure] += 1
            else:
                self._times.append(ended - began)
                self._good_at.append(ended)
            self._stop.wait(max(0.0, INTERVAL_SECONDS - (ended - began)))

    def _probe(self) -> str | None:
        """One request on a connection of its own, as a new visitor comes. Returns how it failed."""
        connection = http.client.HTTPConnection(
            self.ingress_host, self.ingress_port, timeout=ANSWER_SECONDS
        )
        try:
            headers = {"Host": self.site_host, "User-Agent": "Moonbase-receipt"}
            connection.request("GET", self.path, headers=headers)
            answer = connection.getresponse()
            start = answer.read(64)
        except TimeoutError:
            return "no answer in 5 s"
        except (OSError, http.client.HTTPException) as error:
            return f"connection: {type(error).__name__}"
        finally:
            connection.close()
        if answer.status in LOST_STATUSES:
            return str(answer.status)
        if answer.status == NOT_FOUND and start.startswith(INGRESS_404):
            return "404 of the ingress"
        return None


def _percentile_95(times: list[float]) -> float:
    if len(times) < 2:
        return times[0] if times else 0.0
    return statistics.quantiles(times, n=20, method="inclusive")[-1]
