"""What Moonbase asks of the world outside: names and pages. The one door outwards.

Every address a name leads to is checked before it is connected to, at each redirect anew, and the
connection goes to the very address that was checked: a name that answers differently the second
time ("DNS rebinding") gains nothing. Called by rooms, outside of units of work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LOOKUP_SECONDS = 2.0
FETCH_SECONDS = 4.0
"""A person waits for the answer: with look-ups before it a page stays within five seconds."""
FETCH_BYTES = 64 * 1024


@dataclass(frozen=True)
class Fetched:
    """What a page answered. `url` is where the last redirect led; `body` may be cut off."""

    url: str
    status: int
    body: bytes


@dataclass(frozen=True)
class FetchLimits:
    """How much of a page is waited for. `stays`: a redirect to another host is not followed, and
    is itself the answer."""

    seconds: float = FETCH_SECONDS
    size: int = FETCH_BYTES
    redirects: int = 3
    stays: bool = False


USUAL = FetchLimits()


class Outbound(Protocol):
    """Look-ups answer with nothing for a name or a record that is not there. All raise
    `Unavailable` when nobody answers within `seconds`."""

    def lookup_txt(self, name: str, seconds: float = LOOKUP_SECONDS) -> tuple[str, ...]:
        """The texts of the name's TXT records; the strings of one record are joined."""
        ...

    def lookup_addresses(self, name: str, seconds: float = LOOKUP_SECONDS) -> tuple[str, ...]:
        """The name's IPv4 and IPv6 addresses, whatever they are: nothing is connected to."""
        ...

    def lookup_cname(self, name: str, seconds: float = LOOKUP_SECONDS) -> str:
        """What the name is another name for, lower case without the last dot; or empty."""
        ...

    def fetch(self, url: str, limits: FetchLimits = USUAL) -> Fetched:
        """Get `url` (http or https). Raises `Invalid` for an address that may not be asked:
        loopback, private, link-local, multicast and cloud metadata ones, unless the operator's
        `outbound_networks` hold them; `Unavailable` when nothing usable comes in time."""
        ...
