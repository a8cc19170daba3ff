"""Forms of the account pages."""

from __future__ import annotations

import zoneinfo

from flask_babel import lazy_gettext as _l
from wtforms import (
    BooleanField,
    EmailField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired

from app.web.forms import PanelForm


class SignInForm(PanelForm):
    email = EmailField(_l("E-mail"), [DataRequired()], render_kw={"autocomplete": "username"})
    password = PasswordField(
        _l("Password"), [DataRequired()], render_kw={"autocomplete": "current-password"}
    )
    remember = BooleanField(_l("Keep me signed in"))


class ProfileForm(PanelForm):
    name = StringField(_l("Name"), [DataRequired()])
    time_zone = SelectField(_l("Time zone"), choices=sorted(zoneinfo.available_timezones()))


class PasswordForm(PanelForm):
    present = PasswordField(
        _l("Present password"), [DataRequired()], render_kw={"autocomplete": "current-password"}
    )
    password = PasswordField(
        _l("New password"), [DataRequired()], render_kw={"autocomplete": "new-password"}
    )


class SSHKeyForm(PanelForm):
    name = StringField(_l("Name"), description=_l("Empty: the key's own comment."))
    public_key = TextAreaField(
        _l("Public key"),
        [DataRequired()],
        render_kw={"rows": 4, "placeholder": "ssh-ed25519 AAAA…"},
    )


class AccessTokenForm(PanelForm):
    name = StringField(_l("What is it for?"), [DataRequired()])
    days = SelectField(
        _l("Ends after"),
        coerce=int,
        choices=[(30, _l("30 days")), (90, _l("90 days")), (365, _l("A year")), (0, _l("Never"))],
    )
