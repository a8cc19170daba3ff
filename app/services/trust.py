"""Certificates that the containers of a site trust besides those of the world.

An embedded server signs for itself, and clients that speak nothing but HTTPS (django-storage-url)
have to believe it. So containers get a file with the authorities this machine trusts and the
certificates of their own services, and variables that say where it is.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

import certifi

PATH = "/etc/moonbase/ca-certificates.crt"
VARIABLES = ("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""What botocore and the AWS tools, and Node.js, look at. Others have names of their own, which
would also change whom a site believes elsewhere: they are left to people."""
_OF_THE_MACHINE = Path("/etc/ssl/certs/ca-certificates.crt")


def trusted_files(certificates: Iterable[str]) -> dict[str, str]:
    """The file for containers by its path; none when no service signs for itself."""
    own = tuple(one for one in dict.fromkeys(certificates) if one)
    if not own:
        return {}
    world = _OF_THE_MACHINE if _OF_THE_MACHINE.exists() else Path(certifi.where())
    return {PATH: _bundle(own, world, world.stat().st_mtime_ns)}


@functools.lru_cache(maxsize=8)
def _bundle(own: tuple[str, ...], world: Path, changed_at: int) -> str:
    """One text of 200 kB for all containers of an environment: the reconciler asks for each."""
    return "\n".join([*own, world.read_text()])


def trusting(certificates: Iterable[str]) -> dict[str, str]:
    """The variables that lead there; a site's own of these names win."""
    return dict.fromkeys(VARIABLES, PATH) if any(certificates) else {}
