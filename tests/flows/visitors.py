"""Visitors of a site while something breaks, at a steady rate, every failure counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.flows.running_panel import RunningPanel
from tests.load import Load, LoadGenerator, Outcome

RATE = 10
"""Requests a second of each of the two generators: on kept connections, and on new ones."""


@dataclass
class Visitors:
    """What the visitors of one site saw, both kinds together."""

    generators: tuple[LoadGenerator, ...]

    @property
    def outcomes(self) -> list[Outcome]:
        return [generator.outcome for generator in self.generators]

    @property
    def sent(self) -> int:
        return sum(outcome.sent for outcome in self.outcomes)

    @property
    def lost(self) -> int:
        return sum(outcome.failed for outcome in self.outcomes)

    @property
    def longest_gap(self) -> float:
        """Seconds between two good answers, for the visitors who waited longest."""
        return max(outcome.longest_gap for outcome in self.outcomes)

    def require_no_loss(self) -> None:
        """Fail when a request was lost, or when hardly any was sent."""
        assert self.sent > RATE, f"only {self.sent} requests were sent"
        losses = [loss for outcome in self.outcomes for loss in outcome.losses]
        assert self.lost == 0, f"{self.lost} of {self.sent} requests were lost: {losses[:20]}"


@contextmanager
def visiting(panel: RunningPanel, slug: str, environment: str = "live") -> Iterator[Visitors]:
    """Visitors ask the site while the block runs; their account is complete after it."""
    address = ("127.0.0.1", panel.settings.sites_port)
    host = panel.host(slug, environment)
    visitors = Visitors(
        tuple(
            LoadGenerator(Load(address, host, rate=RATE, keep_alive=kept)) for kept in (True, False)
        )
    )
    for generator in visitors.generators:
        generator.start()
    try:
        yield visitors
    finally:
        for generator in visitors.generators:
            generator.stop()
