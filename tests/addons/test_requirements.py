"""`requirements.in`."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.addons.project import requirements, sections
from app.addons.project.requirements import Asked, Served, change, name_of, names_by_hand
from app.errors import Invalid

UUID = "0b54f1c2-7a0e-4a2b-9d1e-3f5a6b7c8d9e"
BUCKET = "https://packages.example.com/aldryn-cloud/addons"
CMS = f"{BUCKET}/aldryn-django-cms/3.4.5.0/{UUID}/aldryn-django-cms-3.4.5.0.tar.gz"
CMS_LINE = f"{CMS}#egg=aldryn-django-cms==3.4.5.0"
TEMPLATE = f"""\
# <INSTALLED_ADDONS>  # Warning: text inside the INSTALLED_ADDONS tags is auto-generated.
{BUCKET}/aldryn-addons/1.0.2/{UUID}/aldryn-addons-1.0.2.tar.gz#egg=aldryn-addons==1.0.2
{CMS_LINE}
# </INSTALLED_ADDONS>
requests==2.32.0
""".encode()
NEWS = Served("newsblog", "1.2", UUID)
LINE = NEWS.line("http://panel.example.com")


def lines(content: bytes) -> list[str]:
    section = sections.find(content, requirements.TAG)
    assert section is not None
    return [line.decode() for line in sections.lines_in(content, section)]


def test_the_address_of_a_served_package() -> None:
    assert (
        f"http://panel.example.com/api/v1/apps/serve/newsblog/1.2/{UUID}/newsblog-1.2.tar.gz"
        "#egg=newsblog==1.2"
    ) == LINE


class TestChange:
    def test_the_line_stands_in_its_place(self) -> None:
        content = change(TEMPLATE, packages={"newsblog": LINE, "aldryn-django": "aldryn-django==5"})
        assert [name_of(line) for line in lines(content)] == [
            "aldryn-addons",
            "aldryn-django",
            "aldryn-django-cms",
            "newsblog",
        ]

    def test_a_new_version_takes_the_place_of_the_old(self) -> None:
        once = change(TEMPLATE, packages={"newsblog": LINE})
        newer = Served("newsblog", "1.3", UUID).line("http://panel.example.com")
        assert change(once, packages={"newsblog": newer}) == once.replace(
            LINE.encode(), newer.encode()
        )

    def test_removed_is_as_before(self) -> None:
        once = change(TEMPLATE, packages={"newsblog": LINE})
        assert change(once, packages={}, removed=["newsblog"]) == TEMPLATE

    def test_a_line_of_addons_dev_stands_for_the_package_and_stays(self) -> None:
        line = "-e /app/addons-dev/newsblog"
        content = TEMPLATE.replace(b"# </INST", f"{line}\n# </INST".encode())
        assert change(content, packages={"newsblog": LINE}) == content
        assert change(content, packages={}, removed=["newsblog"]) == content

    def test_also_where_it_was_appended_behind_the_tags(self) -> None:
        content = TEMPLATE + b"-e /app/addons-dev/newsblog\n"
        assert change(content, packages={"newsblog": LINE}) == content

    def test_what_people_ask_for_themselves_is_not_repeated(self) -> None:
        content = TEMPLATE + b"Gunicorn==20\n"
        changed = change(content, packages={}, asked=[Asked("django", "gunicorn==23.0.0")])
        assert changed == content
        assert names_by_hand(content) == {"requests", "gunicorn"}

    def test_lines_that_addons_ask_for_say_for_whom(self) -> None:
        asked = [Asked("django", "gunicorn==23"), Asked("celery", "gunicorn==23")]
        once = change(TEMPLATE, packages={}, asked=asked)
        assert lines(once)[-1] == "gunicorn==23  # for celery, django"
        assert lines(change(once, packages={}, asked=asked[:1]))[-1] == "gunicorn==23  # for django"
        assert change(once, packages={}, asked=[]) == TEMPLATE

    def test_options_and_addresses_without_a_name_are_kept(self) -> None:
        odd = ["--extra-index-url https://example.com/simple", "https://example.com/x.zip"]
        content = TEMPLATE.replace(b"# </INST", "\n".join([*odd, "# </INST"]).encode())
        assert lines(change(content, packages={}))[:2] == odd

    def test_without_tags_nothing_changes(self) -> None:
        assert change(b"requests\n", packages={"newsblog": LINE}) == b"requests\n"

    @given(
        outside=st.binary(max_size=60),
        names=st.lists(st.sampled_from(["a", "b-c", "aldryn-sso", "d_e"]), max_size=4),
    )
    def test_outside_survives_and_twice_is_once(self, outside: bytes, names: list[str]) -> None:
        content = TEMPLATE + outside
        packages = {name: f"{name}==1" for name in names}
        asked = [Asked("x", "zlib-ng==1")]
        once = change(content, packages=packages, asked=asked)
        section, written = (sections.find(one, requirements.TAG) for one in (content, once))
        assert section is not None
        assert written is not None
        assert sections.outside(once, written) == sections.outside(content, section)
        assert change(once, packages=packages, asked=asked) == once


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (CMS_LINE, "aldryn-django-cms"),
        ("-e /app/addons-dev/Susan_Example", "susan-example"),
        ("--editable=addons-dev/x/", "x"),
        ("-e /app/addons-dev/x  # local", "x"),
        ("Django[argon2]>=4,<5 ; python_version > '3'", "django"),
        ("x @ https://example.com/x.zip", "x"),
        ("x", "x"),
        ("-r other.txt", None),
        ("# x==1", None),
        ("https://example.com/x.zip", None),
        ("git+https://example.com/x.git#subdirectory=y&egg=x", "x"),
        ("./local/x.tar.gz", None),
        ("", None),
    ],
)
def test_which_package_a_line_installs(line: str, name: str | None) -> None:
    assert name_of(line) == name


@pytest.mark.parametrize(
    "line", ["--index-url https://evil.example.com", "-e .", "a\nb", "# <X>", "", "a==1  # for b"]
)
def test_an_addon_asks_for_requirements_only(line: str) -> None:
    with pytest.raises(Invalid, match="“greedy”"):
        requirements.check(Asked("greedy", line))


class TestLocalPackages:
    PATHS = {UUID: "/app/.moonbase/packages/newsblog-1.2.tar.gz"}  # noqa: RUF012

    def test_only_known_addresses_of_the_panel_are_replaced(self) -> None:
        content = change(TEMPLATE, packages={"newsblog": LINE})
        assert requirements.served_uuids(content) == [UUID]
        local = requirements.with_local_packages(content, self.PATHS)
        expected = b"newsblog @ file:///app/.moonbase/packages/newsblog-1.2.tar.gz"
        assert local == content.replace(LINE.encode(), expected)
        assert requirements.with_local_packages(content, {}) == content

    def test_a_pinned_line_keeps_its_name_and_what_follows(self) -> None:
        address = LINE.split("#")[0]
        content = f"newsblog @ {address} ; python_version > '3'\r\n".encode()
        assert requirements.with_local_packages(content, self.PATHS) == (
            b"newsblog @ file:///app/.moonbase/packages/newsblog-1.2.tar.gz"
            b" ; python_version > '3'\r\n"
        )

    @pytest.mark.parametrize("part", [b"a", b"http://", b"#", b"#&", b"-e addons-dev/", b"\xff"])
    def test_endless_lines_cost_no_time(self, part: bytes) -> None:
        content = TEMPLATE.replace(b"requests", part * 200_000 + b"\nrequests")
        content = content.replace(b"</INST", part * 200_000 + b"\n# </INST")
        began = time.process_time()
        assert requirements.served_uuids(content) == []
        requirements.with_local_packages(content, self.PATHS)
        change(content, packages={"newsblog": LINE})
        assert time.process_time() - began < 2
