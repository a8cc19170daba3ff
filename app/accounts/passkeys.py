"""Passkeys (WebAuthn) as a second factor: keys in phones, computers and sticks.

The library is loaded with the first passkey: it takes 20 MB, which most processes never need.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from app.accounts.letters import tell_of_change
from app.accounts.models import Passkey, User
from app.audit.operations import record
from app.config import Settings
from app.errors import Invalid
from app.extensions import db, now
from app.installation import installation
from app.names import clean_name

if TYPE_CHECKING:
    from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor
    from webauthn.registration.verify_registration_response import VerifiedRegistration

MOST = 20
"""Passkeys of one person: their descriptors travel with each sign-in."""
ANSWER_LENGTH = 64 * 1024
"""Characters; a phone's attestation with its certificates has some thousands."""
NOT_TAKEN = "The passkey was not taken. Try it once more."
"""Which of a dozen checks failed helps nobody but who forges an answer."""


def registration_options(user: User) -> tuple[str, bytes]:
    """What a browser needs to make a passkey (JSON), and the challenge it has to answer."""
    import webauthn
    from webauthn.helpers import structs

    if len(user.passkeys) >= MOST:
        raise Invalid(f"You have {MOST} passkeys. Remove one you do not use first.")
    settings = installation().settings
    options = webauthn.generate_registration_options(
        rp_id=settings.panel_host,
        rp_name="Moonbase",
        user_id=user.uuid.encode(),
        user_name=user.email,
        user_display_name=user.name,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            # As a second factor it need not know whose it is: sticks have little room for that.
            resident_key=structs.ResidentKeyRequirement.DISCOURAGED,
            user_verification=structs.UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=_descriptors(user),
    )
    return webauthn.options_to_json(options), options.challenge


def authentication_options(user: User) -> tuple[str, bytes]:
    """What a browser needs to ask one of the person's passkeys, and the challenge."""
    import webauthn
    from webauthn.helpers import structs

    options = webauthn.generate_authentication_options(
        rp_id=installation().settings.panel_host,
        allow_credentials=_descriptors(user),
        user_verification=structs.UserVerificationRequirement.PREFERRED,
    )
    return webauthn.options_to_json(options), options.challenge


def _descriptors(user: User) -> list[PublicKeyCredentialDescriptor]:
    from webauthn.helpers import structs

    return [
        structs.PublicKeyCredentialDescriptor(
            id=row.credential_id,
            transports=[structs.AuthenticatorTransport(name) for name in row.transports],
        )
        for row in user.passkeys
    ]


def add_passkey(user: User, name: str, answer: str, challenge: bytes) -> Passkey:
    """Take the passkey a browser has just made. Raises `Invalid` for an answer to another
    challenge, from another site, or without anybody present."""
    made = _verify_registration(answer, challenge, installation().settings)
    taken = select(Passkey.id).where(Passkey.credential_id == made.credential_id)
    if db.session.scalar(taken) is not None:
        raise Invalid("This passkey is on an account already.")
    row = Passkey(
        user=user,
        name=clean_name(name.strip() or "Passkey"),
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        transports=_transports(answer),
    )
    db.session.add(row)
    record("account.passkey.add", row.name, actor=user, organisation_id=None)
    tell_of_change(user, "A passkey was added to your account")
    return row


def remove_passkey(user: User, passkey: Passkey) -> None:
    """Sign-ins do not take it any more."""
    record("account.passkey.remove", passkey.name, actor=user, organisation_id=None)
    tell_of_change(user, "A passkey was removed from your account")
    user.passkeys.remove(passkey)


def accept_passkey(user: User, answer: str, challenge: bytes) -> Passkey:
    """The person's passkey that has answered the challenge. Raises `Invalid` if none has."""
    credential = _read(answer)
    named = _credential_id(credential)
    row = next((row for row in user.passkeys if row.credential_id == named), None)
    if row is None or not challenge:
        raise Invalid(NOT_TAKEN)
    row.sign_count = _verify(row, credential, challenge, installation().settings).new_sign_count
    row.last_used_at = now()
    return row


def _verify(
    row: Passkey, credential: dict[str, Any], challenge: bytes, settings: Settings
) -> VerifiedAuthentication:
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        return webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.panel_host,
            expected_origin=settings.panel_url,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
        )
    except (WebAuthnException, ValueError) as error:
        raise Invalid(NOT_TAKEN) from error


def _verify_registration(answer: str, challenge: bytes, settings: Settings) -> VerifiedRegistration:
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    credential = _read(answer)
    if not challenge:
        raise Invalid(NOT_TAKEN)
    try:
        return webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=settings.panel_host,
            expected_origin=settings.panel_url,
        )
    except (WebAuthnException, ValueError) as error:
        raise Invalid(NOT_TAKEN) from error


def _read(answer: str) -> dict[str, Any]:
    try:
        read = json.loads(answer) if len(answer) <= ANSWER_LENGTH else None
    except (ValueError, RecursionError) as error:
        raise Invalid(NOT_TAKEN) from error
    if not isinstance(read, dict):
        raise Invalid(NOT_TAKEN)
    return read


def _credential_id(credential: dict[str, Any]) -> bytes:
    from webauthn.helpers import base64url_to_bytes

    try:
        return base64url_to_bytes(str(credential.get("rawId", "")))
    except ValueError as error:
        raise Invalid(NOT_TAKEN) from error


def _transports(answer: str) -> list[str]:
    """How the browser reached it, as far as it says so and we know the word."""
    from webauthn.helpers.structs import AuthenticatorTransport

    response = _read(answer).get("response")
    named = response.get("transports") if isinstance(response, dict) else None
    known = {transport.value for transport in AuthenticatorTransport}
    words = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    return [name for name in words if name in known]
