"""What may be a name: slugs, people's and things' names, environment names, host names."""

from __future__ import annotations

import re
import unicodedata

from app.errors import Invalid

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
SLUG_LENGTH = 40
ENVIRONMENT_LENGTH = 20
NAME_LENGTH = 100
EMAIL_LENGTH = 254  # RFC 5321, path length without the brackets

RESERVED_SLUGS = frozenset(
    (
        "www api admin mail ftp smtp imap git ssh panel static media assets cdn ns ns1 ns2 dns "
        "status account accounts login new internal ingress health root support help billing blog "
        "docs test live stage local localhost moonbase deploy"
    ).split()
)
"""Names that people or browsers would take for the platform's own hosts, and those that are
addresses of pages beside the applications'."""
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean_name(text: str, field: str = "name") -> str:
    """A name as it is kept: NFC, trimmed, inner blanks single, 1–100 characters.

    Raises `Invalid` for control and direction-changing characters, which make one name look like
    another.
    """
    name = re.sub(" {2,}", " ", unicodedata.normalize("NFC", text).strip())
    if not name:
        raise Invalid("A name is needed.", field)
    if len(name) > NAME_LENGTH:
        raise Invalid(f"A name has at most {NAME_LENGTH} characters; this has {len(name)}.", field)
    if any(unicodedata.category(character) in _INVISIBLE for character in name):
        raise Invalid("The name holds invisible characters. Type it again by hand.", field)
    return name


def clean_slug(text: str, field: str = "slug", length: int = SLUG_LENGTH) -> str:
    """A slug as it is kept: `a-z 0-9 -`, no `--`.

    `--` joins slug and environment in platform domains, so neither may hold it.
    """
    slug = text.strip()
    if not slug:
        raise Invalid("An address name is needed, e.g. “my-site”.", field)
    if len(slug) > length:
        raise Invalid(f"“{slug[:20]}…” is too long: at most {length} characters.", field)
    if not SLUG.fullmatch(slug) or "--" in slug:
        raise Invalid(
            "Use small letters, digits and single dashes, beginning and ending with a letter or "
            "digit, e.g. “my-site”.",
            field,
        )
    return slug


def clean_application_slug(text: str) -> str:
    """An application's slug: its live host name begins with it, so reserved names are refused."""
    slug = clean_slug(text)
    if slug in RESERVED_SLUGS:
        raise Invalid(f"“{slug}” is reserved for the platform. Choose another.", "slug")
    return slug


def clean_environment_slug(text: str) -> str:
    """An environment's name in addresses: a slug of at most 20 characters."""
    return clean_slug(text, "slug", ENVIRONMENT_LENGTH)


def media_host(bucket: str, platform_domain: str) -> str:
    """Where the public media of a bucket are found: one label, so that one certificate fits all.
    No environment is named `media`, so nobody's host is the same."""
    return f"{bucket}--media.{platform_domain}"


def suggest_slug(name: str) -> str:
    """A slug made from a name, perhaps empty: “Zoë’s Café” → `zoes-cafe`."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters.replace("'", "")).strip("-")[:SLUG_LENGTH].strip("-")


def fold_email(text: str) -> str:
    """An address as it is compared, whether or not it is one: NFC, trimmed, casefolded."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def clean_email(text: str) -> str:
    """An e-mail address as it is kept and compared: NFC, trimmed, casefolded."""
    email = fold_email(text)
    local, at, domain = email.rpartition("@")
    # What separates or quotes addresses in a mail's header would make two of one.
    is_one = not any(c in '@,;:<>()[]"\\' for c in local)
    has_blank = any(c.isspace() or unicodedata.category(c) in _INVISIBLE for c in email)
    if not (local and at and "." in domain and is_one) or has_blank or len(email) > EMAIL_LENGTH:
        raise Invalid("That is not an e-mail address.", "email")
    return email
