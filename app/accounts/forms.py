"""Forms of the account pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import (
    BooleanField,
    EmailField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired

from app.accounts.models import FailureNotices
from app.accounts.operations import Profile
from app.permissions import Scope
from app.web.forms import PanelForm
from app.web.languages import LANGUAGES


class SignInForm(PanelForm):
    email = EmailField(_l("E-mail"), [DataRequired()], render_kw={"autocomplete": "username"})
    password = PasswordField(
        _l("Password"), [DataRequired()], render_kw={"autocomplete": "current-password"}
    )
    remember = BooleanField(_l("Keep me signed in"))


class SecondStepForm(PanelForm):
    code = StringField(
        _l("Code"), render_kw={"autocomplete": "one-time-code", "spellcheck": "false"}
    )
    passkey = HiddenField()


class PasswordAgainForm(PanelForm):
    password = PasswordField(
        _l("Your password"), [DataRequired()], render_kw={"autocomplete": "current-password"}
    )


class AuthenticatorForm(PasswordAgainForm):
    code = StringField(
        _l("Code of the app"),
        [DataRequired()],
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric"},
    )


class PasskeyForm(PasswordAgainForm):
    name = StringField(_l("Name"), render_kw={"autocomplete": "off"})
    passkey = HiddenField()


class ProfileForm(PanelForm):
    name = StringField(_l("Name"), [DataRequired()])
    time_zone = StringField(_l("Time zone"), [DataRequired()])
    language = SelectField(_l("Language"), choices=list(LANGUAGES.items()))
    failure_notices = RadioField(
        _l("When a deployment fails, write to me"),
        choices=[
            (FailureNotices.OWN.value, _l("About mine")),
            (FailureNotices.ALL.value, _l("About all")),
            (FailureNotices.NONE.value, _l("Never")),
        ],
    )

    def profile(self) -> Profile:
        """What was entered, as an operation takes it."""
        notices = FailureNotices(self.failure_notices.data)
        return Profile(self.name.data, self.time_zone.data, self.language.data, notices)


class ForgottenPasswordForm(PanelForm):
    email = EmailField(_l("E-mail"), [DataRequired()], render_kw={"autocomplete": "username"})


class NewPasswordForm(PanelForm):
    password = PasswordField(
        _l("New password"), [DataRequired()], render_kw={"autocomplete": "new-password"}
    )


class EmailForm(PanelForm):
    email = EmailField(_l("New address"), [DataRequired()], render_kw={"autocomplete": "email"})
    password = PasswordField(
        _l("Your password"), [DataRequired()], render_kw={"autocomplete": "current-password"}
    )


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
    """`organisation` gets its choices from whoever shows the form; "" stands for all."""

    name = StringField(_l("What is it for?"), [DataRequired()])
    scope = RadioField(
        _l("What may it do?"),
        choices=[
            (Scope.READ.value, _l("Read")),
            (Scope.DEPLOY.value, _l("Read and deploy")),
            (Scope.WRITE.value, _l("Work on sites")),
            (Scope.ADMIN.value, _l("All that I may")),
        ],
        default=Scope.WRITE.value,
    )
    organisation = SelectField(_l("Where?"), choices=[("", _l("All my organisations"))])
    days = SelectField(
        _l("Ends after"),
        coerce=int,
        choices=[(30, _l("30 days")), (90, _l("90 days")), (365, _l("A year")), (0, _l("Never"))],
        default=90,
    )
