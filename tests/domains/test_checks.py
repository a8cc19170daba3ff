"""Looking a domain up outside: proof by record or by file, and where it leads."""

from __future__ import annotations

import dataclasses

import pytest

from app.adapters.outbound.checked import Answer
from app.adapters.outbound.fake import FakeOutbound
from app.domains.checks import Claim, look
from app.errors import Unavailable

HOST, TOKEN = "www.bakery.com", "f00d"
CLAIM = Claim(HOST, TOKEN, False, "demo.sites.net", ("192.0.2.1",))
FILE = f"http://{HOST}/.well-known/moonbase/{TOKEN}"
ELSEWHERE = "93.184.215.14"


@pytest.fixture
def outbound() -> FakeOutbound:
    made = FakeOutbound()
    made.addresses[HOST] = (ELSEWHERE,)
    made.addresses["demo.sites.net"] = ("192.0.2.2",)
    return made


def test_a_text_record_proves(outbound: FakeOutbound) -> None:
    assert not look(CLAIM, outbound).is_proved
    outbound.texts[f"_moonbase.{HOST}"] = ("other", f" {TOKEN} ")
    found = look(CLAIM, outbound)
    assert found.is_proved and not found.leads_here
    assert found.sentence == f"It leads to {ELSEWHERE}, not here."


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ((), "There is no TXT record at _moonbase.www.bakery.com yet."),
        (("f00",), "The TXT record of _moonbase.www.bakery.com holds something else."),
        (("",), "The TXT record of _moonbase.www.bakery.com holds something else."),
    ],
)
def test_what_is_missing_is_said(
    outbound: FakeOutbound, texts: tuple[str, ...], sentence: str
) -> None:
    outbound.texts[f"_moonbase.{HOST}"] = texts
    assert look(CLAIM, outbound).sentence.startswith(sentence)


def test_a_file_proves(outbound: FakeOutbound) -> None:
    outbound.pages[FILE] = Answer(200, "", f"{TOKEN}\n".encode())
    assert look(CLAIM, outbound).is_proved
    assert outbound.asked == [(ELSEWHERE, FILE)]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "", b"something else"),
        Answer(200, "", b""),
        Answer(404, "", TOKEN.encode()),
        Answer(200, "", b"<html>f00d</html>"),
        Answer(200, "", TOKEN.encode() + b"x" * 5000),
    ],
)
def test_another_file_proves_nothing(outbound: FakeOutbound, answer: Answer) -> None:
    outbound.pages[FILE] = answer
    assert not look(CLAIM, outbound).is_proved


def test_a_file_behind_a_redirect_proves_only_at_the_same_host(outbound: FakeOutbound) -> None:
    """An open redirect on somebody's site is not theirs to prove with."""
    outbound.addresses["evil.com"] = (ELSEWHERE,)
    outbound.pages["http://evil.com/f00d"] = Answer(200, "", TOKEN.encode())
    outbound.pages[FILE] = Answer(302, "http://evil.com/f00d", b"")
    assert not look(CLAIM, outbound).is_proved
    secure = FILE.replace("http:", "https:")
    outbound.pages[secure] = Answer(200, "", TOKEN.encode())
    outbound.pages[FILE] = Answer(301, secure, b"")
    assert look(CLAIM, outbound).is_proved


def test_a_file_proves_nothing_where_the_domain_leads_here(outbound: FakeOutbound) -> None:
    """A forgotten record must not give a name away to whoever claims it: the file is not even
    asked for."""
    outbound.addresses[HOST] = ("192.0.2.2",)
    outbound.pages[FILE] = Answer(200, "", TOKEN.encode())
    found = look(CLAIM, outbound)
    assert not found.is_proved and found.leads_here and outbound.asked == []
    assert "only the TXT record" in found.sentence


def test_a_file_in_a_private_network_is_not_asked_for(outbound: FakeOutbound) -> None:
    outbound.addresses[HOST] = ("10.0.0.1",)
    outbound.pages[FILE] = Answer(200, "", TOKEN.encode())
    assert not look(CLAIM, outbound).is_proved and outbound.asked == []


def test_where_a_proved_domain_leads(outbound: FakeOutbound) -> None:
    proved = dataclasses.replace(CLAIM, is_proved=True)
    for addresses in (("192.0.2.1",), ("192.0.2.2",), ("192.0.2.2", "192.0.2.1")):
        outbound.addresses[HOST] = addresses
        assert look(proved, outbound).sentence == "It leads here."
    outbound.addresses[HOST] = ("192.0.2.1", ELSEWHERE)
    assert look(proved, outbound).sentence == f"It leads to {ELSEWHERE}, not here."
    outbound.addresses[HOST] = ()
    assert look(proved, outbound).sentence == "The DNS knows no address of it yet."
    outbound.aliases[HOST] = "demo.sites.net"
    assert look(proved, outbound).leads_here


def test_when_the_dns_does_not_answer_nothing_is_concluded(outbound: FakeOutbound) -> None:
    outbound.failure = Unavailable("The DNS gave no answer.")
    found = look(CLAIM, outbound)
    assert not found.is_proved and not found.leads_here
    assert "The DNS gave no answer." in found.sentence
