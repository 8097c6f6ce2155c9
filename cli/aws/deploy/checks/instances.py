"""Check that the region offers the runtimes' instance types."""

from collections.abc import Iterator

from cli.aws.deploy.checks.finding import Finding
from cli.aws.deploy.checks.network import wanted_zones, zone_letters
from cli.aws.sdk import Aws
from models.settings import Runtime, Settings


def instances(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Find which of each runtime's instance types EC2 offers in the zones of the network."""
    zones = set(wanted_zones(settings))
    for runtime in settings.models_runtime:
        yield _finding(runtime, _offered(aws, runtime), zones)


def _offered(aws: Aws, runtime: Runtime) -> dict[str, set[str]]:
    """Return the zones that offer each type; an empty set if the region does not have it."""
    types = runtime.nodes.instance_types
    offered: dict[str, set[str]] = {instance_type: set() for instance_type in types}
    for offering in aws.paginated(
        "ec2",
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": list(types)}],
    ):
        offered[offering["InstanceType"]].add(offering["Location"])
    return offered


def _finding(runtime: Runtime, offered: dict[str, set[str]], zones: set[str]) -> Finding:
    name = f"nodes of {runtime.name}"
    here = {
        instance_type: zones_with_it & zones for instance_type, zones_with_it in offered.items()
    }
    missing = ", ".join(
        instance_type for instance_type, zones_with_it in here.items() if not zones_with_it
    )
    available = ", ".join(
        f"{instance_type} in {zone_letters(zones_with_it)}"
        for instance_type, zones_with_it in here.items()
        if zones_with_it
    )
    if available:
        return (
            Finding(name, "note", f"{available}; not: {missing}")
            if missing
            else Finding(name, "there", available)
        )
    elsewhere = set().union(*offered.values())
    remedy = "choose modelsRuntime[].nodes.instanceTypes that this region has"
    if elsewhere:
        remedy = f"take one of {zone_letters(elsewhere)} into vpc.zones, or other instanceTypes"
    return Finding(name, "missing", missing, remedy)
