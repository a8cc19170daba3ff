"""What may be a domain: everything else is told why not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domains.names import is_bare, is_under, parse_host, refuse_reserved, show_host
from app.errors import Invalid

HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]*[a-z0-9]")


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("example.com", "example.com"),
        ("  WWW.Example.COM.  ", "www.example.com"),
        ("https://www.example.com/about?x=1#top", "www.example.com"),
        ("http://someone:secret@example.com:8080/", "example.com"),
        ("//example.com/", "example.com"),
        ("example.com/path", "example.com"),
        ("example.com:8080", "example.com"),
        ("example.com?x", "example.com"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("MÜNCHEN.de", "xn--mnchen-3ya.de"),
        ("mu\u0308nchen.de", "xn--mnchen-3ya.de"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("faß.de", "xn--fa-hia.de"),
        ("例え.jp", "xn--r8jz45g.jp"),
        ("ＥＸＡＭＰＬＥ。com", "example.com"),
        ("exam\u00adple.com", "example.com"),
        ("123.example.com", "123.example.com"),
        ("a" * 63 + ".com", "a" * 63 + ".com"),
    ],
)
def test_what_people_type_and_paste(typed: str, host: str) -> None:
    assert parse_host(typed) == host


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "needed"),
        (" . ", "empty"),
        ("example", "not a whole domain"),
        ("localhost", "not a whole domain"),
        ("*.example.com", "wildcard"),
        ("127.0.0.1", "IP address"),
        ("127.1", "IP address"),
        ("0x7f.0.0.0x1", "IP address"),
        ("http://[::1]:80/", "IP address"),
        ("::1", "IP address"),
        ("１２７。０。０。１", "IP address"),
        ("example.123", "IP address"),
        ("me@example.com", "e-mail"),
        ("my site.com", "blanks"),
        ("my_site.com", "_"),
        ("a..com", "empty"),
        (".com", "empty"),
        ("-a.com", "cannot be part"),
        ("a-.com", "cannot be part"),
        ("ab--cd.com", "cannot be part"),
        ("xn--zzzzzzz99.com", "cannot be part"),
        ("☃.com", "cannot be part"),
        ("example.com\x00", "cannot hold"),
        ("exa$mple.com", "cannot hold"),
        ("a" * 64 + ".com", "63"),
        ("ü" * 63 + ".com", "63"),
        (".".join(["a" * 60] * 5), "253"),
        ("x" * 5000, "too long"),
        ("раураl.com", "different scripts"),
        ("xn--l-7sba6dbr.com", "different scripts"),
        ("gοοgle.com", "different scripts"),
        ("http://", "no domain"),
        ("http://[bad/", "no domain"),
    ],
)
def test_what_is_no_domain_is_told_why(typed: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refusal:
        parse_host(typed)
    assert refusal.value.field == "host"


@given(
    st.text(max_size=80) | st.from_regex(r"[a-zäß0-9.:/*@_-]{1,40}\.(com|de|jp)", fullmatch=True)
)
def test_anything_is_a_host_name_or_a_sentence(typed: str) -> None:
    try:
        host = parse_host(typed)
    except Invalid as refusal:
        assert refusal.sentence.endswith((".", "”."))
        return
    assert HOST.fullmatch(host), host
    assert parse_host(host) == host
    assert parse_host(f"https://{host}/") == host
    assert parse_host(show_host(host)) == host


def refuse(host: str, is_https: bool = True) -> None:
    refuse_reserved(host, "panel.agency.com", "sites.agency.net", is_https)


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("panel.agency.com", "panel itself"),
        ("x.panel.agency.com", "panel itself"),
        ("sites.agency.net", "given by the platform"),
        ("demo.sites.agency.net", "given by the platform"),
        ("printer.local", "kept for other uses"),
        ("shop.test", "kept for other uses"),
        ("shop.internal", "kept for other uses"),
        ("1.168.192.in-addr.arpa", "kept for other uses"),
        ("x.onion", "kept for other uses"),
        ("co.uk", "public ending"),
        ("xn--55qx5d.cn", "public ending"),
        ("kawasaki.jp", "public ending"),
    ],
)
def test_names_that_are_nobodys_site(host: str, why: str) -> None:
    with pytest.raises(Invalid, match=re.escape(why)):
        refuse(host)


@pytest.mark.parametrize(
    "host",
    ["example.com", "example.co.uk", "github.io", "notpanel.agency.com", "agency.net", "x.corp"],
)
def test_names_that_may_be_a_site(host: str) -> None:
    refuse(host)


@pytest.mark.parametrize("host", ["agency.com", "www.agency.com"])
def test_neighbours_of_the_panel_need_https(host: str) -> None:
    """Without it the panel's cookies have no `__Host-`, and a neighbour could set them."""
    refuse(host, is_https=True)
    with pytest.raises(Invalid, match="too near the panel"):
        refuse(host, is_https=False)


def test_bare_domains_are_those_one_registers() -> None:
    assert is_bare("example.com") and is_bare("example.co.uk") and is_bare("xn--mnchen-3ya.de")
    assert not is_bare("www.example.com") and not is_bare("shop.example.co.uk")


def test_lying_under_a_name_ends_at_a_dot() -> None:
    assert is_under("a.example.com", "example.com") and is_under("example.com", "example.com")
    assert not is_under("notexample.com", "example.com")
