"""The outside, by its contract: the same over the fake and over real DNS and HTTP on loopback."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.outbound import FetchLimits, Outbound
from app.adapters.outbound.addresses import may_connect, parse_networks
from app.adapters.outbound.checked import Answer, CheckedOutbound, Target
from app.adapters.outbound.direct import DirectOutbound
from app.adapters.outbound.fake import FakeOutbound
from app.errors import Invalid, Unavailable
from tests.contracts.outbound_fixtures import NameServer, Page, PageServer, dead_port

LOOPBACK = "127.0.0.0/8"


class World(Protocol):
    """An outside that can be told what there is. `outbound` may reach loopback, `strict` not."""

    outbound: Outbound
    strict: Outbound

    def text(self, name: str, *values: str) -> None: ...
    def address(self, name: str, *addresses: str) -> None: ...
    def alias(self, name: str, target: str) -> None: ...
    def page(self, host: str, path: str, page: Page) -> str:
        """Put it there; returns its URL."""
        ...

    def fail(self) -> None:
        """From now on, no name server answers."""
        ...


class FakeWorld:
    def __init__(self) -> None:
        self.outbound = FakeOutbound(parse_networks(LOOPBACK))
        self.strict = FakeOutbound()

    def text(self, name: str, *values: str) -> None:
        self.outbound.texts[name] = values

    def address(self, name: str, *addresses: str) -> None:
        self.outbound.addresses[name] = self.strict.addresses[name] = addresses

    def alias(self, name: str, target: str) -> None:
        self.outbound.aliases[name] = self.strict.aliases[name] = target

    def page(self, host: str, path: str, page: Page) -> str:
        url = f"http://{host}:8000{path}"
        self.outbound.pages[url] = Answer(page.status, page.location, page.body)
        return url

    def fail(self) -> None:
        self.outbound.failure = Unavailable("Nobody answers.")


class RealWorld:
    def __init__(self) -> None:
        self.names = NameServer()
        self.pages = PageServer()
        self.outbound = DirectOutbound(self.names.address, LOOPBACK)
        self.strict = DirectOutbound(self.names.address)

    def text(self, name: str, *values: str) -> None:
        self.names.set(name, "TXT", *(f'"{value}"' for value in values))

    def address(self, name: str, *addresses: str) -> None:
        for kind, version in (("A", 4), ("AAAA", 6)):
            fitting = [one for one in addresses if ipaddress.ip_address(one).version == version]
            if fitting:
                self.names.set(name, kind, *fitting)

    def alias(self, name: str, target: str) -> None:
        self.names.set(name, "CNAME", f"{target}.")

    def page(self, host: str, path: str, page: Page) -> str:
        self.pages.pages[(host, path)] = page
        return f"http://{host}:{self.pages.port}{path}"

    def fail(self) -> None:
        self.names.is_failing = True

    def stop(self) -> None:
        self.names.stop()
        self.pages.stop()


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    real = RealWorld()
    yield real
    real.stop()


@pytest.fixture
def real() -> Iterator[RealWorld]:
    made = RealWorld()
    yield made
    made.stop()


# Names -------------------------------------------------------------------------------------------


def test_texts_are_found(world: World) -> None:
    world.text("_moonbase.example.com", "one", "two")
    assert set(world.outbound.lookup_txt("_moonbase.example.com")) == {"one", "two"}


def test_what_is_not_there_is_nothing(world: World) -> None:
    world.text("example.com", "x")
    assert world.outbound.lookup_txt("nowhere.example.com") == ()
    assert world.outbound.lookup_addresses("nowhere.example.com") == ()
    assert world.outbound.lookup_addresses("example.com") == ()
    assert world.outbound.lookup_cname("nowhere.example.com") == ""


def test_addresses_of_both_kinds_also_behind_an_alias(world: World) -> None:
    world.address("site.example.net", "192.0.2.7", "2001:db8::7")
    world.alias("www.example.com", "site.example.net")
    assert set(world.outbound.lookup_addresses("www.example.com")) == {"192.0.2.7", "2001:db8::7"}
    assert world.outbound.lookup_cname("www.example.com") == "site.example.net"
    assert world.outbound.lookup_cname("site.example.net") == ""


def test_when_nobody_answers_that_is_said(world: World) -> None:
    world.fail()
    for ask in (
        world.outbound.lookup_txt,
        world.outbound.lookup_addresses,
        world.outbound.lookup_cname,
    ):
        with pytest.raises(Unavailable):
            ask("example.com")


def test_a_long_text_comes_over_tcp_in_one_piece(real: RealWorld) -> None:
    real.names.records[("example.com", "TXT")] = [
        " ".join(f'"{letter * 250}"' for letter in "abc"),
        '"token"',
    ]
    found = real.outbound.lookup_txt("example.com")
    assert set(found) == {"a" * 250 + "b" * 250 + "c" * 250, "token"}
    assert len(real.names.asked) == 2  # over UDP, then over TCP


def test_a_silent_name_server_is_not_waited_for(real: RealWorld) -> None:
    real.names.is_silent = True
    started = time.monotonic()
    with pytest.raises(Unavailable):
        real.outbound.lookup_addresses("example.com", 0.3)
    assert time.monotonic() - started < 1.5


def test_nothing_is_kept_from_one_look_to_the_next(real: RealWorld) -> None:
    real.text("example.com", "before")
    assert real.outbound.lookup_txt("example.com") == ("before",)
    real.text("example.com", "after")
    assert real.outbound.lookup_txt("example.com") == ("after",)


# Pages -------------------------------------------------------------------------------------------


def test_a_page_is_fetched_by_its_name(world: World) -> None:
    world.address("example.com", "127.0.0.1")
    url = world.page("example.com", "/a?b=c", Page(200, b"hello"))
    found = world.outbound.fetch(url)
    assert (found.url, found.status, found.body) == (url, 200, b"hello")


def test_a_status_is_an_answer(world: World) -> None:
    world.address("example.com", "127.0.0.1")
    url = world.page("example.com", "/", Page(503, b"later"))
    assert world.outbound.fetch(url).status == 503


def test_a_body_is_cut_at_the_limit(world: World) -> None:
    world.address("example.com", "127.0.0.1")
    url = world.page("example.com", "/", Page(200, b"x" * 100_000))
    assert world.outbound.fetch(url, FetchLimits(size=1000)).body == b"x" * 1000


def test_redirects_are_followed_up_to_a_number(world: World) -> None:
    world.address("example.com", "127.0.0.1")
    end = world.page("example.com", "/end", Page(200, b"here"))
    first = world.page("example.com", "/", Page(302, location="/end"))
    assert world.outbound.fetch(first).url == end
    loop = world.page("example.com", "/loop", Page(301, location="/loop"))
    with pytest.raises(Unavailable, match="without end"):
        world.outbound.fetch(loop)
    with pytest.raises(Unavailable, match="without end"):
        world.outbound.fetch(first, FetchLimits(redirects=0))


def test_a_redirect_elsewhere_is_the_answer_where_one_stays(world: World) -> None:
    world.address("example.com", "127.0.0.1")
    world.address("other.example.com", "127.0.0.1")
    there = world.page("other.example.com", "/", Page(200, b"theirs"))
    first = world.page("example.com", "/", Page(302, location=there))
    assert world.outbound.fetch(first).body == b"theirs"
    stayed = world.outbound.fetch(first, FetchLimits(stays=True))
    assert (stayed.url, stayed.status, stayed.body) == (first, 302, b"")


def test_a_name_without_address_cannot_be_asked(world: World) -> None:
    with pytest.raises(Unavailable, match="no address"):
        world.outbound.fetch("http://nowhere.example.com/")


def test_private_addresses_are_refused_unless_allowed(world: World) -> None:
    world.address("example.com", "127.0.0.1")
    url = world.page("example.com", "/", Page(200, b"secret"))
    assert world.outbound.fetch(url).status == 200
    with pytest.raises(Invalid, match="private network"):
        world.strict.fetch(url)


def test_one_private_address_among_public_ones_is_enough_to_refuse(world: World) -> None:
    world.address("example.com", "93.184.215.14", "10.0.0.1")
    with pytest.raises(Invalid, match="private network"):
        world.strict.fetch("http://example.com/")


def test_a_redirect_into_a_private_network_is_refused(world: World) -> None:
    world.address("example.com", "127.0.0.1")
    for location in (
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:10.0.0.1]/",
        "//192.168.1.1/",
    ):
        url = world.page("example.com", "/", Page(302, location=location))
        with pytest.raises(Invalid, match="private network"):
            world.outbound.fetch(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "http://user:password@example.com/",
        "http://example.com:99999/",
        "http://[::1/",
        "http://example.com/\r\nX-Evil: 1",
        "http://exämple.com/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
    ],
)
def test_what_is_no_address_of_a_page_is_refused(world: World, url: str) -> None:
    with pytest.raises(Invalid):
        world.outbound.fetch(url)


def test_the_connection_goes_to_the_checked_address_with_the_name_as_host(real: RealWorld) -> None:
    """The name is looked up once: what a second look-up would say does not matter."""
    real.address("example.com", "127.0.0.1")
    url = real.page("example.com", "/", Page(200, b"x"))
    real.outbound.fetch(url)
    assert real.names.asked == [("example.com", "A"), ("example.com", "AAAA")]
    assert real.pages.asked == [(f"example.com:{real.pages.port}", "/")]


def test_a_name_that_answers_differently_the_second_time_gains_nothing() -> None:
    """DNS rebinding: public at the check, private when connected. There is no second look-up."""

    class Rebinding(CheckedOutbound):
        def __init__(self) -> None:
            super().__init__()
            self.answers = iter([("93.184.215.14",), ("127.0.0.1",)])
            self.connected: list[str] = []

        def lookup_addresses(self, name: str, seconds: float = 1) -> tuple[str, ...]:
            return next(self.answers)

        def exchange(self, target: Target, size: int, until: float) -> Answer:
            self.connected.append(target.address)
            return Answer(302, "/again", b"")

    outbound = Rebinding()
    with pytest.raises(Invalid, match="private network"):
        outbound.fetch("http://example.com/")
    assert outbound.connected == ["93.184.215.14"]


def test_the_second_address_is_tried_when_the_first_does_not_answer(real: RealWorld) -> None:
    real.address("example.com", "127.0.0.99", "127.0.0.1")
    url = real.page("example.com", "/", Page(200, b"x"))
    assert real.outbound.fetch(url).status == 200


def test_a_body_that_drips_is_not_waited_for(real: RealWorld) -> None:
    real.address("example.com", "127.0.0.1")
    url = real.page("example.com", "/", Page(200, b"x" * 100, drip=0.1))
    started = time.monotonic()
    with pytest.raises(Unavailable):
        real.outbound.fetch(url, FetchLimits(seconds=0.5))
    assert time.monotonic() - started < 2


def test_a_closed_port_is_said_at_once(real: RealWorld) -> None:
    real.address("example.com", "127.0.0.1")
    with pytest.raises(Unavailable):
        real.outbound.fetch(f"http://example.com:{dead_port()}/")


def test_a_web_server_without_tls_is_no_https(real: RealWorld) -> None:
    real.address("example.com", "127.0.0.1")
    url = real.page("example.com", "/", Page(200, b"x"))
    with pytest.raises(Unavailable):
        real.outbound.fetch(url.replace("http:", "https:"))


# Addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254"),
        *("100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1"),
        *("255.255.255.255", "240.0.0.1", "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0"),
        *("fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
        *("2002:0a00:0001::", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "2001:0:0a00:1::1"),
        *("", "example.com", "1.2.3", "0x7f.1"),
    ],
)
def test_addresses_that_are_not_of_the_internet(address: str) -> None:
    assert not may_connect(address, ())


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:4700::1", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
)
def test_addresses_of_the_internet(address: str) -> None:
    assert may_connect(address, ())


def test_the_operator_may_allow_networks() -> None:
    allowed = parse_networks("10.1.0.0/16, fd00::/8")
    assert may_connect("10.1.2.3", allowed) and may_connect("fd00::1", allowed)
    assert may_connect("::ffff:10.1.2.3", allowed)
    assert not may_connect("10.2.0.1", allowed)
    with pytest.raises(Invalid, match="OUTBOUND_NETWORKS"):
        parse_networks("10.1.0.1/16")


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_judged_like_itself(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    plain = may_connect(str(address), ())
    assert may_connect(f"::ffff:{address}", ()) == plain
    assert may_connect(str(ipaddress.IPv6Address((0x64FF9B << 96) | number)), ()) == plain
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not plain
