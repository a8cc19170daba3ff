"""What workers are asked to do for people's accounts. A job carries numbers and names only."""

from __future__ import annotations

from app.accounts.password_resets import send_password_reset as send
from app.transactions import unit_of_work


def send_password_reset(email: str) -> None:
    """Mail a link to whoever has the address, if anybody has."""
    with unit_of_work():
        send(email)
