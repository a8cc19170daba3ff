"""Mail as files: each letter one `.eml` in a folder, for machines without a mail server."""

from __future__ import annotations

import os
from pathlib import Path

from app.adapters.mail import Letter
from app.adapters.mail.composing import compose
from app.errors import Unavailable


class FileMailer:
    """Writes letters into `folder`, which is made when missing; only its owner may read them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, letter: Letter) -> None:
        """A file appears whole or not at all; the same letter again replaces its own file."""
        # As it stands: whoever opens the file copies the link out of it, which "=" would break.
        content = compose(letter, "8bit").as_bytes()
        name = f"{letter.written_at:%Y%m%dT%H%M%S}-{letter.key}.eml"
        draft = self._folder / f".{name}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            draft.replace(self._folder / name)
        except OSError as error:
            raise Unavailable(f"The letter could not be written: {error.strerror}.") from error
