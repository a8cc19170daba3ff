"""Forms of what an environment runs with: variables, release commands, the name."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import DataRequired

from app.web.forms import PanelForm


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
        # Browsers send each line break of a text area as CR LF (HTML, "form entry list").
        filters=[lambda text: text.replace("\r\n", "\n") if text else text],
        render_kw={"rows": 2, "spellcheck": "false", "class": "font-monospace"},
    )
    is_secret = BooleanField(_l("Secret: masked on pages and in logs"))


class ReleaseCommandForm(PanelForm):
    label = StringField(_l("Label"), [DataRequired()])
    command = StringField(
        _l("Command"),
        [DataRequired()],
        description=_l("Run without a shell. For a shell, write: sh -c '…'"),
        render_kw={"autocapitalize": "none", "spellcheck": "false", "class": "font-monospace"},
    )
