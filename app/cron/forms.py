"""The form of a cron job."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, IntegerField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired

from app.cron.operations import TIMEOUT_SECONDS, JobDraft
from app.cron.schedules import PERIODS
from app.runtime.models import CronJob, Overlap
from app.web.forms import PanelForm

OWN_PERIOD = "own"
EVERY_TEN = "*/10 * * * *"
_CODE = {"autocapitalize": "none", "spellcheck": "false", "class": "font-monospace"}


class CronJobForm(PanelForm):
    """A period of the list, or one's own in cron form. `schedule` counts only with the latter."""

    label = StringField(_l("Label"), [DataRequired()])
    command = StringField(
        _l("Command"),
        [DataRequired()],
        description=_l("Run without a shell. For a shell, write: sh -c '…'"),
        render_kw=_CODE,
    )
    period = SelectField(
        _l("Period"),
        choices=[*PERIODS, (OWN_PERIOD, _l("Another one, in cron form"))],
        default=EVERY_TEN,
    )
    schedule = StringField(_l("Cron form"), render_kw=_CODE)
    zone = StringField(_l("Time zone"), [DataRequired()])
    timeout_seconds = IntegerField(
        _l("Time limit in seconds"), [InputRequired()], default=TIMEOUT_SECONDS
    )
    overlap = SelectField(
        _l("When it is due and the last run still goes on"),
        choices=[
            (Overlap.SKIP.value, _l("Skip it: the next one is soon")),
            (Overlap.WAIT.value, _l("Let it wait until the last one has ended")),
            (Overlap.RUN.value, _l("Run both at once")),
        ],
        default=Overlap.SKIP.value,
    )
    repeats_lost = BooleanField(
        _l("Make up for a run that was missed or lost"),
        description=_l(
            "Only for commands that do no harm when they run twice: whether a lost one has run is "
            "not known."
        ),
    )

    def draft(self) -> JobDraft:
        """What was entered."""
        is_own = self.period.data == OWN_PERIOD
        return JobDraft(
            label=self.label.data or "",
            command=self.command.data or "",
            schedule=(self.schedule.data or "") if is_own else self.period.data,
            zone=self.zone.data or "",
            timeout_seconds=self.timeout_seconds.data or 0,
            overlap=self.overlap.data,
            repeats_lost=bool(self.repeats_lost.data),
        )


def form_of(row: CronJob) -> CronJobForm:
    """The form as it stands for a job."""
    is_listed = any(form == row.schedule for form, _ in PERIODS)
    return CronJobForm(obj=row, period=row.schedule if is_listed else OWN_PERIOD)
