"""Schedules: what is one, and when it is due."""

from __future__ import annotations

import datetime

import pytest

from app.cron.schedules import (
    PERIODS,
    clean_schedule,
    clean_zone,
    count_due,
    in_words,
    last_due,
    next_due,
)
from app.errors import Invalid

UTC = datetime.UTC


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_periods_are_aligned_to_the_clock() -> None:
    """“every hour at :10, :20, :30, :40, :50 and :00” (L7386)."""
    due = moment("2026-06-01T12:03:20")
    seen = []
    for _ in range(6):
        due = next_due("*/10 * * * *", "UTC", due) or due
        seen.append(f"{due:%H:%M:%S}")
    assert seen == ["12:10:00", "12:20:00", "12:30:00", "12:40:00", "12:50:00", "13:00:00"]


def test_every_period_of_the_list_is_a_schedule() -> None:
    for form, words in PERIODS:
        assert clean_schedule(form) == form and in_words(form) == words
    assert in_words("30 2 * * 1-5") == "At 02:30 on Monday through Friday"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0 0 31 2 *", "no such day"),
        ("0 0 30 2 *", "no such day"),
        ("0 0 31 4,6 *", "no such day"),
        ("* * * * * *", "at most once a minute"),
        ("*/30 * * * * *", "at most once a minute"),
        ("", "one line"),
        ("* * * * *\n* * * * *", "one line"),
        ("* * * *", "five fields, this has 4"),
        ("@daily", "instead of a name"),
        ("60 * * * *", "“minute”"),
        ("0 24 * * *", "“hour”"),
        ("0 0 32 * *", "“day of month”"),
        ("0 0 * 13 *", "“month”"),
        ("0 0 * * 9", "“day of week”"),
        ("*/0 * * * *", "“minute”"),
        ("every ten minutes or so", "“minute”"),
        ("* " * 400, "one line"),
    ],
)
def test_what_is_no_schedule_gets_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence) as refused:
        clean_schedule(text)
    assert refused.value.field == "schedule"


def test_a_zone_is_one_of_the_list() -> None:
    assert clean_zone(" europe/zurich ") == "Europe/Zurich"
    for text in ("", "Mars/Olympus", "../../etc/passwd", "CET+1"):
        with pytest.raises(Invalid, match="time zone"):
            clean_zone(text)


def test_clocks_that_jump() -> None:
    """As Debian's cron: what is jumped over runs right after it, what comes twice runs once."""
    zurich = "Europe/Zurich"
    assert next_due("30 2 * * *", zurich, moment("2026-03-28T12:00")) == moment("2026-03-29T01:00")
    assert next_due("30 2 * * *", zurich, moment("2026-03-29T01:00")) == moment("2026-03-30T00:30")
    first = next_due("30 2 * * *", zurich, moment("2026-10-24T12:00"))
    assert first == moment("2026-10-25T00:30")
    assert next_due("30 2 * * *", zurich, first) == moment("2026-10-26T01:30")
    # Asked in the hour that comes again: the earlier one is not named once more.
    again = next_due("30 2 * * *", zurich, moment("2026-10-25T01:10"))
    assert again == moment("2026-10-26T01:30")
    # Every half hour goes by the clock on the wall, which shows 2:00 and 2:30 twice.
    span = moment("2026-10-24T23:45"), moment("2026-10-25T02:15")
    assert count_due("*/30 * * * *", zurich, *span, most=100) == 5


def test_counting_ends_somewhere() -> None:
    span = moment("2026-01-01T00:00"), moment("2026-03-01T00:00")
    assert count_due("* * * * *", "UTC", *span, most=500) == 500
    assert count_due("0 0 * * *", "UTC", *span, most=500) == 59


def test_the_last_moment_may_be_now() -> None:
    noon = moment("2026-06-01T12:00")
    assert last_due("0 12 * * *", "UTC", noon) == noon
    assert next_due("0 12 * * *", "UTC", noon) == noon + datetime.timedelta(days=1)


def test_what_an_older_version_has_written_is_never_due() -> None:
    noon = moment("2026-06-01T12:00")
    for schedule, zone in (("nonsense", "UTC"), ("* * * * *", "Nowhere/At_All")):
        assert next_due(schedule, zone, noon) is None
        assert last_due(schedule, zone, noon) is None
        assert count_due(schedule, zone, noon, noon, 5) == 0
    assert in_words("nonsense") == "nonsense"
