"""An outside in memory, for tests: it knows the names and pages it was told."""

from __future__ import annotations

from app.adapters.outbound import LOOKUP_SECONDS
from app.adapters.outbound.addresses import Network
from app.adapters.outbound.checked import Answer, CheckedOutbound, Target
from app.errors import Unavailable


class FakeOutbound(CheckedOutbound):
    """Tell it names by `texts`, `addresses` and `aliases`, pages (by URL) by `pages`. `asked` are
    the pairs of address and URL it was really sent to; `failure` is raised while it is set."""

    def __init__(self, allowed: tuple[Network, ...] = ()) -> None:
        super().__init__(allowed)
        self.texts: dict[str, tuple[str, ...]] = {}
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.aliases: dict[str, str] = {}
        self.pages: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []
        self.failure: Unavailable | None = None

    def lookup_txt(self, name: str, seconds: float = LOOKUP_SECONDS) -> tuple[str, ...]:
        """As `Outbound` says."""
        self._perhaps_fail()
        return self.texts.get(name, ())

    def lookup_addresses(self, name: str, seconds: float = LOOKUP_SECONDS) -> tuple[str, ...]:
        """As `Outbound` says."""
        self._perhaps_fail()
        return self.addresses.get(self.aliases.get(name, name), ())

    def lookup_cname(self, name: str, seconds: float = LOOKUP_SECONDS) -> str:
        """As `Outbound` says."""
        self._perhaps_fail()
        return self.aliases.get(name, "")

    def exchange(self, target: Target, size: int, until: float) -> Answer:
        """The page told, cut to `size`."""
        self._perhaps_fail()
        self.asked.append((target.address, target.url))
        page = self.pages.get(target.url)
        if page is None:
            raise Unavailable(f"{target.host} did not answer {target.url} properly.")
        return Answer(page.status, page.location, page.body[:size])

    def _perhaps_fail(self) -> None:
        if self.failure:
            raise self.failure
