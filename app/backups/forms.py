"""Forms of an environment's backups."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import (
    BooleanField,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length

from app.adapters.services import Content
from app.backups.models import BackupSchedule
from app.backups.operations import EVERYTHING, NOTE_LENGTH, NewBackup, Schedule
from app.errors import Invalid
from app.web.forms import PanelForm

BOTH = "both"
CONTENTS = [
    (BOTH, _l("Database and media")),
    (Content.DATABASE.value, _l("Database only")),
    (Content.MEDIA.value, _l("Media only")),
]
WORDS_LENGTH = 1000


def contents_of(choice: str) -> frozenset[Content]:
    return EVERYTHING if choice == BOTH else frozenset({Content(choice)})


class BackupForm(PanelForm):
    contents = RadioField(_l("What"), choices=CONTENTS, default=BOTH)
    note = StringField(
        _l("Note"),
        [Length(max=NOTE_LENGTH)],
        description=_l("Why you take it, for whoever looks for it later. May stay empty."),
    )

    def wanted(self) -> NewBackup:
        return NewBackup(contents_of(self.contents.data), self.note.data or "")


class ScheduleForm(PanelForm):
    is_on = BooleanField(_l("Take a backup each day"))
    hour = SelectField(
        _l("At"), coerce=int, choices=[(hour, f"{hour:02}:00") for hour in range(24)]
    )
    zone = StringField(_l("Time zone"), [DataRequired()])
    daily = IntegerField(_l("Daily ones kept"), [InputRequired()])
    weekly = IntegerField(_l("Weekly ones kept"), [InputRequired()])
    monthly = IntegerField(_l("Monthly ones kept"), [InputRequired()])

    @classmethod
    def of(cls, row: BackupSchedule | None) -> ScheduleForm:
        """Filled with what counts now."""
        shown = row or Schedule()
        return cls(obj=shown)

    def wanted(self) -> Schedule:
        return Schedule(
            self.is_on.data,
            self.hour.data,
            self.zone.data or "",
            self.daily.data,
            self.weekly.data,
            self.monthly.data,
        )


class RestoreForm(PanelForm):
    """`contents` counts for a whole backup only."""

    contents = RadioField(_l("What"), choices=CONTENTS, default=BOTH)
    name = StringField(
        _l("Name"), [DataRequired()], render_kw={"autocomplete": "off", "spellcheck": "false"}
    )

    def require(self, name: str) -> None:
        """Raise `Invalid` unless `name` was typed, in whatever case."""
        if (self.name.data or "").strip().casefold() != name.casefold():
            raise Invalid(_("That is not the name: type “%(name)s”.", name=name), "name")


class AskForm(PanelForm):
    """Choices of `part` are set by the view."""

    part = SelectField(_l("What should come back?"), validate_choice=False)
    words = TextAreaField(
        _l("What happened?"),
        [DataRequired(), Length(max=WORDS_LENGTH)],
        description=_l("Since when, and what is missing: it helps to choose the right backup."),
        render_kw={"rows": 4},
    )
