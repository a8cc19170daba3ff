"""Forms of the organisation pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, EmailField, PasswordField, SelectField, StringField
from wtforms.validators import DataRequired

from app.permissions import Role
from app.web.forms import PanelForm

ROLES = [
    (Role.SITE_EDITOR.value, _l("Site editor: sees only the sites they are given, to fill them")),
    (Role.REGULAR.value, _l("Regular: sees only the applications they are given")),
    (Role.ADMINISTRATOR.value, _l("Administrator: works on everything")),
    (Role.OWNER.value, _l("Owner: may also change the organisation")),
]


class SignUpForm(PanelForm):
    name = StringField(_l("Name"), [DataRequired()], render_kw={"autocomplete": "name"})
    email = EmailField(_l("E-mail"), [DataRequired()], render_kw={"autocomplete": "username"})
    password = PasswordField(
        _l("Password"), [DataRequired()], render_kw={"autocomplete": "new-password"}
    )


class OrganisationForm(PanelForm):
    name = StringField(_l("Name"), [DataRequired()])


class SecondFactorForm(PanelForm):
    requires_second_factor = BooleanField(_l("Members need a second factor"))


class InvitationForm(PanelForm):
    email = EmailField(_l("E-mail"), [DataRequired()])
    role = SelectField(_l("Role"), choices=ROLES, default=Role.REGULAR.value)


class NewcomerForm(PanelForm):
    """Of an account for an invited address, which is fixed."""

    name = StringField(_l("Your name"), [DataRequired()], render_kw={"autocomplete": "name"})
    password = PasswordField(
        _l("Choose a password"), [DataRequired()], render_kw={"autocomplete": "new-password"}
    )
