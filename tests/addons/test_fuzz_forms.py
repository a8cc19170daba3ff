"""Anything at all sent to the forms of packages as real ones are: never a 500, never a traceback on
a page, and what is saved can be shown again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.adapters.sandbox import Question, SandboxFailed, Topic
from app.adapters.sandbox.choosing import choose_sandbox
from app.addons.installing import carry_out, plan_install
from app.addons.models import Addon, AddonVersion, Audience, PackageKind
from app.addons.queries import find_addon
from app.addons.questions import describe
from app.web.extensions import limiter
from tests.addons.flavours import laravel
from tests.addons.generated_packages import Broken, GeneratedPackage, generate_packages
from tests.addons.samples import make_addon
from tests.panel import ALICE, Panel, application, copy_panel, organisation, user_of
from tests.publishing.sample import commit_files, hidden

PACKAGES = generate_packages(40)
KINDS = ("CharField", "CheckboxField", "NumberField", "SelectField", "PositiveField")
ANSWERS = {200, 303, 400, 409}
FORM = "application/x-www-form-urlencoded"


def by_kind() -> list[GeneratedPackage]:
    """For each kind of field the package that has most of it, and one that cleans as a whole."""
    usable = [package for package in generate_packages(200) if package.loads and package.fields]
    found = [
        max(usable, key=lambda one: one.source.count(f"= forms.{kind}(")) for kind in KINDS[:-1]
    ]
    found += [max(usable, key=lambda one: one.source.count(f"= {KINDS[-1]}("))]
    found += [max(usable, key=lambda one: one.source.count("def clean(self):"))]
    return list({package.name: package for package in found}.values())


INSTALLED = by_kind()
STRANGE = st.sampled_from(
    [
        "",
        " ",
        "0",
        "-1",
        "+7",
        "1e999",
        "9" * 400,
        "²",
        "９",
        "NaN",
        "true",
        "y",
        "refused",
        "[]",
        '["a", "b"]',
        "a, b,, c",
        "one",
        "\0",
        "\r\n",
        "\ud800",
        "\u202e",
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "../../etc/passwd",
        "x" * 30_000,
    ]
)
VALUES = STRANGE | st.text(st.characters(), max_size=40) | st.integers().map(str)


@pytest.fixture(scope="module")
def site(
    panel_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Panel, FlaskClient]]:
    """`demo` with all of `INSTALLED` and a Flavours addon, and Alice's browser."""
    panel = copy_panel(panel_template, tmp_path_factory.mktemp("fuzz") / "data")
    with panel.work():
        commit_files(application(), panel.store, {"static/sign.svg": b"<svg/>"})
    for package in INSTALLED:
        install(panel, package)
    laravel.install(panel, laravel.ADDON)
    yield panel, panel.client_of(ALICE)
    panel.close()


def install(panel: Panel, package: GeneratedPackage) -> None:
    with panel.reading():
        described = describe(PackageKind.ALDRYN, package.source)
    with panel.work():
        addon = make_addon(organisation(), user_of(ALICE), package.name, Audience.PUBLIC)
        version = AddonVersion(
            version=package.version,
            kind=PackageKind.ALDRYN,
            form=msgspec.to_builtins(described.fields),
            facts={"needs": [], "warnings": [], "has_package": True},
            texts={"addon_json": package.addon_json, "configuration": package.source},
        )
        addon.versions.append(version)
    with panel.reading():
        row = find(package)
        carry_out(
            lambda: plan_install(application(), row.versions[0], {}, panel.store),
            "",
            user_of(ALICE),
            panel.store,
        )


def find(package: GeneratedPackage) -> Addon:
    found = find_addon(package.name)
    assert found is not None
    return found


def send(panel: Panel, browser: FlaskClient, path: str, pairs: list[tuple[str, str]]) -> str:
    """Post them as a browser that was told to send anything; gives the page."""
    with panel.reading():
        limiter.reset()
    body = urlencode(pairs, errors="surrogatepass")
    return judged(browser.post(path, data=body, content_type=FORM))


def judged(answer: TestResponse) -> str:
    assert answer.status_code in ANSWERS, answer.text[-2000:]
    for word in ("Traceback", "aldryn_config.py", "site-packages", "alert(1)</script>"):
        assert word not in answer.text
    return answer.text


def pairs_for(names: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Fields of the form in any number and order, some twice, some missing, some unknown."""
    known = st.sampled_from([f"setting-{name}" for name in names])
    others = st.sampled_from(["seen", "plan", "act", "csrf_token", "setting-", "remove-x", "data"])
    return st.lists(st.tuples(known | known | known | others, VALUES), max_size=len(names) + 3)


def nearly_right(package: GeneratedPackage) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Each field once with what it takes, and one of them with anything."""
    right = {
        f"setting-{name}": "one" if f"{name} = forms.SelectField" in package.source else "12"
        for name in package.fields
    }
    return st.tuples(st.sampled_from(sorted(right)), VALUES).map(
        lambda changed: list((right | dict([changed])).items())
    )


POSTS = st.sampled_from(INSTALLED).flatmap(
    lambda package: st.tuples(st.just(package), pairs_for(package.fields) | nearly_right(package))
)


def test_they_have_fields_of_every_kind() -> None:
    sources = "\n".join(package.source for package in INSTALLED)
    assert all(f"{kind}(" in sources for kind in KINDS) and "def clean(self):" in sources


def test_anything_may_be_sent_to_a_form(site: tuple[Panel, FlaskClient]) -> None:
    """Previewed, and saved where the form takes it."""
    panel, browser = site
    saved: list[str] = []

    @settings(max_examples=30)
    @given(post=POSTS)
    def fill(post: tuple[GeneratedPackage, list[tuple[str, str]]]) -> None:
        package, pairs = post
        path = f"/applications/demo/addons/{package.name}/"
        entered = [pair for pair in pairs if pair[0] not in ("seen", "plan", "act")]
        if entered != pairs:
            send(panel, browser, path, pairs)
        page = send(panel, browser, path, [*entered, ("act", "preview")])
        if 'name="plan"' in page:
            confirmed = hidden(page, "plan")
            send(panel, browser, path, [*entered, ("act", "save"), ("plan", confirmed)])
            saved.append(package.name)
        judged(browser.get(path))

    fill()
    assert len(saved) > 2  # it is not all refused


@settings(max_examples=20)
@given(pairs=pairs_for(("enabled", "cache-lifetime", "driver", "header", "build")))
def test_anything_may_be_sent_to_a_form_of_flavours(
    site: tuple[Panel, FlaskClient], pairs: list[tuple[str, str]]
) -> None:
    panel, browser = site
    path = f"/applications/demo/environments/test/flavours/{laravel.KEY}/"
    send(panel, browser, path, pairs)
    judged(browser.get(path))


def test_packages_load_as_they_are_made() -> None:
    """40 of them in the real sandbox: the valid ones with just their fields, the broken ones with
    the traceback of their author's mistake."""
    sandbox = choose_sandbox()
    for package in PACKAGES:
        question = Question(Topic.DESCRIBE, PackageKind.ALDRYN.value, package.source)
        try:
            answer = sandbox.ask(question)
        except SandboxFailed as failed:
            assert not package.loads, failed.detail
            assert "Error" in failed.sentence and "aldryn_config.py" in failed.detail
        else:
            assert package.loads
            assert tuple(field["name"] for field in answer["fields"]) == package.fields


@pytest.mark.parametrize("broken", [broken for broken in Broken if broken])
def test_each_way_to_be_broken_is_refused(broken: Broken) -> None:
    package = next(one for one in generate_packages(500) if one.broken == broken)
    with pytest.raises(SandboxFailed):
        choose_sandbox().ask(Question(Topic.DESCRIBE, PackageKind.ALDRYN.value, package.source))


def test_packages_are_as_the_contract_counted() -> None:
    made = generate_packages(500)
    assert made == generate_packages(500)
    assert json.loads(made[0].addon_json)["package-name"] == made[0].name
    assert len({package.name for package in made}) == 500
    assert sum(not package.loads for package in made) == 9  # 8 of 459
    assert sum(not package.has_form for package in made) == 9  # 2 of 98; one more is broken
    without = sum(not package.fields for package in made)
    assert 0.35 < without / 500 < 0.43  # 37 of 98
    assert max(len(package.fields) for package in made) == 14
