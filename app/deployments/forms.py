"""The form of an environment's settings."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, IntegerField, StringField
from wtforms.validators import DataRequired, InputRequired

from app.web.forms import PanelForm


class EnvironmentForm(PanelForm):
    name = StringField(_l("Name"), [DataRequired()])
    branch = StringField(
        _l("Branch"), [DataRequired()], render_kw={"spellcheck": "false", "autocapitalize": "none"}
    )
    containers = IntegerField(
        _l("Containers"), [InputRequired()], description=_l("Live can run several side by side.")
    )
    is_deployed_on_push = BooleanField(_l("Deploy as soon as this branch is pushed"))
