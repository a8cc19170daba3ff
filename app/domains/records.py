"""The DNS records to suggest for a domain, and those that prove it: plain values for pages."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from app.domains.models import Domain
from app.domains.names import is_bare

PROOF_LABEL = "_moonbase"
PROOF_PATH = "/.well-known/moonbase/"


@dataclass(frozen=True)
class DNSRecord:
    """One line for the person's DNS: `kind` is CNAME, ALIAS, A, AAAA or TXT."""

    kind: str
    name: str
    value: str


@dataclass(frozen=True)
class Suggestion:
    """`best` is the record to make; `last_resort` those for a DNS that has no such record."""

    best: DNSRecord
    last_resort: tuple[DNSRecord, ...] = ()

    @property
    def is_alias(self) -> bool:
        """Whether it is a bare domain's."""
        return self.best.kind == "ALIAS"


def suggest_records(host: str, platform_host: str, addresses: Sequence[str]) -> Suggestion:
    """CNAME for a sub-domain; ALIAS for a bare domain, and A as the last resort (L7129–7131).

    `addresses` are the public ones of the ingress, as the operator has told them.
    """
    if not is_bare(host):
        return Suggestion(DNSRecord("CNAME", host, platform_host))
    direct = tuple(DNSRecord(_address_kind(address), host, address) for address in addresses)
    return Suggestion(DNSRecord("ALIAS", host, platform_host), direct)


def proof_record(domain: Domain) -> DNSRecord:
    """The TXT record that proves the claim."""
    return DNSRecord("TXT", f"{PROOF_LABEL}.{domain.host}", domain.proof_token)


def proof_url(domain: Domain) -> str:
    """Where a file with the token proves the claim too."""
    return f"http://{domain.host}{PROOF_PATH}{domain.proof_token}"


def split_addresses(text: str) -> tuple[str, ...]:
    """The setting `sites_addresses`: separated by commas or blanks."""
    return tuple(text.replace(",", " ").split())


def _address_kind(address: str) -> str:
    return "AAAA" if ipaddress.ip_address(address).version == 6 else "A"
