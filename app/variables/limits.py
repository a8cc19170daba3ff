"""What may be a variable, and how many an environment may have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.errors import Invalid

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
RESERVED_PREFIX = "MOONBASE_"
"""Kept for what the platform itself may tell a site one day."""
PORT = re.compile(r"[0-9]{1,5}")
STRING_BYTES = 128 * 1024
"""`NAME=value` and the NUL that ends it: MAX_ARG_STRLEN of Linux, 32 pages (execve(2))."""
TOTAL_BYTES = 1024**2
"""All own variables of an environment. Linux takes 2 MiB for a program's environment and
arguments together (a quarter of the 8 MiB of stack, execve(2)): the other half is for automatic
variables, what the image sets, and command lines."""
POINTER_BYTES = 8
"""What Linux counts for each variable besides its text."""
MOST = 5_000
"""Variables of one environment. Every process of a site copies them when it starts, and a
deployment decrypts them all: about a tenth of a second at this number."""
MASKED_FROM = 8
"""Secrets shorter than this cannot be masked in logs: they would blot out ordinary words."""
SECRET_WORDS = frozenset(
    "KEY APIKEY SECRET SECRETS TOKEN PASSWORD PASSWD PASS PWD PASSPHRASE DSN CREDENTIALS "
    "CREDENTIAL PRIVATE SALT".split()
)
"""Parts of names that hold secrets as a rule."""


@dataclass(frozen=True)
class Entry:
    """A variable as somebody wants it."""

    name: str
    value: str
    is_secret: bool


def clean_key(text: str) -> str:
    """A variable's name as it is kept; names that differ in capitals are different ones."""
    name = text.strip()
    if not NAME.fullmatch(name):
        raise Invalid("A variable's name has letters, digits and “_”, not a digit first.", "name")
    if name.startswith(RESERVED_PREFIX):
        raise Invalid(f"Names that begin with {RESERVED_PREFIX} are the platform's own.", "name")
    return name


def check_value(name: str, value: str) -> None:
    """Raise `Invalid` for a value that no container could be given under `name`."""
    if "\x00" in value:
        raise Invalid("A value cannot hold the character NUL: Linux ends it there.", "value")
    size = size_of(name, value)
    if size > STRING_BYTES:
        raise Invalid(
            f"This value is too large: name and value have {size // 1024} KiB, and Linux takes at "
            f"most {STRING_BYTES // 1024} KiB for one variable. Put it into a file of the "
            "repository or into storage, and its address here.",
            "value",
        )
    if name == "PORT" and not (PORT.fullmatch(value.strip()) and 0 < int(value) < 65536):
        raise Invalid("PORT is a number from 1 to 65535.", "value")


def check_count(count: int) -> None:
    """Raise `Invalid` for more variables than one environment may have."""
    if count > MOST:
        raise Invalid(f"An environment has at most {MOST:,} variables; this would make {count:,}.")


def check_total(size: int) -> None:
    """Raise `Invalid` for more bytes than the variables of one environment may have."""
    if size > TOTAL_BYTES:
        raise Invalid(
            f"All variables of an environment together have at most {TOTAL_BYTES // 1024} KiB; "
            f"this would make {-(-size // 1024)} KiB. A program that is given more does not start.",
            "value",
        )


def size_of(name: str, value: str) -> int:
    """Bytes of `NAME=value` with its end."""
    return len(name) + len(value.encode()) + 2


def looks_secret(name: str, value: str) -> bool:
    """Whether a name, or an address with a password in it, suggests a secret."""
    parts = name.upper().split("_")
    return not SECRET_WORDS.isdisjoint(parts) or _has_password(value)


def _has_password(value: str) -> bool:
    try:
        return "://" in value and bool(urlsplit(value.strip()).password)
    except ValueError:  # “http://[x” is no address
        return False
