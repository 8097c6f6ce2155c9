"""Check the region's availability zones, and the subnets of an existing network."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cli.aws.deploy.checks.finding import Finding
from cli.aws.sdk import Aws
from models.settings import Settings

_WITHOUT_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})
"""Ids of zones where EKS accepts no subnet of a cluster, by its user guide.

Ids, for each account has its own letters for the zones.
"""


def wanted_zones(settings: Settings) -> list[str]:
    return [f"{settings.aws.region}{letter}" for letter in settings.vpc.zones]


def zone_letters(zones: Iterable[str]) -> str:
    """Join the letters of zones, as `vpc.zones` spells them."""
    return ", ".join(sorted(zone[-1] for zone in zones))


def zones(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Check that the zones of the network exist, are available, and are accepted by EKS."""
    described = aws.client("ec2").describe_availability_zones()["AvailabilityZones"]
    ids = {zone["ZoneName"]: zone["ZoneId"] for zone in described if _is_open(zone)}
    accepted = {zone for zone, known in ids.items() if known not in _WITHOUT_EKS}
    wanted = wanted_zones(settings)
    if missing := [_described(zone, ids) for zone in wanted if zone not in accepted]:
        remedy = f"choose vpc.zones among {zone_letters(accepted)}"
        yield Finding("zones", "missing", ", ".join(missing), remedy)
    else:
        yield Finding("zones", "there", ", ".join(wanted))


def subnets(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Check that the subnets of an existing network belong to it and lie in the expected zones."""
    vpc = settings.vpc
    if vpc.id is None:
        return
    zones = wanted_zones(settings)
    expected = [
        *((subnet, [zone]) for subnet, zone in zip(vpc.private_subnets, zones, strict=True)),
        *((subnet, zones) for subnet in vpc.public_subnets),
    ]
    ids = [{"Name": "subnet-id", "Values": [subnet for subnet, _ in expected]}]
    found = aws.paginated("ec2", "describe_subnets", "Subnets", Filters=ids)
    known = {description["SubnetId"]: description for description in found}
    wrong = [
        text
        for subnet, allowed in expected
        if (text := _misplaced(subnet, known.get(subnet), vpc.id, allowed))
    ]
    if wrong:
        remedy = "name subnets of vpc.id, vpc.privateSubnets in the order of vpc.zones"
        yield Finding("subnets", "missing", "; ".join(wrong), remedy)
    else:
        yield Finding("subnets", "there", f"in {vpc.id}")


def _is_open(zone: Mapping[str, Any]) -> bool:
    """Tell whether a zone is open and no Local Zone, which are listed, too, once opted in to."""
    return (zone["State"], zone["ZoneType"]) == ("available", "availability-zone")


def _described(zone: str, ids: Mapping[str, str]) -> str:
    return f"{zone} ({ids[zone]}, where EKS is not)" if zone in ids else zone


def _misplaced(
    subnet: str, found: Mapping[str, Any] | None, vpc: str, zones: Iterable[str]
) -> str | None:
    if found is None:
        return f"{subnet} is not there"
    if found["VpcId"] != vpc:
        return f"{subnet} is in {found['VpcId']}"
    zone = found["AvailabilityZone"]
    return None if zone in zones else f"{subnet} is in {zone}, not in {', '.join(zones)}"
