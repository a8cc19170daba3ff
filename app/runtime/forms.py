"""Forms of what an environment runs with: variables, release commands, the name."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, IntegerField, StringField, TextAreaField
from wtforms.validators import DataRequired, Optional

from app.web.forms import PanelForm


def with_line_feeds(text: str | None) -> str | None:
    """Browsers send each line break of a text area as CR LF (HTML, "form entry list")."""
    return text.replace("\r\n", "\n") if text else text


class NameForm(PanelForm):
    name = StringField(_l("Name"), [DataRequired()])


class VariableForm(PanelForm):
    """Fields keep leading and trailing spaces of the value: the platform does not strip (L5159)."""

    name = StringField(
        _l("Name"),
        [DataRequired()],
        render_kw={"autocapitalize": "none", "spellcheck": "false", "class": "font-monospace"},
    )
    value = TextAreaField(
        _l("Value"),
        filters=[with_line_feeds],
        render_kw={"rows": 3, "spellcheck": "false", "class": "font-monospace"},
    )
    is_secret = BooleanField(_l("Secret: masked on pages and in logs"))
    version = IntegerField(validators=[Optional()])
    """The version the person saw, 0: none; without it whatever is there is overwritten."""
    accepted = StringField()
    """Codes of the cautions the person has read, with blanks between."""


class PasteForm(PanelForm):
    text = TextAreaField(
        _l("Variables, one a line"),
        filters=[with_line_feeds],
        render_kw={"rows": 12, "spellcheck": "false", "class": "font-monospace"},
    )
    shown = StringField()
    """Names of which the person has decided whether they are secrets, with blanks between."""
    seen = StringField()
    """What the preview has found, so that changes since then are noticed."""


class ReleaseCommandForm(PanelForm):
    label = StringField(_l("Label"), [DataRequired()])
    command = StringField(
        _l("Command"),
        [DataRequired()],
        description=_l("Run without a shell. For a shell, write: sh -c '…'"),
        render_kw={"autocapitalize": "none", "spellcheck": "false", "class": "font-monospace"},
    )
