"""Forms of the pages of those who make addons."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired

from app.addons.models import Addon, Audience
from app.addons.operations import AddonSettings, NewAddon
from app.addons.packages.licences import LICENCES
from app.organisations.models import Member
from app.web.forms import PanelForm

AUDIENCES = [
    (Audience.PRIVATE.value, _l("Private")),
    (Audience.ORGANISATION.value, _l("Organisation")),
    (Audience.PUBLIC.value, _l("Public")),
]
NO_LICENCE = ("", _l("None yet: the package brings its own"))


class NewAddonForm(PanelForm):
    """Choices of `organisation` are set by the view: slugs of those the person may register for."""

    package_name = StringField(
        _l("Package name"),
        [DataRequired()],
        description=_l(
            "Small letters, digits and dashes, no underscores. It is unique here and cannot be "
            "changed later: put your own name in front of it."
        ),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    name = StringField(_l("Name"), [DataRequired()])
    licence = SelectField(_l("Licence"), choices=[NO_LICENCE, *LICENCES], default="")
    organisation = SelectField(_l("Organisation"))

    def wanted(self) -> NewAddon:
        return NewAddon(self.package_name.data, self.name.data, self.licence.data or "")


class AddonSettingsForm(PanelForm):
    """How an addon is shown, and to whom."""

    name = StringField(_l("Name"), [DataRequired()])
    summary = StringField(
        _l("In one sentence"),
        description=_l("What it does for a site, for people who do not program."),
    )
    licence = SelectField(_l("Licence"))
    categories = StringField(
        _l("Categories"), description=_l("A few words with commas between them, e.g. “blog, seo”.")
    )
    audience = RadioField(_l("Who finds it"), choices=AUDIENCES)

    def __init__(self, addon: Addon) -> None:
        super().__init__(
            name=addon.name,
            summary=addon.summary,
            licence=addon.licence,
            categories=", ".join(addon.categories),
            audience=addon.audience.value,
        )
        offered = [NO_LICENCE, *LICENCES]
        if addon.licence not in dict(offered):
            offered.append((addon.licence, addon.licence))
        self.licence.choices = offered

    def wanted(self) -> AddonSettings:
        return AddonSettings(
            name=self.name.data,
            summary=self.summary.data or "",
            licence=self.licence.data or "",
            audience=Audience(self.audience.data),
            categories=(self.categories.data or "").split(","),
        )


class UploadForm(PanelForm):
    app = FileField(
        _l("Archive"),
        [FileRequired(_l("Choose the archive first."))],
        description=_l("The .tar.gz that “divio addon upload” would send."),
        render_kw={"accept": ".tar.gz,.tgz,application/gzip"},
    )


class YankForm(PanelForm):
    reason = TextAreaField(
        _l("Why"),
        [DataRequired()],
        description=_l("Everybody who has it installed reads this."),
        render_kw={"rows": 3},
    )


class ChangesForm(PanelForm):
    changes = TextAreaField(
        _l("What is new"),
        description=_l("People read it before they update."),
        render_kw={"rows": 8},
    )


class AddonCollaboratorForm(PanelForm):
    """`offer` fills the people; an address that is not offered is the operation's to refuse."""

    email = SelectField(_l("Member"), [DataRequired()], validate_choice=False)
    can_update = BooleanField(
        _l("Can update"),
        description=_l("Upload versions, change settings, give access to others."),
    )

    def offer(self, members: Sequence[Member]) -> None:
        """People to choose from."""
        self.email.choices = [
            (row.user.email, f"{row.user.name} ({row.user.email})") for row in members
        ]
