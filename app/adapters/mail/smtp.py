"""Mail by SMTP, as `MOONBASE_MAIL_URL` says."""

from __future__ import annotations

import smtplib
import ssl
from urllib.parse import unquote, urlsplit

from app.adapters.mail import Letter, compose
from app.errors import Invalid, Unavailable

SECONDS = 15


class SMTPMailer:
    """`smtp://[user:password@]host[:port]` (with STARTTLS when there is a password, or the server
    offers it) or `smtps://…` (TLS from the start). Ports default to 587 and 465."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise Invalid("The mail URL is smtp://… or smtps://… with a host.")
        self._is_tls = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or (465 if self._is_tls else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")

    def send(self, letter: Letter) -> None:
        """One connection a letter: a panel writes few."""
        try:
            with self._connect() as server:
                server.send_message(compose(letter))
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused) as error:
            raise _verdict(error) from error
        except smtplib.SMTPResponseException as error:
            raise _by_code(error.smtp_code) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable("The mail server does not answer as it should.") from error

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=SECONDS, context=context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=SECONDS)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif self._password:
                server.close()
                raise Unavailable("The mail server offers no TLS; the password is not sent.")
        if self._user:
            server.login(self._user, self._password)
        return server


def _verdict(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPSenderRefused) -> Unavailable:
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _by_code(error.smtp_code)
    return _by_code(max(code for code, _ in error.recipients.values()))


def _by_code(code: int) -> Unavailable:
    """5xx is final, 4xx passes (RFC 5321, 4.2.1)."""
    if 500 <= code < 600:
        return Unavailable(f"The mail server refused the letter ({code}).", retry=False)
    return Unavailable(f"The mail server asks to try again later ({code}).")
