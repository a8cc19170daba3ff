"""A security key in software, for tests without a browser (WebAuthn Level 2, 6.1 and 6.5)."""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url

PRESENT, VERIFIED, HAS_CREDENTIAL = 0x01, 0x04, 0x40


class SoftAuthenticator:
    """One key pair. What it says of the world can be changed, to play somebody who lies."""

    def __init__(self, origin: str, rp_id: str = "localhost") -> None:
        self.origin, self.rp_id = origin, rp_id
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(32)
        self.flags = PRESENT | VERIFIED
        self.count = 0

    def create(self, options: dict[str, Any]) -> str:
        """Answer to registration options."""
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        public_key = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})  # COSE, ES256 on P-256
        described = struct.pack(">16sH", bytes(16), len(self.credential_id))
        data = self._data(HAS_CREDENTIAL) + described + self.credential_id + public_key
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options)
        return self._answer(
            clientDataJSON=client, attestationObject=attested, transports=["usb", "pigeon"]
        )

    def get(self, options: dict[str, Any]) -> str:
        """Answer to authentication options."""
        self.count += 1
        data, client = self._data(), self._client("webauthn.get", options)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signed)

    def _data(self, more: int = 0) -> bytes:
        rp = hashlib.sha256(self.rp_id.encode()).digest()
        return struct.pack(">32sBI", rp, self.flags | more, self.count)

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(said).encode()

    def _answer(self, **response: bytes | list[str]) -> str:
        named = bytes_to_base64url(self.credential_id)
        written = {
            name: bytes_to_base64url(value) if isinstance(value, bytes) else value
            for name, value in response.items()
        }
        answer = {"id": named, "rawId": named, "type": "public-key", "response": written}
        return json.dumps(answer)
