"""The Dockerfile's sections, as the documentation has them, and what fragments may not hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.addons.api import Fragment, Slot
from app.addons.project import dockerfile, fragments, sections
from app.addons.project.dockerfile import refresh
from app.addons.project.fragments import Given
from app.errors import Invalid
from base_images.recipes import RECIPES

EMPTY = b"".join(b"# <%b>\n# </%b>\n\n" % (tag, tag) for tag in map(str.encode, dockerfile.TAGS))
DOCUMENTED = {
    "WARNING": """\
# Everything within sections like <TAG> is generated and can
# be automatically replaced on deployment. You can disable
# this functionality by simply removing the wrapping tags.
""",
    "NPM": """\
# package.json is put into / so that mounting /app for local
# development does not require re-running npm install
ENV PATH=/node_modules/.bin:$PATH
COPY package.json /
RUN (cd / && npm install --production && rm -rf /tmp/*)
""",
    "BOWER": """\
COPY bower.json .bowerrc /app/
RUN bower install \\
    --verbose \\
    --allow-root \\
    --config.interactive=false
""",
    "SOURCE": "COPY . /app\n",
    "GULP": "ENV GULP_MODE=production\nRUN gulp build\n",
    "STATIC": "RUN DJANGO_MODE=build python manage.py collectstatic --noinput\n",
}
"""Documentation, “The Dockerfile in Aldryn Django applications”."""


def held(content: bytes, tag: str) -> str:
    section = sections.find(content, tag)
    assert section is not None
    return content[section.start : section.end].decode()


def fragment(text: str, slot: Slot = Slot.NODE, addon: str = "some", order: int = 100) -> Given:
    return Given(addon, Fragment(slot, text, order))


class TestSections:
    @pytest.mark.parametrize(
        ("paths", "filled"),
        [
            (set(), {"WARNING", "SOURCE", "STATIC"}),
            ({"package.json"}, {"WARNING", "NPM", "SOURCE", "STATIC"}),
            ({"bower.json"}, {"WARNING", "SOURCE", "STATIC"}),
            ({"bower.json", ".bowerrc"}, {"WARNING", "BOWER", "SOURCE", "STATIC"}),
            ({"gulpfile.js"}, {"WARNING", "GULP", "SOURCE", "STATIC"}),
            ({"front/package.json", "front/gulpfile.js"}, {"WARNING", "SOURCE", "STATIC"}),
            ({"requirements.in"}, {"WARNING", "DOCKER_FROM", "PYTHON", "SOURCE", "STATIC"}),
            ({"requirements.txt"}, {"WARNING", "SOURCE", "STATIC"}),
        ],
    )
    def test_each_is_filled_when_documented(self, paths: set[str], filled: set[str]) -> None:
        content = refresh(EMPTY, paths).content
        assert {tag for tag in dockerfile.TAGS if held(content, tag)} == filled
        for tag in filled & DOCUMENTED.keys():
            assert held(content, tag) == DOCUMENTED[tag]

    def test_python_installs_with_pip_itself(self) -> None:
        content = refresh(EMPTY, {"requirements.in", "manage.py"}).content
        assert held(content, "DOCKER_FROM") == f"FROM {RECIPES['python'].tag}\n"
        assert held(content, "PYTHON") == (
            "COPY requirements.* /app/\nRUN pip install --requirement /app/requirements.in\n"
        )

    def test_a_pinned_list_is_installed_as_it_is(self) -> None:
        paths = {"requirements.in", "requirements.txt", "addons-dev/.empty"}
        assert held(refresh(EMPTY, paths, has_packages=True).content, "PYTHON") == (
            "COPY requirements.* /app/\n"
            "COPY addons-dev /app/addons-dev/\n"
            "COPY .moonbase/packages /app/.moonbase/packages/\n"
            "RUN pip install --requirement /app/requirements.txt\n"
        )

    def test_the_base_image_of_the_site_stays(self) -> None:
        base = b"# <DOCKER_FROM>\nFROM aldryn/base-project:py3-3.23\n# </DOCKER_FROM>\n"
        assert refresh(base, {"requirements.in"}).content == base

    def test_what_a_boilerplate_brings_for_node_stays(self) -> None:
        node = b"# <NODE>\nADD build /stack/boilerplate\nENV A=1 \\\n    B=2\n# </NODE>\n"
        assert refresh(node, set()).content == node
        added = refresh(node, set(), [fragment("ENV C=3")]).content
        assert held(added, "NODE").endswith("    B=2\n# Added by some:\nENV C=3\n")
        assert refresh(added, set()).content == node

    def test_the_one_placeholder_of_old_sites_stands_for_the_build(self) -> None:
        old = b"# <DOCKER_FROM>\nFROM x\n# </DOCKER_FROM>\n# <DOCKER_BUILD>\n# </DOCKER_BUILD>\n"
        paths = {"package.json", "requirements.in", "gulpfile.js"}
        content = refresh(old, paths).content
        separate = refresh(EMPTY, paths).content
        whole = "".join(held(separate, tag) for tag in dockerfile.BUILD_TAGS)
        assert held(content, "DOCKER_BUILD") == whole
        assert refresh(content, paths).content == content

    def test_what_has_its_own_section_is_not_in_the_placeholder(self) -> None:
        old = b"# <DOCKER_BUILD>\n# </DOCKER_BUILD>\n# <STATIC>\n# </STATIC>\n"
        content = refresh(old, set()).content
        assert held(content, "DOCKER_BUILD") == DOCUMENTED["SOURCE"]

    def test_unknown_and_missing_tags_are_left_alone(self) -> None:
        content = b"FROM x\n# <MINE>\nRUN a\n# </MINE>\n"
        refreshed = refresh(content, {"package.json"}, [fragment("RUN b")])
        assert refreshed.content == content
        assert not refreshed.has_sections

    def test_which_section_an_addon_misses_is_told(self) -> None:
        content = b"# <SOURCE>\n# </SOURCE>\n"
        given = [fragment("RUN b", Slot.SYSTEM), fragment("RUN c", Slot.NPM)]
        assert refresh(content, set(), given).missing == ("DOCKER_FROM", "NPM")

    def test_a_file_with_another_escape_character_is_left_alone(self) -> None:
        content = b"# escape=`\n" + EMPTY
        assert not refresh(content, set(), [fragment("RUN `x`")]).has_sections

    def test_indentation_line_ends_and_odd_bytes_survive(self) -> None:
        content = b"\xef\xbb\xbf# \xe9\r\n  # <SOURCE> words\r\n  # </SOURCE>"
        expected = b"\xef\xbb\xbf# \xe9\r\n  # <SOURCE> words\r\n  COPY . /app\r\n  # </SOURCE>"
        assert refresh(content, set()).content == expected

    @given(
        outside=st.binary(max_size=60),
        paths=st.sets(
            st.sampled_from(
                sorted(["package.json", "bower.json", ".bowerrc", "requirements.in", "gulpfile.js"])
            )
        ),
    )
    @settings(max_examples=50)
    def test_twice_is_once(self, outside: bytes, paths: set[str]) -> None:
        given = [fragment("FROM a", Slot.DOCKER_FROM), fragment("RUN b", Slot.SYSTEM, "b")]
        once = refresh(EMPTY + outside, paths, given).content
        assert once.endswith(outside)
        assert refresh(once, paths, given).content == once


class TestFragments:
    def test_each_goes_into_its_section_by_its_order(self) -> None:
        given = [
            fragment("RUN last", Slot.NPM, "a"),
            fragment("RUN second", Slot.NPM, "b", 50),
            fragment("RUN first", Slot.NPM, "c", -1),
        ]
        content = refresh(EMPTY, {"package.json"}, given).content
        assert held(content, "NPM") == (
            "# Added by c:\nRUN first\n"
            + DOCUMENTED["NPM"]
            + "# Added by b:\nRUN second\n# Added by a:\nRUN last\n"
        )

    def test_the_base_of_an_addon_and_packages_of_the_system_behind_it(self) -> None:
        given = [
            fragment("RUN apt-get install x", Slot.SYSTEM, "sys"),
            fragment("FROM moonbase/python:3.11\n", Slot.DOCKER_FROM, "django"),
        ]
        content = refresh(EMPTY, {"manage.py"}, given).content
        assert held(content, "DOCKER_FROM") == (
            "# Added by django:\nFROM moonbase/python:3.11\n"
            "# Added by sys:\nRUN apt-get install x\n"
        )

    def test_a_site_keeps_its_image_when_that_addon_goes(self) -> None:
        given = [fragment("FROM php:8\nWORKDIR /x", Slot.DOCKER_FROM, "php")]
        content = refresh(EMPTY, set(), given).content
        assert held(refresh(content, set()).content, "DOCKER_FROM") == "FROM php:8\n"

    def test_what_a_section_has_of_its_own_survives_what_goes_before_it(self) -> None:
        content = b"# <NODE>\nENV NODE=18\n# </NODE>\n"
        given = [fragment("RUN a", order=-1), fragment("RUN b")]
        once = refresh(content, set(), given).content
        assert held(once, "NODE").index("RUN a") < held(once, "NODE").index("ENV NODE=18")
        assert refresh(once, set(), given).content == once
        assert refresh(once, set()).content == content

    def test_no_other_addon_chooses_the_image_then(self) -> None:
        given = [
            fragment("FROM php:8", Slot.DOCKER_FROM, "php"),
            fragment("RUN echo \\\n    FROM evil", Slot.SYSTEM, "greedy"),
        ]
        content = refresh(EMPTY, set(), given).content
        assert held(refresh(content, set()).content, "DOCKER_FROM") == "FROM php:8\n"

    def test_two_addons_cannot_both_say_what_the_site_is_built_on(self) -> None:
        given = [fragment("FROM a", Slot.DOCKER_FROM, name) for name in ("one", "two")]
        with pytest.raises(Invalid, match="“one” and “two”"):
            refresh(EMPTY, set(), given)

    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            ("RUN a\n# </PYTHON>\nFROM evil", 2, "section"),
            ("RUN a\n  #  <MINE> x", 2, "section"),
            ("RUN a\nFROM evil", 2, "another image"),
            ("  from evil", 1, "another image"),
            ("FR\\\nOM evil", 1, "another image"),
            ("RUN a \\\n# words\n\n  b\nFROM evil", 5, "another image"),
            ("ONBUILD ENTRYPOINT x", 1, "ENTRYPOINT"),
            ('entrypoint ["x"]', 1, "ENTRYPOINT"),
            ("RUN a \\", 1, "go on"),
            ("RUN a \\  \n# words\n", 1, "go on"),
            ("# escape=`", 1, "read"),
            ("#syntax = evil/parser", 1, "read"),
            ("RUN a\0", 1, "character"),
            ("RUN a\r\nFROM evil", 1, "character"),
            ("RUN <<EOF\nx", 1, "here-document"),
            ("RUN <<1\nx", 1, "here-document"),
            ("RUN sh <<\\E", 1, "here-document"),
            ("RUN cat <\\\n<EOF", 1, "here-document"),
            ("RUN a \\\\\nFROM evil", 1, "two backslashes"),
            ("RUN a \\\n# Of the site itself:\nFROM evil", 2, "mark of the panel"),
            ("# added by others:", 1, "mark of the panel"),
            ("ENTRYPOİNT x", 1, "no instruction"),
            ("ONBUILD ONBUILD ENTRYPOINT x", 1, "ENTRYPOINT"),
        ],
    )
    def test_what_reaches_out_of_its_section_is_refused(
        self, text: str, line: int, words: str
    ) -> None:
        with pytest.raises(Invalid, match=f"“greedy”, line {line} .*{words}"):
            fragments.check(fragment(text, Slot.PYTHON, "greedy"))

    @pytest.mark.parametrize(
        "text",
        [
            "RUN apt-get update \\\n && apt-get install x",
            "RUN echo 'FROM here' >> x",
            "RUN export A=`date`",
            "RUN cat <<<words",
            "# words about FROM\nCOPY --from=0 a b",
            'CMD ["x"]',
            "",
        ],
    )
    def test_ordinary_ones_are_taken(self, text: str) -> None:
        fragments.check(fragment(text))

    def test_a_base_image_may_be_named_where_it_belongs(self) -> None:
        fragments.check(fragment("ARG X=1\nFROM a:$X", Slot.DOCKER_FROM))
