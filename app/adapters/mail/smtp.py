"""Mail by SMTP, as `MOONBASE_MAIL_URL` says."""

from __future__ import annotations

import smtplib
import ssl
from urllib.parse import unquote, urlsplit

from app.adapters.mail import Letter
from app.adapters.mail.composing import compose
from app.errors import Invalid, Unavailable

SECONDS = 15
"""How long each answer of the server is waited for."""


class SMTPMailer:
    """`smtp://[user:password@]host[:port]` (with STARTTLS when there is a password, or the server
    offers it) or `smtps://…` (TLS from the start). Ports default to 587 and 465.

    `context` says which certificates are believed; left out, the system's authorities.
    """

    def __init__(
        self, url: str, context: ssl.SSLContext | None = None, seconds: float = SECONDS
    ) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise Invalid("The port of the mail URL is not a number.") from error
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise Invalid("The mail URL is smtp://… or smtps://… with a host.")
        self._is_tls = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = port or (465 if self._is_tls else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._context = context
        self._seconds = seconds

    def send(self, letter: Letter) -> None:
        """One connection a letter: a panel writes few."""
        message = compose(letter)
        try:
            server = self._connect()
            try:
                self._introduce(server)
                server.send_message(message)
            finally:
                _hang_up(server)
        except smtplib.SMTPRecipientsRefused as error:
            raise _by_code(max(code for code, _ in error.recipients.values())) from error
        except smtplib.SMTPAuthenticationError as error:
            # The operator's to mend, and not the letter's fault: it leaves once that is done.
            raise Unavailable("The mail server refuses the panel's user name.") from error
        except (smtplib.SMTPConnectError, smtplib.SMTPHeloError) as error:
            raise Unavailable("The mail server does not talk to the panel.") from error
        except smtplib.SMTPResponseException as error:
            raise _by_code(error.smtp_code) from error
        except smtplib.SMTPNotSupportedError as error:
            raise Unavailable(
                "The mail server cannot take this address or sign-in.", retry=False
            ) from error
        except ssl.SSLError as error:
            raise Unavailable("The mail server's certificate is not to be trusted.") from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable("The mail server does not answer as it should.") from error

    def _connect(self) -> smtplib.SMTP:
        if not self._is_tls:
            return smtplib.SMTP(self._host, self._port, timeout=self._seconds)
        context = self._context or ssl.create_default_context()
        return smtplib.SMTP_SSL(self._host, self._port, timeout=self._seconds, context=context)

    def _introduce(self, server: smtplib.SMTP) -> None:
        """Encrypt where the server can, and sign in; a password never goes in the clear."""
        server.ehlo_or_helo_if_needed()
        if not self._is_tls and server.has_extn("starttls"):
            server.starttls(context=self._context or ssl.create_default_context())
        elif not self._is_tls and self._password:
            raise Unavailable("The mail server offers no TLS; the password is not sent.")
        if self._user:
            server.login(self._user, self._password)


def _hang_up(server: smtplib.SMTP) -> None:
    """Say good-bye as manners ask. The letter is taken already: what goes wrong now is no failure
    of it, and must not have it sent again."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()


def _by_code(code: int) -> Unavailable:
    """5xx is final, 4xx passes (RFC 5321, 4.2.1)."""
    if 500 <= code < 600:
        return Unavailable(f"The mail server refused the letter ({code}).", retry=False)
    return Unavailable(f"The mail server asks to try again later ({code}).")
