"""Replicas of ingest: one, a number, or a range, refused where it contradicts itself."""

from typing import Any

import pytest

from models.errors import SettingsError
from models.machine import Machine
from models.settings import Settings
from models.settings.checks import check
from models.settings.unused import unused_anywhere, unused_here, unused_on_aws

HERE = Machine(gpus=0, cores=2, resources=frozenset({"pool"}))


def settings(**ingest: Any) -> Settings:
    least = {
        "stackName": "a",
        "modelBucketArn": "arn:aws:s3:::weights",
        "modelsRuntime": [{"name": "one", "type": "fake", "gpus": 0}],
    }
    return Settings.read(args={**least, "ingest": ingest})


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        ({}, 1, 1),
        ({"replicas": 3}, 3, 3),
        ({"minReplicas": 2}, 2, 2),
        ({"maxReplicas": 4}, 1, 4),
        ({"minReplicas": 2, "maxReplicas": 4}, 2, 4),
        ({"maxReplicas": 64}, 1, 64),
    ],
)
def test_both_bounds_are_known_whichever_is_set(
    given: dict[str, int], least: int, most: int
) -> None:
    ingest = settings(**given).ingest

    assert (ingest.least, ingest.most) == (least, most)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"replicas": 0}, "ingest.replicas: Input should be greater than or equal to 1"),
        ({"replicas": 65}, "ingest.replicas: Input should be less than or equal to 64"),
        ({"minReplicas": 0}, "ingest.minReplicas: Input should be greater than or equal to 1"),
        ({"maxReplicas": 65}, "ingest.maxReplicas: Input should be less than or equal to 64"),
        ({"replicas": 1.5}, "ingest.replicas: must be a whole number"),
        (
            {"replicas": {"min": 1, "max": 4}},
            "ingest.replicas: must be a whole number; a range is minReplicas and maxReplicas",
        ),
        (
            {"replicas": 2, "maxReplicas": 4},
            "ingest: replicas is exactly how many there are: remove it, or maxReplicas",
        ),
        (
            {"replicas": 2, "minReplicas": 1, "maxReplicas": 4},
            "ingest: replicas is exactly how many there are: remove it, or minReplicas and max",
        ),
        (
            {"minReplicas": 5, "maxReplicas": 4},
            "ingest: minReplicas must not be more than maxReplicas",
        ),
        ({"replica": 2}, "ingest.replica: unknown key; did you mean 'replicas'?"),
    ],
)
def test_what_is_no_number_and_no_range_is_refused(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(**given)

    assert str(refused.value).startswith(wrong)


def test_the_environment_sets_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_INGEST__MAXREPLICAS", "5")
    ingest = settings().ingest

    assert (ingest.least, ingest.most) == (1, 5)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"replicas": 17}, ["ingest.replicas: 17 are too many for 2 cores, 16 at most here"]),
        ({"maxReplicas": 17}, ["ingest.maxReplicas: 17 are too many for 2 cores, 16 at most here"]),
        ({"minReplicas": 17}, ["ingest.minReplicas: 17 are too many for 2 cores, 16 at most here"]),
        ({"maxReplicas": 16}, []),
        (
            {"resources": {"fast": 1, "pool": 1}},
            ["ingest.resources.fast: no node of the Ray here has it; leave it out"],
        ),
    ],
)
def test_what_a_machine_has_no_room_for_is_refused(given: dict[str, Any], wrong: list[str]) -> None:
    found = check(settings(**given), HERE).wrong

    assert [each for each in found if each.startswith("ingest")] == wrong


@pytest.mark.parametrize(
    ("given", "cores", "named"),
    [
        ({"replicas": 3}, 2, "ingest.replicas"),
        ({"minReplicas": 3}, 2, "ingest.minReplicas"),
        ({"minReplicas": 1, "maxReplicas": 3}, 2, "ingest.maxReplicas"),
    ],
)
def test_more_of_ingest_than_a_machine_has_cores_is_told_to_bring_nothing(
    given: dict[str, int], cores: int, named: str
) -> None:
    [told] = unused_here(settings(**given), 0, cores)

    assert told == (
        f"{named}: no effect here beyond 2: so many cores are here, and under load each replica"
        " uses one; lower it, or keep it for AWS"
    )


@pytest.mark.parametrize(("most", "cores"), [(2, 2), (1, 1), (3, None)])
def test_as_many_of_ingest_as_there_are_cores_are_told_nothing(
    most: int, cores: int | None
) -> None:
    given = settings(maxReplicas=most)

    assert not unused_here(given, 0, cores)
    assert not unused_on_aws(given)
    assert not unused_anywhere(given)


@pytest.mark.parametrize("amount", [-1, -0.1, ".inf", "nan", "much"])
def test_an_amount_of_a_resource_that_none_can_have_is_refused_by_its_name(amount: Any) -> None:
    with pytest.raises(SettingsError, match=r"ingest\.resources.*pool"):
        settings(resources={"pool": amount})
