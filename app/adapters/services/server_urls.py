"""Administrators' URLs of servers, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from app.adapters.services.variables import bracketed
from app.errors import Invalid


@dataclass(frozen=True)
class Address:
    """An administrator's URL, taken apart. `options` are its query."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    path: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """Scheme, host, port and path without a slash at the end; no password."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}{self.path.rstrip('/')}"


def read_address(url: str, ports: Mapping[str, int], name: str) -> Address:
    """Take an administrator's URL apart. `ports` are the usual ones of the schemes that may be;
    `name` says whose it is. Raises `Invalid`, with nothing of the URL in the sentence."""
    try:
        parts = urlsplit(url.strip())
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:  # its text may hold a piece of the password: nothing of it goes on
        raise Invalid(f"The address of {name} cannot be read.") from None
    if scheme not in ports or not host:
        wanted = " or ".join(f"{known}://user:password@host" for known in ports)
        raise Invalid(f"The address of {name} must look like {wanted}.")
    return Address(
        scheme=scheme,
        host=host,
        port=port or ports[scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        path=parts.path,
        options={key: values[-1] for key, values in parse_qs(parts.query).items()},
    )
