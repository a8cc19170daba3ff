"""The forms of incidents."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from app.platform_status.models import Impact
from app.platform_status.operations import TEXT_LENGTH
from app.web.forms import PanelForm

IMPACTS = [
    (Impact.NOTICE.value, _l("Notice: nothing is broken, people should know")),
    (Impact.DEGRADED.value, _l("Degraded: something is slow or fails sometimes")),
    (Impact.DOWN.value, _l("Down: something does not work")),
]


class IncidentForm(PanelForm):
    title = StringField(_l("In a few words"), [InputRequired(), Length(max=100)])
    impact = SelectField(_l("What it means"), choices=IMPACTS, default=Impact.DEGRADED.value)
    text = TextAreaField(_l("What people should know"), [InputRequired(), Length(max=TEXT_LENGTH)])


class UpdateForm(PanelForm):
    impact = SelectField(_l("What it means now"), choices=IMPACTS)
    text = TextAreaField(_l("What is new"), [Optional(), Length(max=TEXT_LENGTH)])
