"""The program of `cipher`: `python -I cipher_process.py encrypt|decrypt`, from its standard input
to its standard output. The first line are the keys, with a space between them. It knows nothing of
the panel, so that it is there in a few hundredths of a second, with 10 MB.
"""

from __future__ import annotations

import signal
import sys

import pyrage

UNOPENABLE = 3
"""How it ends when no key opens what came, or it is damaged."""
BLOCK = 256 * 1024


def main(direction: str) -> int:
    """Work until the input ends. Whoever started it stops it by closing the pipes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody reads any more: end without a word
    with open(0, "rb", buffering=BLOCK) as source, open(1, "wb", buffering=BLOCK) as target:
        keys = source.readline().decode().split()
        if direction == "encrypt":
            recipients = [pyrage.x25519.Recipient.from_str(key) for key in keys]
            pyrage.encrypt_io(source, target, recipients)
            return 0
        identities = [pyrage.x25519.Identity.from_str(key) for key in keys]
        try:
            pyrage.decrypt_io(source, target, identities)
        except (pyrage.DecryptError, OSError):  # the library's words for damage further on
            return UNOPENABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
