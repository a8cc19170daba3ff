"""The form of a new application."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import RadioField, SelectField, StringField
from wtforms.validators import DataRequired

from app.applications.models import Starter
from app.web.forms import PanelForm

STARTERS = [
    (Starter.STATIC.value, _l("Static site")),
    (Starter.BLANK.value, _l("Build your own")),
]


class ApplicationForm(PanelForm):
    """Choices of `organisation` are set by the view: slugs of those the person belongs to."""

    name = StringField(_l("Name"), [DataRequired()])
    slug = StringField(
        _l("Address name"),
        [DataRequired()],
        description=_l("Small letters, digits and dashes. It cannot be changed later."),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    organisation = SelectField(_l("Organisation"))
    starter = RadioField(_l("Begin with"), choices=STARTERS, default=Starter.STATIC.value)
