"""One contract for every mailer: the fake, the file, and SMTP against a server that speaks it."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import cast

import pytest

from app.adapters.mail import Letter, Mailer
from app.adapters.mail.composing import compose
from app.adapters.mail.fake import FakeMailer
from app.adapters.mail.files import FileMailer
from app.adapters.mail.smtp import SMTPMailer
from app.errors import Invalid, Unavailable
from tests.contracts.smtp_server import MailServer, make_certificate, served

WRITTEN = datetime.datetime(2026, 3, 1, 12, 30, tzinfo=datetime.UTC)
LETTER = Letter(
    "0b8e8f8e-key",
    "Moonbase <moonbase@panel.example.test>",
    "zoe@example.test",
    "Grüße\nX-Evil: yes",
    "Hello Zoë,\n\n.a line that begins with a dot\n\nhttps://panel.example.test/" + "x" * 90 + "\n",
    WRITTEN,
)
Taken = Callable[[], list[EmailMessage]]
Serve = Callable[..., MailServer]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def serve(certificate: Path) -> Iterator[Serve]:
    """Starts a mail server with the facts given."""
    with ExitStack() as stack:
        yield lambda **facts: stack.enter_context(served(MailServer(certificate, **facts)))


@pytest.fixture(params=["fake", "file", "smtp", "smtp with starttls", "smtps"])
def mailer(request: pytest.FixtureRequest, tmp_path: Path, serve: Serve) -> tuple[Mailer, Taken]:
    """A mailer, and what it has handed on."""
    kind = request.param
    if kind == "fake":
        fake = FakeMailer()
        return fake, lambda: [compose(letter) for letter in fake.letters]
    if kind == "file":
        folder = tmp_path / "new" / "mail"
        return FileMailer(folder), lambda: [
            cast(EmailMessage, message_from_bytes(path.read_bytes(), policy=default))
            for path in sorted(folder.glob("*.eml"))
        ]
    tls = {"smtp": "none", "smtps": "implicit"}.get(kind, "starttls")
    server = serve(tls=tls)
    return SMTPMailer(server.url, server.trust()), lambda: server.letters


def test_a_letter_arrives_as_it_was_written(mailer: tuple[Mailer, Taken]) -> None:
    mailer[0].send(LETTER)
    (letter,) = mailer[1]()
    assert letter["To"] == "zoe@example.test"
    assert letter["From"] == LETTER.sender
    assert letter["Subject"] == "Grüße X-Evil: yes" and letter["X-Evil"] is None
    assert letter["Date"].datetime == WRITTEN
    assert letter["Message-ID"] == "<0b8e8f8e-key@panel.example.test>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content_type() == "text/plain"
    assert letter.get_content().replace("\r\n", "\n") == LETTER.text


@pytest.mark.parametrize(
    "recipient",
    ["", "nobody", "a@b.test,c@d.test", "a@b.test\nBcc: c@d.test", "a@b@c.test", "é@b.test"],
)
def test_what_is_not_one_address_is_refused_for_good(
    mailer: tuple[Mailer, Taken], recipient: str
) -> None:
    letter = Letter("key", LETTER.sender, recipient, "Hello", "Hello", WRITTEN)
    with pytest.raises(Unavailable) as refused:
        mailer[0].send(letter)
    assert not refused.value.retry
    assert mailer[1]() == []


def test_a_domain_beyond_ascii_is_written_in_its_ascii_form(mailer: tuple[Mailer, Taken]) -> None:
    mailer[0].send(Letter("key", LETTER.sender, "a@müller.test", "Hello", "Hello", WRITTEN))
    assert mailer[1]()[0]["To"] == "a@xn--mller-kva.test"


def test_a_file_is_for_its_owner_only_and_replaced_by_a_repetition(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    mailer = FileMailer(folder)
    mailer.send(LETTER)
    mailer.send(LETTER)
    (file,) = folder.iterdir()
    assert LETTER.text in file.read_bytes().decode().replace("\r\n", "\n")  # no link is broken
    assert file.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file where the folder should be")
    with pytest.raises(Unavailable) as refused:
        FileMailer(tmp_path / "mail").send(LETTER)
    assert refused.value.retry


def test_the_password_goes_encrypted_and_as_it_is(serve: Serve) -> None:
    server = serve()
    url = server.url.replace("//", "//panel%40example.test:p%2Fw%20%C3%A9@")
    SMTPMailer(url.replace("%20%C3%A9", "%3A"), server.trust()).send(LETTER)
    assert server.signed_in == ["panel@example.test:p/w:"]
    assert server.was_encrypted == [True]
    assert server.recipients == ["zoe@example.test"]


def test_a_password_is_never_sent_in_the_clear(serve: Serve) -> None:
    server = serve(tls="none")
    with pytest.raises(Unavailable, match="offers no TLS"):
        SMTPMailer(server.url.replace("//", "//panel:secret@")).send(LETTER)
    assert server.signed_in == server.letters == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_of_nobody_known_is_not_trusted(serve: Serve, tls: str) -> None:
    server = serve(tls=tls)
    with pytest.raises(Unavailable, match="certificate") as refused:
        SMTPMailer(server.url).send(LETTER)
    assert refused.value.retry and server.letters == []


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "DATA."])
@pytest.mark.parametrize(("code", "may_come_back"), [("451", True), ("550", False)])
def test_a_refusal_is_final_or_not_as_its_code_says(
    serve: Serve, command: str, code: str, may_come_back: bool
) -> None:
    server = serve(tls="none", answers={command: f"{code} not now"})
    with pytest.raises(Unavailable) as refused:
        SMTPMailer(server.url).send(LETTER)
    assert refused.value.retry == may_come_back
    assert "not now" not in refused.value.sentence
    assert server.letters == []


@pytest.mark.parametrize("code", ["421", "554"])
def test_a_server_that_wants_no_talk_has_refused_no_letter(serve: Serve, code: str) -> None:
    server = serve(tls="none", answers={"CONNECT": f"{code} go away"})
    with pytest.raises(Unavailable) as refused:
        SMTPMailer(server.url).send(LETTER)
    assert refused.value.retry


def test_an_old_server_knows_no_extensions(serve: Serve) -> None:
    server = serve(tls="none", answers={"EHLO": "502 what?"})
    SMTPMailer(server.url).send(LETTER)
    assert len(server.letters) == 1


def test_a_refused_sign_in_is_tried_again(serve: Serve) -> None:
    server = serve(answers={"AUTH": "535 no"})
    with pytest.raises(Unavailable, match="user name") as refused:
        SMTPMailer(server.url.replace("//", "//panel:old@"), server.trust()).send(LETTER)
    assert refused.value.retry


@pytest.mark.parametrize("command", ["EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "DATA."])
def test_a_server_that_hangs_up_is_tried_again(serve: Serve, command: str) -> None:
    server = serve(hangs_up_at=command)
    with pytest.raises(Unavailable) as refused:
        SMTPMailer(server.url, server.trust()).send(LETTER)
    assert refused.value.retry and server.letters == []


def test_hanging_up_after_the_letter_was_taken_is_no_failure(serve: Serve) -> None:
    server = serve(hangs_up_at="QUIT")
    SMTPMailer(server.url, server.trust()).send(LETTER)
    assert len(server.letters) == 1


def test_a_mute_server_is_not_waited_for_for_ever(serve: Serve) -> None:
    server = serve(tls="none", is_mute=True)
    with pytest.raises(Unavailable) as refused:
        SMTPMailer(server.url, seconds=0.2).send(LETTER)
    assert refused.value.retry


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unavailable) as refused:
        SMTPMailer(url, ssl.create_default_context()).send(LETTER)
    assert refused.value.retry


@pytest.mark.parametrize("url", ["", "http://host", "smtp://", "smtp://host:port", "host:25"])
def test_a_mail_url_names_a_host(url: str) -> None:
    with pytest.raises(Invalid):
        SMTPMailer(url)
