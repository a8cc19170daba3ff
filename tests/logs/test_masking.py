"""Masking: a secret never reaches a log, in any of its encodings, however the stream is cut."""

from __future__ import annotations

import base64
import itertools
import json
import urllib.parse

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.logs.masking import MASK, SHORTEST, Masker

SECRET = 'open/sesame?"4711"+ä&b=c'
secrets = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")),
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


def stream(masker: Masker, pieces: list[str]) -> str:
    return "".join([*map(masker.feed, pieces), masker.flush()])


def cut_at(text: str, cuts: list[int]) -> list[str]:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(places)]


@settings(max_examples=300)
@given(
    secret=secrets,
    name=st.sampled_from(sorted(ENCODINGS)),
    before=surroundings,
    after=surroundings,
    cuts=st.lists(st.integers(0, 300), max_size=12),
)
def test_no_encoding_of_a_secret_gets_through_however_it_is_cut(
    secret: str, name: str, before: str, after: str, cuts: list[int]
) -> None:
    shown = ENCODINGS[name](secret)
    text = f"{before}{shown}{after}"
    masked = stream(Masker([secret]), cut_at(text, cuts))
    assert shown not in masked
    assert MASK in masked
    assert masked == Masker([secret]).mask(text)


@given(secret=secrets, before=st.binary(max_size=9), after=st.binary(max_size=9), cut=st.integers())
def test_base64_is_masked_in_all_three_alignments(
    secret: str, before: bytes, after: bytes, cut: int
) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = encode(before + secret.encode() + after).decode()
        place = cut % (len(shown) + 1)
        masked = stream(Masker([secret]), [shown[:place], shown[place:]])
        assert MASK in masked
        rest = masked.replace(MASK, "")
        assert len(rest) <= len(shown) - (len(secret.encode()) * 8 // 6 - 2)


@given(text=st.text(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_text_without_secrets_passes_unchanged(text: str, cuts: list[int]) -> None:
    assume("unlikely-secret" not in text)
    assert stream(Masker(["unlikely-secret"]), cut_at(text, cuts)) == text
    assert stream(Masker([]), cut_at(text, cuts)) == text


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
    for pieces in ([key], key.splitlines(keepends=True), list(key)):
        assert "MIIEvQIBADANBg" not in stream(Masker([key]), pieces)


def test_a_whole_line_goes_out_at_once() -> None:
    masker = Masker([SECRET])
    assert masker.feed("a line\nhalf a l") == "a line\n"
    assert masker.feed("ine\n") == "half a line\n"
    assert masker.flush() == ""


def test_a_stream_goes_on_after_a_pause() -> None:
    masker = Masker([SECRET])
    assert masker.feed("progress 10 %") + masker.flush() == "progress 10 %"
    assert masker.feed(f" {SECRET}") + masker.flush() == f" {MASK}"
