"""Masking: a secret never reaches a log, in any of its encodings, however the stream is cut."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.adapters.lines import LONGEST_LINE, cut
from app.logs.masking import MASK, SHORTEST, LineMasker, Masker

secrets = st.text(
    # A secret made of what masks are made of cannot be told from one.
    alphabet=st.characters(
        codec="utf-8", exclude_categories=("Cc", "Zl", "Zp"), exclude_characters=MASK
    ),
    min_size=SHORTEST,
    max_size=40,
)
surroundings = st.text(alphabet="ab \nä{", max_size=60)
ENCODINGS = {
    "raw": lambda text: text,
    "url": lambda text: urllib.parse.quote(text, safe=""),
    "form": urllib.parse.quote_plus,
    "json": lambda text: json.dumps(text)[1:-1],
    "json utf-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
}


@settings(max_examples=300)
@given(
    secret=secrets,
    name=st.sampled_from(sorted(ENCODINGS)),
    before=surroundings,
    after=surroundings,
)
def test_no_encoding_of_a_secret_gets_through(
    secret: str, name: str, before: str, after: str
) -> None:
    shown = ENCODINGS[name](secret)
    masked = Masker([secret]).mask(f"{before}{shown}{after}")
    assert shown not in masked
    assert MASK in masked


@settings(max_examples=200)
@given(secret=secrets, place=st.integers(0, 2 * LONGEST_LINE + 100), width=st.integers(1, 20_000))
def test_no_part_of_a_secret_gets_through_at_the_border_of_a_piece(
    secret: str, place: int, width: int
) -> None:
    assume("." not in secret)
    line = "." * place + secret + "." * 100
    masker = LineMasker([secret], width)
    written = [text for text in map(masker.line, cut(line)) if text is not None]
    assert len(written) == 1
    assert set(written[0]) <= set("." + MASK + " …")
    assert masker.line("the next line") in ("the next line", "the next line"[:width] + " …")


@given(secret=secrets, before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_base64_is_masked_in_all_three_alignments(secret: str, before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = encode(before + secret.encode() + after).decode()
        masked = Masker([secret]).mask(shown)
        assert MASK in masked
        rest = masked.replace(MASK, "")
        assert len(rest) <= len(shown) - (len(secret.encode()) * 8 // 6 - 2)


@given(text=st.text(max_size=200))
def test_text_without_secrets_passes_unchanged(text: str) -> None:
    assume("unlikely-secret" not in text)
    assert Masker(["unlikely-secret"]).mask(text) == text
    assert Masker([]).mask(text) == text


@pytest.mark.parametrize("secret", ["", "a", "on", "1234567"])
def test_short_values_are_left_alone(secret: str) -> None:
    assert Masker([secret]).mask("turn it on, 1234567 times") == "turn it on, 1234567 times"


def test_a_secret_that_contains_another_is_masked_whole() -> None:
    masked = Masker(["abcdefgh", "abcdefgh-and-more"]).mask("x abcdefgh-and-more y abcdefgh z")
    assert masked == f"x {MASK} y {MASK} z"


def test_secrets_with_letters_of_patterns_are_taken_literally() -> None:
    assert Masker(["a.*b[c]+(d)"]).mask("a.*b[c]+(d) axxb[c]+(d)") == f"{MASK} axxb[c]+(d)"


def test_each_line_of_a_secret_of_several_lines_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----"
    masker = LineMasker([key], 200)
    for text in (key, *key.splitlines()):
        assert "MIIEvQIBADANBg" not in str(masker.line(text))
