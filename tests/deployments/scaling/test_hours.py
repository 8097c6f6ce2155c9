"""Hours of a schedule: from each start to the first end after it."""

from datetime import datetime

import pytest

from deployments.scaling.bounds import Bounds
from tests.deployments.scaling.cases import rules

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("start", "end", "timezone", "moments"),
    [
        # More ends than starts: those that end nothing change nothing. The 4th is a Friday.
        (
            "0 8 * * 1-5",
            "0 18 * * *",
            "UTC",
            {
                "2026-12-04T07:59": False,
                "2026-12-04T08:00": True,
                "2026-12-04T17:59": True,
                "2026-12-04T18:00": False,
                "2026-12-05T12:00": False,
                "2026-12-06T17:59": False,
                "2026-12-07T08:00": True,
            },
        ),
        # More starts than ends: the first begins the hours.
        (
            "0 8,12 * * *",
            "0 18 * * *",
            "UTC",
            {"2026-12-04T08:00": True, "2026-12-04T12:00": True, "2026-12-04T18:00": False},
        ),
        (
            "* 8-17 * * *",
            "0 18 * * *",
            "UTC",
            {"2026-12-04T07:59": False, "2026-12-04T08:00": True, "2026-12-04T17:59": True},
        ),
        (
            "0 0 29 2 *",
            "0 0 1 3 *",
            "UTC",
            {"2026-11-30T12:00": False, "2027-03-01T00:00": False, "2028-02-29T23:59": True},
        ),
        # At a moment of both they end.
        (
            "0 8,12 * * *",
            "0 12,18 * * *",
            "UTC",
            {"2026-12-04T11:59": True, "2026-12-04T12:00": False, "2026-12-04T17:00": False},
        ),
        # At 1:00 UTC clocks are set back from 3 to 2, and what began or ended before stays so.
        (
            "45 2 * * *",
            "0 8 * * *",
            BERLIN,
            {"2026-10-25T00:44": False, "2026-10-25T00:45": True, "2026-10-25T01:10": True},
        ),
        (
            "0 0 * * *",
            "30 2 * * *",
            BERLIN,
            {"2026-10-25T00:29": True, "2026-10-25T00:30": False, "2026-10-25T01:10": False},
        ),
        # At 1:00 UTC clocks are set from 2 to 3, so that half past two comes at three.
        (
            "30 2 * * *",
            "0 8 * * *",
            BERLIN,
            {"2026-03-29T00:59": False, "2026-03-29T01:00": True, "2026-03-29T06:00": False},
        ),
    ],
)
def test_hours_hold_from_a_start_to_the_first_end_after_it(
    start: str, end: str, timezone: str, moments: dict[str, bool]
) -> None:
    window = {"start": start, "end": end, "timezone": timezone, "minReplicas": 1}
    given = rules(schedule=[window])

    assert {at: Bounds.at(_utc(at), given).least == 1 for at in moments} == moments


def _utc(moment: str) -> datetime:
    return datetime.fromisoformat(f"{moment}+00:00")
