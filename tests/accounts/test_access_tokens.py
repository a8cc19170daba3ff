"""Access tokens: shown once, kept as a hash, ended by time or hand."""

from __future__ import annotations

import datetime
import re

import pytest

from app.accounts.operations import create_access_token
from app.accounts.queries import find_access_token
from app.errors import Invalid
from app.extensions import now
from tests.panel import ALICE, BOB, Panel, user_of


def make_token(panel: Panel, days: int | None = None) -> str:
    with panel.work():
        return create_access_token(user_of(ALICE), "laptop", days)[1]


def test_the_text_is_shown_once_and_kept_nowhere(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    page = client.post("/account/access-tokens/", data={"name": "laptop", "days": "30"}).text
    shown = set(re.findall(r"mb_[A-Za-z0-9_-]{43}", page))
    assert len(shown) == 1
    text = shown.pop()
    assert text not in client.get("/account/access-tokens/").text
    for file in (panel.settings.data_dir / "panel").iterdir():
        assert text.encode() not in file.read_bytes()
    with panel.reading():
        token = find_access_token(text)
        assert token and token.user.email == ALICE.email and text.startswith(token.hint)
        assert len(token.hint) < 10


@pytest.mark.parametrize("text", ["", "mb_", "mb_wrong", "\0", "x" * 100_000])
def test_other_texts_open_nothing(panel: Panel, text: str) -> None:
    make_token(panel)
    with panel.reading():
        assert find_access_token(text) is None


def test_a_token_ends_at_its_time(panel: Panel) -> None:
    text = make_token(panel, days=30)
    with panel.reading():
        soon, late = (now() + datetime.timedelta(days=30, seconds=s) for s in (-60, 1))
        assert find_access_token(text, soon)
        assert find_access_token(text, late) is None
    lasting = make_token(panel)
    with panel.reading():
        assert find_access_token(lasting, now() + datetime.timedelta(days=9999))


def test_a_revoked_token_opens_nothing(panel: Panel) -> None:
    text = make_token(panel)
    assert panel.client_of(BOB).post("/account/access-tokens/1/revoke/").status_code == 404
    with panel.reading():
        assert find_access_token(text)
    assert panel.client_of(ALICE).post("/account/access-tokens/1/revoke/").status_code == 303
    with panel.reading():
        assert find_access_token(text) is None


def test_a_token_needs_a_name(panel: Panel) -> None:
    with pytest.raises(Invalid), panel.work():
        create_access_token(user_of(ALICE), " ")
