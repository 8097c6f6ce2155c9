"""Model bucket as a volume, in words that Mountpoint's driver knows.

By the driver 2.7.0 (`pkg/driver/driver.go`, `pkg/driver/node/volumecontext`, read in July 2026).
"""

from collections.abc import Mapping
from typing import Any

import pytest

from cdk.manifests.security import USER
from tests.manifests.world import made, settings

DRIVER = "s3.csi.aws.com"
ATTRIBUTES: Mapping[str, str] = {
    "bucketName": "easel-models",
    "authenticationSource": "driver",
    "cache": "emptyDir",
    "cacheEmptyDirSizeLimit": "50Gi",
}
"""Attributes that the driver knows; of others it would say nothing, and do nothing."""


@pytest.fixture(scope="module")
def volume() -> Mapping[str, Any]:
    (found,) = (one for one in made() if one["kind"] == "PersistentVolume")
    spec: Mapping[str, Any] = found["spec"]
    return spec


def test_the_driver_knows_each_word_of_the_volume(volume: Mapping[str, Any]) -> None:
    assert volume["csi"]["driver"] == DRIVER
    assert volume["csi"]["volumeAttributes"] == ATTRIBUTES


def test_a_bucket_without_a_cache_has_no_word_of_one() -> None:
    (found,) = (
        one for one in made(storage={"checkpointCache": 0}) if one["kind"] == "PersistentVolume"
    )

    assert not [key for key in found["spec"]["csi"]["volumeAttributes"] if "cache" in key]


def test_pods_that_are_not_root_may_read_what_root_has_mounted(volume: Mapping[str, Any]) -> None:
    assert USER != 0
    assert "allow-other" in volume["mountOptions"]


def test_the_bucket_is_looked_for_in_the_region_of_the_installation(
    volume: Mapping[str, Any],
) -> None:
    assert f"region {settings().aws.region}" in volume["mountOptions"]


def test_nothing_of_the_bucket_can_be_changed(volume: Mapping[str, Any]) -> None:
    assert "read-only" in volume["mountOptions"]
    assert volume["accessModes"] == ["ReadOnlyMany"]
    assert volume["csi"]["readOnly"] is True
