"""A mailer in memory, for tests: it keeps what it takes, and can be told to fail."""

from __future__ import annotations

from app.adapters.mail import Letter
from app.adapters.mail.composing import compose
from app.errors import Unavailable


class FakeMailer:
    """`letters` are those taken; `failure` is raised instead of taking one, while it is set."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.failure: Unavailable | None = None

    def send(self, letter: Letter) -> None:
        if self.failure:
            raise self.failure
        compose(letter)
        self.letters.append(letter)
