"""The form of a release command."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import StringField
from wtforms.validators import DataRequired

from app.web.forms import PanelForm


class ReleaseCommandForm(PanelForm):
    label = StringField(_l("Label"), [DataRequired()])
    command = StringField(
        _l("Command"),
        [DataRequired()],
        description=_l("Run without a shell. For a shell, write: sh -c '…'"),
        render_kw={"autocapitalize": "none", "spellcheck": "false", "class": "font-monospace"},
    )
