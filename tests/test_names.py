"""Names, slugs and addresses: whatever a person types is either kept well-formed or refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app import names
from app.errors import Invalid

HOSTILE = [
    "",
    "   ",
    "a\0b",
    "\u202egnp.exe",
    "zero\u200bwidth",
    "soft\u00adhyphen",
    "line\nbreak",
    "tab\tbed",
    "lone\ud800surrogate",
    "\u2066isolated\u2069",
    "x" * 10_000,
    "private\ue000use",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_names_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        names.clean_name(text)
    assert refused.value.field == "name" and refused.value.sentence.endswith(".")


def test_names_are_kept_composed_trimmed_and_single_spaced() -> None:
    assert names.clean_name("  Cafe\u0301   Luna ") == "Café Luna"
    assert names.clean_name("../../etc") == "../../etc"  # a name is shown, never a path
    assert names.clean_name("<b>月 🌙</b>") == "<b>月 🌙</b>"


@given(st.text())
def test_a_kept_name_is_kept_as_it_is_the_second_time(text: str) -> None:
    try:
        kept = names.clean_name(text)
    except Invalid:
        return
    assert names.clean_name(kept) == kept
    assert 1 <= len(kept) <= names.NAME_LENGTH
    assert unicodedata.is_normalized("NFC", kept) and "  " not in kept


@pytest.mark.parametrize(
    "text",
    ["", "-a", "a-", "a--b", "A", "a_b", "a.b", "../a", "a/b", "ä", "a\0", "a b", "١", "x" * 41],
    ids=ascii,
)
def test_bad_slugs_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        names.clean_slug(text)
    assert refused.value.field == "slug"


@pytest.mark.parametrize("text", ["a", "a-b", "0", "x" * 40, " trimmed "])
def test_good_slugs_are_kept(text: str) -> None:
    assert names.clean_slug(text) == text.strip()


@given(st.text())
@example("a\n")
def test_a_slug_can_be_a_host_name(text: str) -> None:
    try:
        slug = names.clean_slug(text)
    except Invalid:
        return
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert "--" not in slug and slug.strip("-") == slug and 0 < len(slug) <= 40


@given(st.text())
def test_a_suggested_slug_is_good_or_empty(name: str) -> None:
    slug = names.suggest_slug(name)
    assert slug == "" or names.clean_slug(slug) == slug


def test_slugs_are_suggested_from_names() -> None:
    assert names.suggest_slug("Zoë’s Café") == "zoes-cafe"
    assert names.suggest_slug("月") == ""


@pytest.mark.parametrize("slug", sorted(names.RESERVED_SLUGS))
def test_reserved_slugs_are_refused(slug: str) -> None:
    with pytest.raises(Invalid, match="reserved"):
        names.clean_application_slug(slug)


def test_environment_names_have_20_characters() -> None:
    assert names.clean_environment_slug("x" * 20)
    with pytest.raises(Invalid, match="at most 20"):
        names.clean_environment_slug("x" * 21)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a@", "@b.de", "a@b", "a b@c.de", "a\0@b.de", "a@b.de\u200b"),
        *(f"{'x' * 250}@b.de", "a@b.de,c@d.de", "a@b@c.de", '"a"@b.de', "a<b@c.de"),
    ],
)
def test_bad_addresses_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        names.clean_email(text)


def test_addresses_are_compared_casefolded_and_composed() -> None:
    assert names.clean_email(" ALICE@Example.COM ") == "alice@example.com"
    assert names.clean_email("cafe\u0301@example.com") == names.clean_email("CAFÉ@example.com")
