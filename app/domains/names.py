"""What may be a host name of a site: pure text, nothing is looked up."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import cache
from urllib.parse import urlsplit

import idna
from publicsuffixlist import PublicSuffixList

from app.errors import Invalid

HOST_LENGTH = 253
LABEL_LENGTH = 63  # both: RFC 1035, 2.3.4
PASTED_LENGTH = 4096
FIELD = "host"
SPECIAL_ENDINGS = frozenset("localhost local internal invalid test example onion alt arpa".split())
"""Names that are no site's on the Internet: RFC 6761, 6762, 7686, 8375 and 9476, and `internal`
by ICANN's resolution of July 2024."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r":[0-9]*$")
_MIXABLE = (
    {"LATIN"},
    {"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"},
    {"LATIN", "CJK", "BOPOMOFO"},
    {"LATIN", "CJK", "HANGUL"},
)
"""Scripts that are written together in one word (UTS 39, “Highly Restrictive”)."""


def parse_host(text: str) -> str:
    """The host name in what a person typed or pasted, in its ASCII form, lower case, without the
    last dot. Raises `Invalid` with a sentence that says what is wrong with it."""
    typed = unicodedata.normalize("NFC", text).strip()
    if not typed:
        raise Invalid("A domain is needed, e.g. “www.example.com”.", FIELD)
    if len(typed) > PASTED_LENGTH:
        raise Invalid("That is too long for a domain: it has at most 253 characters.", FIELD)
    host = _host_in(typed)
    _refuse_what_is_no_name(host.lower())
    return _to_ascii(host)


def show_host(host: str) -> str:
    """The name as people read it, in its own script; the ASCII form itself where there is none."""
    try:
        return idna.decode(host)
    except idna.IDNAError:
        return host


def is_bare(host: str) -> bool:
    """Whether it is what one registers, like `example.com` or `example.co.uk`: a CNAME may not
    stand there (RFC 1034, 3.6.2), beside the records every zone has."""
    return _suffixes().privatesuffix(host) in (host, None)


def registrable(host: str) -> str:
    """The registered part of a name; the name itself when it has none."""
    return _suffixes().privatesuffix(host) or host


def is_under(host: str, parent: str) -> bool:
    """Whether `host` is `parent` or lies under it."""
    return f".{host}".endswith(f".{parent}")


def refuse_reserved(host: str, panel_host: str, platform_domain: str, is_https: bool) -> None:
    """Raise `Invalid` for names that are the platform's own, no site's, or too near the panel."""
    if is_under(host, panel_host):
        raise Invalid(f"{host} belongs to the panel itself.", FIELD)
    if is_under(host, platform_domain):
        raise Invalid(
            f"Names under {platform_domain} are given by the platform: every environment has one.",
            FIELD,
        )
    if not is_https and registrable(host) == registrable(panel_host):
        # Over TLS its cookies are `__Host-`: no neighbour can set those.
        raise Invalid(
            f"{host} is too near the panel at {panel_host}: without HTTPS a site there could set "
            "cookies for the panel. Ask the operator.",
            FIELD,
        )
    ending = host.rpartition(".")[2]
    if ending in SPECIAL_ENDINGS:
        raise Invalid(f"“.{ending}” is kept for other uses: no domain can be had there.", FIELD)
    if _suffixes().publicsuffix(host) == host and _is_known_suffix(host):
        raise Invalid(
            f"{host} is a public ending, under which others register. A domain has one more part, "
            f"e.g. “my-site.{host}”.",
            FIELD,
        )


def _host_in(typed: str) -> str:
    """The host of a pasted address, or what was typed as it stands."""
    if "://" not in typed and "@" in typed:
        raise Invalid("That is an e-mail address. A domain has no “@”.", FIELD)
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://|//", typed):
        try:
            host = urlsplit(typed).hostname
        except ValueError:
            host = None
        if not host:
            raise Invalid("There is no domain in that address.", FIELD)
        return host
    host = re.split(r"[/?#]", typed, maxsplit=1)[0]
    return host if host.count(":") > 1 else _PORT.sub("", host)


def _refuse_what_is_no_name(host: str) -> None:
    if _is_address(host):
        raise Invalid("That is an IP address. A site is reached by a name.", FIELD)
    if "*" in host:
        raise Invalid("A wildcard is no domain: add each name by itself.", FIELD)
    if any(character.isspace() for character in host):
        raise Invalid("A domain has no blanks: enter one at a time.", FIELD)
    if "_" in host:
        raise Invalid("A site's name has no “_”: browsers and certificates refuse it.", FIELD)


def _is_address(host: str) -> bool:
    bare = host.strip("[]").rstrip(".")
    try:
        ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        # Browsers read any name that ends in a number as IPv4 (WHATWG URL, “ends in a number”).
        return bool(_NUMBER.fullmatch(bare.rpartition(".")[2]))
    return True


def _to_ascii(host: str) -> str:
    try:
        mapped = idna.uts46_remap(host, std3_rules=True).removesuffix(".")
    except (idna.IDNAError, UnicodeError) as error:
        raise Invalid("That has characters a domain cannot hold.", FIELD) from error
    labels = mapped.split(".")
    if not all(labels):
        raise Invalid("A part of the domain is empty: look for two dots side by side.", FIELD)
    if len(labels) < 2:
        raise Invalid(f"“{mapped[:60]}” is not a whole domain, e.g. “www.example.com”.", FIELD)
    ready = ".".join(_label_to_ascii(label) for label in labels)
    if len(ready) > HOST_LENGTH:
        raise Invalid(f"A domain has at most {HOST_LENGTH} characters.", FIELD)
    if _is_address(ready):
        raise Invalid("That is an IP address. A site is reached by a name.", FIELD)
    return ready


def _label_to_ascii(label: str) -> str:
    """One part, checked by IDNA 2008 and for scripts that do not go together."""
    if label.isascii() and len(label) > LABEL_LENGTH:
        raise Invalid(f"Each part of a domain has at most {LABEL_LENGTH} characters.", FIELD)
    try:
        ascii_label = idna.alabel(label).decode()
        read = idna.ulabel(ascii_label)
    except (idna.IDNAError, UnicodeError) as error:
        if "too long" in str(error).lower():
            sentence = f"Each part of a domain has at most {LABEL_LENGTH} characters."
            raise Invalid(sentence, FIELD) from error
        raise Invalid(f"“{label[:60]}” cannot be part of a domain.", FIELD) from error
    scripts = {_script(character) for character in read} - {""}
    if len(scripts) > 1 and not any(scripts <= allowed for allowed in _MIXABLE):
        raise Invalid(
            f"“{read}” mixes letters of different scripts that look alike. Type it in one.", FIELD
        )
    return ascii_label


def _script(character: str) -> str:
    """`LATIN`, `CYRILLIC`, …; empty for digits, dashes and marks, which go with any."""
    if not character.isalpha():
        return ""
    return unicodedata.name(character, "UNNAMED").split()[0]


def _is_known_suffix(host: str) -> bool:
    """Whether the list itself names it: the last part of any name counts as one otherwise."""
    return _registries().publicsuffix(host, accept_unknown=False) == host


@cache
def _suffixes() -> PublicSuffixList:
    """Mozilla's list, with the endings companies give their customers names under."""
    return PublicSuffixList()


@cache
def _registries() -> PublicSuffixList:
    """The same without companies' endings, which may well have a site of their own."""
    return PublicSuffixList(only_icann=True)
