"""Looking a domain up outside: whether its claim is proved, and whether it leads here.

Nothing here reads or writes the database: a view looks first and notes the finding afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from app.adapters.outbound import FetchLimits, Outbound
from app.domains.models import Domain
from app.domains.records import PROOF_LABEL, PROOF_PATH
from app.errors import Invalid, Unavailable

LOOK_SECONDS = 4.5
"""For everything together: a person waits for the page."""
STEP_SECONDS = 1.5
TOKEN_BYTES = 1024
SHOWN_ADDRESSES = 3


@dataclass(frozen=True)
class Claim:
    """What has to be known to look, read before: no row is held while others are waited for."""

    host: str
    token: str
    is_proved: bool
    platform_host: str
    addresses: tuple[str, ...]

    @classmethod
    def of(cls, domain: Domain, platform_host: str, addresses: Sequence[str]) -> Claim:
        """`addresses` are the ingress's public ones, if the operator has told them."""
        is_proved = domain.proved_at is not None
        return cls(domain.host, domain.proof_token, is_proved, platform_host, tuple(addresses))


@dataclass(frozen=True)
class Finding:
    """`sentence` says what was found, to the person."""

    is_proved: bool
    leads_here: bool
    sentence: str


def look(claim: Claim, outbound: Outbound) -> Finding:
    """Look up the proof, unless it was seen before, and where the domain leads.

    A file cannot prove a domain that leads here already: a forgotten record would otherwise give
    a name away to whoever claims it first. A TXT record always can.
    """
    until = time.monotonic() + LOOK_SECONDS
    missing = "" if claim.is_proved else _look_for_text(claim, outbound)
    leads_here, where = _look_where(claim, outbound, until)
    if missing and leads_here:
        where += " So a file cannot prove it: only the TXT record can."
    elif missing and _has_file(claim, outbound, until):
        missing = ""
    return Finding(not missing, leads_here, f"{missing} {where}".strip())


def _look_for_text(claim: Claim, outbound: Outbound) -> str:
    """Empty when the TXT record holds the token; else what is there instead."""
    name = f"{PROOF_LABEL}.{claim.host}"
    try:
        found = outbound.lookup_txt(name, STEP_SECONDS)
    except Unavailable as error:
        return error.sentence
    if any(text.strip() == claim.token for text in found):
        return ""
    if found:
        return f"The TXT record of {name} holds something else."
    return f"There is no TXT record at {name} yet."


def _look_where(claim: Claim, outbound: Outbound, until: float) -> tuple[bool, str]:
    try:
        alias = outbound.lookup_cname(claim.host, _left(until))
        if alias == claim.platform_host:
            return True, "It leads here."
        found = outbound.lookup_addresses(claim.host, _left(until))
        if not found:
            return False, "The DNS knows no address of it yet."
        here = {*claim.addresses, *outbound.lookup_addresses(claim.platform_host, _left(until))}
    except Unavailable as error:
        return False, error.sentence
    if here.issuperset(found):
        return True, "It leads here."
    strangers = [address for address in found if address not in here]
    shown = ", ".join(strangers[:SHOWN_ADDRESSES])
    more = " and others" if len(strangers) > SHOWN_ADDRESSES else ""
    return False, f"It leads to {shown}{more}, not here."


def _has_file(claim: Claim, outbound: Outbound, until: float) -> bool:
    """Whether the file with the token is there. It is asked for at the host itself: a redirect to
    another host would prove whose that one is."""
    limits = FetchLimits(seconds=_left(until), size=TOKEN_BYTES, stays=True)
    try:
        page = outbound.fetch(f"http://{claim.host}{PROOF_PATH}{claim.token}", limits)
    except (Invalid, Unavailable):
        return False
    return page.status == 200 and page.body.decode(errors="replace").strip() == claim.token


def _left(until: float) -> float:
    return max(0.05, min(STEP_SECONDS, until - time.monotonic()))
