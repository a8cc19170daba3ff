"""When a job is due: the five fields of cron in a time zone, and periods in words.

Changes to and from summer time are treated as Debian's cron does (cronsim): a job at a fixed time
that the clocks jump over runs right after the jump, one at a time that comes twice runs once; one
whose minute or hour begins with `*` follows the clock on the wall.
"""

from __future__ import annotations

import datetime
import functools
import itertools
import zoneinfo
from collections.abc import Iterator

from cronsim import CronSim, CronSimError
from flask_babel import lazy_gettext as _l

from app.errors import Invalid

PERIODS: tuple[tuple[str, object], ...] = (
    ("* * * * *", _l("Every minute")),
    ("*/5 * * * *", _l("Every 5 minutes")),
    ("*/10 * * * *", _l("Every 10 minutes")),
    ("*/15 * * * *", _l("Every 15 minutes")),
    ("*/20 * * * *", _l("Every 20 minutes")),
    ("*/30 * * * *", _l("Every 30 minutes")),
    ("0 * * * *", _l("Every hour")),
    ("0 */2 * * *", _l("Every 2 hours")),
    ("0 */3 * * *", _l("Every 3 hours")),
    ("0 */4 * * *", _l("Every 4 hours")),
    ("0 */6 * * *", _l("Every 6 hours")),
    ("0 */12 * * *", _l("Every 12 hours")),
    ("0 0 * * *", _l("Every day at midnight")),
    ("0 3 * * *", _l("Every day at 3 in the morning")),
    ("0 3 * * 1", _l("Every Monday at 3 in the morning")),
    ("0 3 1 * *", _l("On the first of each month at 3 in the morning")),
)
"""Aligned to the clock: every 10 minutes is :00, :10, :20 … (L7383–7394)."""
LENGTH = 200
FIELDS = "minute, hour, day of the month, month, day of the week"
_MINUTE = datetime.timedelta(minutes=1)


def clean_schedule(text: str) -> str:
    """The cron form with single blanks. Raises `Invalid` saying what is wrong, field `schedule`."""
    words = text.split()
    if "\n" in text.strip() or len(text) > LENGTH or not words:
        raise Invalid(f"A schedule is one line of five fields: {FIELDS}.", "schedule")
    if words[0].startswith("@"):
        raise Invalid("Write the five fields instead of a name such as @daily.", "schedule")
    if len(words) == 6:
        raise Invalid(
            "That has six fields. A job runs at most once a minute: leave the seconds away.",
            "schedule",
        )
    if len(words) != 5:
        raise Invalid(
            f"A schedule has five fields, this has {len(words)}: {FIELDS}. "
            "Every 10 minutes is */10 * * * *",
            "schedule",
        )
    schedule = " ".join(words)
    if _first(schedule) is None:
        raise Invalid("There is no such day: this would never run.", "schedule")
    return schedule


def _first(schedule: str) -> datetime.datetime | None:
    """Any moment it is due. Raises `Invalid` for what is no schedule."""
    moment = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    try:
        return next(CronSim(schedule, moment), None)
    except CronSimError as error:
        if str(error) == "Bad day-of-month" and _is_day_alone_fine(schedule):
            return None
        named = str(error).removeprefix("Bad ").replace("-", " ")
        raise Invalid(f"The field “{named}” of the schedule cannot be read.", "schedule") from error


def _is_day_alone_fine(schedule: str) -> bool:
    """Whether the day exists in some month, so that only the months named lack it."""
    minute, hour, day, _, weekday = schedule.split()
    try:
        CronSim(f"{minute} {hour} {day} * {weekday}", datetime.datetime(2024, 1, 1))
    except CronSimError:
        return False
    return True


def clean_zone(text: str) -> str:
    """The IANA name. Raises `Invalid`, field `zone`."""
    zone = zone_names().get(text.strip().replace(" ", "_").casefold())
    if zone is None:
        raise Invalid("Choose a time zone from the list, e.g. “Europe/Zurich”.", "zone")
    return zone


@functools.cache
def zone_names() -> dict[str, str]:
    """Names of all zones by their folded form."""
    return {name.casefold(): name for name in sorted(zoneinfo.available_timezones())}


def in_words(schedule: str) -> object:
    """The schedule as people say it, e.g. “At 03:00 on Monday”."""
    for form, words in PERIODS:
        if form == schedule:
            return words
    try:
        return CronSim(schedule, datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)).explain()
    except CronSimError:  # written by an older Moonbase
        return schedule


def next_due(schedule: str, zone: str, after: datetime.datetime) -> datetime.datetime | None:
    """The first moment later than `after`; None when there is none, or the rule is none."""
    return next(_moments(schedule, zone, after), None)


def last_due(schedule: str, zone: str, until: datetime.datetime) -> datetime.datetime | None:
    """The last moment not later than `until`; None when there is none, or the rule is none."""
    return next(
        _moments(schedule, zone, until + datetime.timedelta(microseconds=1), is_backward=True), None
    )


def count_due(
    schedule: str, zone: str, after: datetime.datetime, until: datetime.datetime, most: int
) -> int:
    """How many moments lie later than `after` and not later than `until`; `most` at most."""
    found = itertools.takewhile(lambda at: at <= until, _moments(schedule, zone, after))
    return sum(1 for _ in itertools.islice(found, most))


def _moments(
    schedule: str, zone: str, begin: datetime.datetime, is_backward: bool = False
) -> Iterator[datetime.datetime]:
    """In UTC. A rule that cannot be read has none: it was checked when it was written down."""
    try:
        there = begin.astimezone(zoneinfo.ZoneInfo(zone))
        found = CronSim(schedule, there, reverse=is_backward)
    except (CronSimError, zoneinfo.ZoneInfoNotFoundError, ValueError):
        return
    for at in found:
        moment = at.astimezone(datetime.UTC)
        # In an hour that comes twice, cronsim may name the earlier one once more.
        if moment < begin if is_backward else moment > begin:
            yield moment
