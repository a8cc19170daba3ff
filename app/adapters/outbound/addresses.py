"""Which addresses may be connected to from here."""

from __future__ import annotations

import ipaddress

from app.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA = (ipaddress.ip_network("168.63.129.16/32"),)
"""Azure's, public by its number (“What is IP address 168.63.129.16?”); the other clouds' lie in
link-local and private ranges."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: IPv4 in the last four bytes


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks separated by commas or blanks, e.g. `10.1.0.0/16, fd00::/8`; raises `Invalid`."""
    try:
        return tuple(ipaddress.ip_network(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise Invalid(f"OUTBOUND_NETWORKS: {error}.") from error


def may_connect(text: str, allowed: tuple[Network, ...]) -> bool:
    """Whether an address is one of the public Internet, or of a network the operator allows."""
    try:
        address = _meant(ipaddress.ip_address(text))
    except ValueError:
        return False
    if any(address in network for network in allowed):
        return True
    is_outside = address.is_global and not (address.is_multicast or address.is_reserved)
    return is_outside and not any(address in network for network in _METADATA)


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does; raises ValueError for tunnels
    whose other end cannot be judged."""
    if address.version == 4:
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo or "%" in str(address):
        raise ValueError("a tunnel or an interface of this machine")
    return address
