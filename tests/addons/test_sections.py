"""Tagged sections: what lies outside of them survives byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.addons.project import sections

NEWLINES = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.lists(
    st.binary(max_size=20).filter(lambda line: b"\n" not in line and b"\r" not in line), max_size=6
)


def fill(content: bytes, tag: str, *lines: str) -> bytes:
    section = sections.find(content, tag)
    assert section is not None
    return sections.fill(content, section, lines)


class TestWhatIsASection:
    def test_the_opening_tag_may_carry_words(self) -> None:
        content = b"# <TAG>  # Warning: text inside is generated.\nold\n# </TAG> words\n"
        expected = b"# <TAG>  # Warning: text inside is generated.\nnew\n# </TAG> words\n"
        assert fill(content, "TAG", "new") == expected

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"# <TAG>\nold\n",
            b"old\n# </TAG>\n",
            b"# </TAG>\n# <TAG>\n",
            b"x = 1  # <TAG>\n# </TAG>\n",
            b"<TAG>\n</TAG>\n",
            b"# <tag>\n# </tag>\n",
            "# <TAG>\n# </TAG>\n".encode("utf-16"),
        ],
    )
    def test_without_both_tags_there_is_none(self, content: bytes) -> None:
        assert sections.find(content, "TAG") is None

    def test_another_tag_between_means_that_nobody_knows_what_is_whose(self) -> None:
        content = b"# <NPM>\n# <PYTHON>\nRUN x\n# </PYTHON>\n# </NPM>\n"
        assert sections.find(content, "NPM") is None
        assert sections.find(content, "PYTHON") is not None

    def test_the_first_pair_counts(self) -> None:
        content = b"# <T>\n1\n# </T>\n# <T>\n2\n# </T>\n"
        assert fill(content, "T", "x") == b"# <T>\nx\n# </T>\n# <T>\n2\n# </T>\n"

    def test_all_whole_sections_are_listed(self) -> None:
        content = b"# <A>\n# </A>\n# <OPEN>\n# <B>\n# </B>\n"
        assert sections.tags_in(content) == ["A", "B"]


class TestFilling:
    def test_the_indentation_of_the_opening_tag_is_kept(self) -> None:
        content = b"[\n    # <T>\n  old\n    # </T>\n]\n"
        assert fill(content, "T", "a", "", "b") == b"[\n    # <T>\n    a\n\n    b\n    # </T>\n]\n"

    def test_tabs_as_well(self) -> None:
        assert fill(b"\t# <T>\n\t# </T>", "T", "a") == b"\t# <T>\n\ta\n\t# </T>"

    @pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
    def test_line_ends_are_those_of_the_opening_tag(self, newline: bytes) -> None:
        content = newline.join([b"a", b"# <T>", b"old", b"# </T>", b"z"])
        assert fill(content, "T", "b") == newline.join([b"a", b"# <T>", b"b", b"# </T>", b"z"])

    def test_a_missing_final_line_end_stays_missing(self) -> None:
        assert fill(b"# <T>\n# </T>", "T", "a") == b"# <T>\na\n# </T>"

    def test_nothing_to_fill_in_leaves_the_two_tags(self) -> None:
        assert fill(b"# <T>\nold\n# </T>\n", "T") == b"# <T>\n# </T>\n"

    def test_a_byte_order_mark_and_latin_1_survive(self) -> None:
        content = b"\xef\xbb\xbf# <T>\n# </T>\n# caf\xe9 \xff\n"
        assert fill(content, "T", "é") == b"\xef\xbb\xbf# <T>\n\xc3\xa9\n# </T>\n# caf\xe9 \xff\n"


@given(before=LINES, inside=LINES, after=LINES, newline=NEWLINES, new=LINES, end=st.booleans())
def test_bytes_outside_never_change_and_twice_is_once(
    before: list[bytes],
    inside: list[bytes],
    after: list[bytes],
    newline: bytes,
    new: list[bytes],
    end: bool,
) -> None:
    lines = [*before, b"  # <T> words", *inside, b"# </T>", *after]
    content = newline.join(lines) + (newline if end else b"")
    section = sections.find(content, "T")
    if section is None:  # the lines made up a tag of their own
        return
    written = sections.fill(content, section, new)
    again = sections.find(written, "T")
    assert written.startswith(content[: section.start])
    assert written.endswith(content[section.end :])
    if again is not None and again.start == section.start:
        assert sections.outside(written, again) == sections.outside(content, section)
        assert sections.fill(written, again, new) == written


@pytest.mark.parametrize(
    "text", ["# </PYTHON>", "RUN x\n  #</a>", "a\r# <NPM>", "\ufeff# <X>", "# <X> words"]
)
def test_a_line_that_is_a_tag_is_told(text: str) -> None:
    assert sections.has_tag(text)


@pytest.mark.parametrize("text", ["RUN echo '# <X>'", "# a < b > c", "# like <TAG> is"])
def test_a_line_that_is_no_tag_is_none(text: str) -> None:
    assert not sections.has_tag(text)
