"""The form that gives a person access."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import EmailField, SelectField
from wtforms.validators import DataRequired

from app.permissions import Access
from app.web.forms import PanelForm


class CollaboratorForm(PanelForm):
    email = EmailField(_l("E-mail"), [DataRequired()])
    access = SelectField(
        _l("May"),
        choices=[
            (Access.VIEWER.value, _l("look only")),
            (Access.COLLABORATOR.value, _l("work on it")),
        ],
    )
