"""Reading a public SSH key that a person pasted."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from app.errors import Invalid

RSA_BITS = 2048
LINE_LENGTH = 16_384
"""An RSA key of 8192 bits takes 1,400 characters; more than this is no key."""


@dataclass(frozen=True)
class PublicKey:
    """A key as it is kept. `text` is "type base64", `fingerprint` as `ssh-keygen -l` prints it."""

    kind: str
    fingerprint: str
    text: str
    comment: str


def read_public_key(text: str) -> PublicKey:
    """Read one line of OpenSSH form. Raises `Invalid` with the reason a person can act on."""
    line = text.strip()
    if "PRIVATE KEY" in line:
        raise Invalid(
            "This is a private key: keep it secret, and paste the file that ends in “.pub”.",
            "public_key",
        )
    parts = line.split(maxsplit=2)
    if len(line) > LINE_LENGTH or len(parts) < 2 or "\n" in line:
        raise Invalid(
            "This is not one SSH public key. It begins like “ssh-ed25519 AAAA…”.", "public_key"
        )
    kind = _kind_of(f"{parts[0]} {parts[1]}")
    blob = base64.b64decode(parts[1])
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(
        kind=kind,
        fingerprint=f"SHA256:{digest}",
        text=f"{parts[0]} {parts[1]}",
        comment=parts[2] if len(parts) == 3 else "",
    )


def _kind_of(line: str) -> str:
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid(
            "This is not an SSH public key that can be used. It begins like “ssh-ed25519 AAAA…”.",
            "public_key",
        ) from error
    if isinstance(key, Ed25519PublicKey):
        return "ED25519"
    if isinstance(key, EllipticCurvePublicKey):
        return "ECDSA"
    if isinstance(key, RSAPublicKey):
        if key.key_size < RSA_BITS:
            raise Invalid(f"This RSA key is too short: {RSA_BITS} bits at least.", "public_key")
        return "RSA"
    raise Invalid("Use an ED25519, ECDSA or RSA key; DSA is not safe.", "public_key")
