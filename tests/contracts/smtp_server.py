"""A mail server on loopback that speaks SMTP (RFC 5321) with STARTTLS and sign-in, and misbehaves
when told to."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class MailServer:
    """What the server is told, and what it was given."""

    certificate: Path
    tls: str = "starttls"
    """`starttls`, `implicit`, or `none`."""
    answers: dict[str, str] = field(default_factory=dict)
    """Replies instead of the usual ones, by command; `DATA.` is the end of a letter."""
    hangs_up_at: str = ""
    is_mute: bool = False
    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)

    @property
    def url(self) -> str:
        scheme = "smtps" if self.tls == "implicit" else "smtp"
        return f"{scheme}://127.0.0.1:{self.port}"

    def trust(self) -> ssl.SSLContext:
        """A client's context that believes this server's certificate."""
        return ssl.create_default_context(cafile=str(self.certificate))


@contextmanager
def served(mail: MailServer) -> Iterator[MailServer]:
    """Serve it on a free port, a thread a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mail.certificate)

    class Handler(_Conversation):
        pass

    Handler.mail, Handler.context = mail, context
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mail.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield mail
        server.shutdown()
        thread.join()


class _Conversation(socketserver.BaseRequestHandler):
    mail: MailServer
    context: ssl.SSLContext

    def handle(self) -> None:
        self.socket, self.is_encrypted = self.request, False
        try:
            if self.mail.tls == "implicit":
                self._encrypt()
            self._open_file()
            if self.mail.is_mute:
                self.file.read()
                return
            self._say("CONNECT", "220 mail.example.test ESMTP")
            while line := self.file.readline():
                command = line.decode("latin-1").strip()
                if not self._obey(command, command.split(" ", 1)[0].upper()):
                    return
        except (OSError, ssl.SSLError):
            return  # the client has gone

    def _open_file(self) -> None:
        self.file = self.socket.makefile("rb")

    def _encrypt(self) -> None:
        self.socket = self.context.wrap_socket(self.socket, server_side=True)
        self.is_encrypted = True

    def _say(self, command: str, usual: str) -> bool:
        """Returns whether the usual answer was given."""
        text = self.mail.answers.get(command, usual)
        self.socket.sendall(text.encode() + b"\r\n")
        return text == usual

    def _obey(self, line: str, verb: str) -> bool:
        """Answer one command; False ends the conversation."""
        if verb == self.mail.hangs_up_at:
            self.socket.close()
            return False
        if verb == "EHLO":
            offers = ["AUTH PLAIN LOGIN"] if self.is_encrypted or self.mail.tls == "none" else []
            if self.mail.tls == "starttls" and not self.is_encrypted:
                offers.append("STARTTLS")
            lines = ["mail.example.test", "8BITMIME", *offers]
            marks = ["250-"] * (len(lines) - 1) + ["250 "]
            usual = "\r\n".join(mark + text for mark, text in zip(marks, lines, strict=True))
            self._say(verb, usual)
        elif verb == "STARTTLS":
            if self._say(verb, "220 go ahead"):
                self._encrypt()
                self._open_file()
        elif verb == "AUTH":
            words = base64.b64decode(line.split(" ")[2]).decode().split("\0")
            if self._say(verb, "235 welcome"):
                self.mail.signed_in.append(":".join(words[1:]))
        elif verb == "RCPT":
            if self._say(verb, "250 ok"):
                self.mail.recipients.append(line.partition("<")[2].rpartition(">")[0])
        elif verb == "DATA":
            if self._say(verb, "354 go ahead"):
                return self._take_letter()
        else:
            self._say(verb, "221 bye" if verb == "QUIT" else "250 ok")
        return verb != "QUIT"

    def _take_letter(self) -> bool:
        lines = []
        while (line := self.file.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        if self.mail.hangs_up_at == "DATA.":
            self.socket.close()
            return False
        if self._say("DATA.", "250 taken"):
            letter = message_from_bytes(b"".join(lines), policy=default)
            self.mail.letters.append(cast(EmailMessage, letter))
            self.mail.was_encrypted.append(self.is_encrypted)
        return True


def make_certificate(folder: Path) -> Path:
    """A self-made certificate for 127.0.0.1, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    moment = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - datetime.timedelta(days=1))
        .not_valid_after(moment + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path
