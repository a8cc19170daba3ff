"""`app.flavour` and the descriptions of addons, by the schema and with its quirks."""

from __future__ import annotations

import pytest

from app.addons.api import Field, FieldType, Visibility
from app.addons.flavours.fields import fields_of, text_of, variable_of
from app.addons.flavours.files import MOST_ADDONS, ListedAddon, read_app, read_description
from app.errors import Invalid
from tests.addons.flavours.laravel import ADDON, KEY, NAME, PREFIX, listing

SHA256 = "9c5f4b2311089d4c5b0def4a0ded5bd927ddd8936d7db18da4cb84283e3413d1"
HEAD = "spec: 0.1\nmeta: {name: example/thing, version: 1.2}\n"


def described(config: str) -> tuple[Field, ...]:
    """The fields of an addon with this `config`, written in flow style."""
    return fields_of(read_description(f"{HEAD}config: {{{config}}}\n".encode(), "its file"))


def test_an_entry_is_split_at_its_last_colon() -> None:
    assert read_app(listing({KEY: SHA256}).encode()) == (
        ListedAddon(KEY, NAME, "6.1.1", "flavour/fam-php-laravel:0.1.1", SHA256),
    )


def test_a_key_without_a_version() -> None:
    (found,) = read_app(listing({"example/thing": "abcd"}).encode())
    assert (found.name, found.version, found.sha256) == ("example/thing", "", "")


@pytest.mark.parametrize(
    "sha256", ["../../../etc/passwd", SHA256.upper(), SHA256[:-1], f"{SHA256}/x", "''"]
)
def test_a_hash_that_is_none_leads_to_no_file(sha256: str) -> None:
    (found,) = read_app(listing({KEY: sha256}).encode())
    assert found.sha256 == ""


@pytest.mark.parametrize(
    "text",
    ["spec: 0.1\n", "spec: 0.1\naddons:\n", "spec: 0.1\naddons: {}\nservices:\n", "spec: '0.1'\n"],
)
def test_no_addons(text: str) -> None:
    """Flavours' own `remove` leaves an empty `addons:` behind, its `add` trips over none."""
    assert read_app(text.encode()) == ()


def test_all_that_an_application_may_say() -> None:
    text = (
        "spec: 0.1\nmeta: {name: my-site, version: 0.1}\nservices: {db: {type: 'postgres:11.2'}}\n"
        "addons:\n  a/b:1: {manager: fam, hash: abcd, settings: {database: db, list: [1]}}\n"
        "config: {languages: {label: Languages, type: scalar/string}}\n"
    )
    assert [row.key for row in read_app(text.encode())] == ["a/b:1"]


NO_APP = {
    "not a map": ("- a\n", "not of Flavours' schema"),
    "no spec": ("meta: {name: x}\n", "missing required field `spec`"),
    "another spec": ("spec: 0.2\n", "only 0.1 is known"),
    "an unknown key": ("spec: 0.1\nversion: 1\n", "unknown field `version`"),
    "no manager": ("spec: 0.1\naddons: {a:1: {hash: x}}\n", "missing required field `manager`"),
    "an addon is no map": ("spec: 0.1\naddons: {a:1: x}\n", "not of Flavours' schema"),
    "a way out": ("spec: 0.1\naddons: {../x:1: {manager: m, hash: h}}\n", "no name of an addon"),
    "an empty name": ("spec: 0.1\naddons: {':1': {manager: m, hash: h}}\n", "no name of an addon"),
    "HTML": ("spec: 0.1\naddons: {<b>:1: {manager: m, hash: h}}\n", "no name of an addon"),
}


@pytest.mark.parametrize(("text", "sentence"), NO_APP.values(), ids=NO_APP)
def test_an_application_against_the_schema(text: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        read_app(text.encode())


def test_there_is_an_end_to_addons() -> None:
    entries = {f"a/b{number}:1": SHA256 for number in range(MOST_ADDONS + 1)}
    with pytest.raises(Invalid, match="more than 100"):
        read_app(listing(entries).encode())


def test_the_form_of_the_tutorial() -> None:
    enabled, lifetime, driver, header, build = fields_of(read_description(ADDON.encode(), "it"))
    assert enabled == Field(
        "enabled",
        "Keep answers",
        FieldType.CHECKBOX,
        required=False,
        initial=True,
        variable="RESPONSE_CACHE_ENABLED",
    )
    assert (lifetime.type, lifetime.initial) == (FieldType.NUMBER, 604800)
    assert (lifetime.min_value, lifetime.max_value) == (-1, 31536000)
    assert lifetime.variable == f"{PREFIX}_CACHE_LIFETIME"
    assert lifetime.required  # the default of Flavours
    assert (driver.visibility, header.visibility) == (Visibility.ADVANCED, Visibility.DANGEROUS)
    assert not header.required and header.initial is None
    assert build.is_read_only and build.initial == "1.10"  # text, whatever it looks like


@pytest.mark.parametrize(
    ("addon", "field", "variable"),
    [
        (NAME, "cache-lifetime", f"{PREFIX}_CACHE_LIFETIME"),
        ("a--b", "c  d", "A_B_C_D"),
        ("Zoë/café", "größe", "ZOE_CAFE_GROE"),  # ß has no plain form
        ("-a-", "-b-", "A_B"),
    ],
)
def test_the_variable_of_a_field_without_one(addon: str, field: str, variable: str) -> None:
    assert variable_of(addon, field) == variable


def test_the_first_name_of_integers_is_known() -> None:
    assert described("n: {type: scalar/int, label: N}")[0].type == FieldType.NUMBER


def test_a_default_may_lie_outside_of_its_range() -> None:
    """So it does in an example of Flavours' own library: the person has to change it."""
    (field,) = described("n: {type: scalar/integer, label: N, default: 3, min: 4}")
    assert field.initial == 3
    with pytest.raises(Invalid, match="at least 4"):
        text_of(field, 3)


def test_what_looks_like_a_secret_is_one() -> None:
    fields = described("api-key: {type: scalar/string, label: K}, k: {type: scalar/int, label: K}")
    assert [field.is_secret for field in fields] == [True, False]


NO_FORM = {
    "an unknown type": ("a: {type: service/database, label: A}", "type “service/database”"),
    "no type": ("a: {label: A}", "which Moonbase does not know"),
    "no label": ("a: {type: scalar/string}", "no label"),
    "an unknown key": ("a: {type: scalar/string, label: A, help: x}", "unknown key “help”"),
    "a range of a text": ("a: {type: scalar/string, label: A, min: 1}", "unknown key “min”"),
    "no number": ("a: {type: scalar/integer, label: A, default: x}", "no whole number as its def"),
    "no fraction": ("a: {type: scalar/integer, label: A, max: 1.5}", "no whole number as its max"),
    "an endless number": (
        f"a: {{type: scalar/integer, label: A, min: {'9' * 5000}}}",
        "as its min",
    ),
    "neither": ("a: {type: scalar/boolean, label: A, required: perhaps}", "neither yes nor no"),
    "visibility": ("a: {type: scalar/boolean, label: A, visibility: 3}", "none of 0, 1, 2"),
    "a list": ("a: {type: scalar/string, label: [A]}", "no text as its label"),
    "no variable": ("a: {type: scalar/string, label: A, variable: A-B}", "name of a variable"),
    "a digit first": ("a: {type: scalar/string, label: A, variable: 1A}", "name of a variable"),
    "ours": ("a: {type: scalar/string, label: A, variable: MOONBASE_X}", "name of a variable"),
    "twice": (
        "a: {type: scalar/int, label: L, variable: X},"
        " b: {type: scalar/int, label: L, variable: X}",
        "Two of its fields are for the variable X",
    ),
    "too many": (", ".join(f"f{n}: {{label: A, type: scalar/int}}" for n in range(201)), "200"),
    "a field that is none": ("a: scalar/string", "not of Flavours' schema"),
}


@pytest.mark.parametrize(("config", "sentence"), NO_FORM.values(), ids=NO_FORM)
def test_no_form_and_why(config: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        described(config)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("spec: 0.1\nmeta: {name: x}\n", "missing required field `version`"),
        ("version: 0.1\nmeta: {name: x, version: 1}\n", "unknown field `version`"),
        ("spec: 0.1\nmeta: {name: x, version: 1, author: me}\n", "unknown field `author`"),
        ("spec: 0.1\nmeta: {name: '', version: 1}\n", "lacks the addon's name"),
        ("spec: 0.1\nmeta: {name: x, version: 1}\nextra: 1\n", "unknown field `extra`"),
    ],
)
def test_a_description_against_the_schema(text: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        read_description(text.encode(), "its file")


def test_an_addon_without_config_has_an_empty_form() -> None:
    for text in (HEAD, f"{HEAD}config:\n", f"{HEAD}install: {{package: x}}\nconfig: {{}}\n"):
        assert fields_of(read_description(text.encode(), "its file")) == ()


NUMBER = Field("n", "Number", FieldType.NUMBER, min_value=-5, max_value=10, variable="N")
TEXT = Field("t", "Text", variable="T")
CHECKBOX = Field("c", "Tick", FieldType.CHECKBOX, required=False, variable="C")


@pytest.mark.parametrize(
    ("field", "entered", "text"),
    [
        (NUMBER, 7, "7"),
        (NUMBER, " +7 ", "7"),
        (NUMBER, 0, "0"),
        (NUMBER, "-5", "-5"),
        (TEXT, "  as it is \n", "  as it is \n"),
        (TEXT, "0", "0"),
        (CHECKBOX, True, "True"),
        (CHECKBOX, False, "False"),
        (CHECKBOX, None, "False"),
        (CHECKBOX, "Yes", "True"),
    ],
)
def test_what_a_variable_holds(field: Field, entered: str | int | bool | None, text: str) -> None:
    assert text_of(field, entered) == text


@pytest.mark.parametrize(
    ("field", "entered", "sentence"),
    [
        (NUMBER, "-6", "at least -5"),
        (NUMBER, 11, "at most 10"),
        (NUMBER, "1.5", "whole number"),
        (NUMBER, "²", "whole number"),
        (NUMBER, "９", "whole number"),
        (NUMBER, "9" * 5000, "whole number"),
        (NUMBER, "", "must be filled in"),
        (TEXT, "", "must be filled in"),
        (TEXT, None, "must be filled in"),
    ],
)
def test_what_cannot_be_entered(field: Field, entered: str | int | None, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence) as refused:
        text_of(field, entered)
    assert refused.value.field == field.name
