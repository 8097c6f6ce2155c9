"""How many vCPUs the account may run at once, beside what the settings allow for."""

from collections.abc import Iterator, Mapping

from botocore.exceptions import ClientError

from cli.aws.errors import code_of
from cli.aws.looks.finding import Finding
from cli.aws.sdk import Aws
from models.parts import Runtime
from models.settings import Settings

Kind = tuple[str, str]
"""Capacity and family: what a quota is of."""

_SYSTEM: Kind = ("on-demand", "standard")
_QUOTAS: Mapping[Kind, tuple[str, str]] = {
    _SYSTEM: ("L-1216C47A", "Running On-Demand Standard instances"),
    ("on-demand", "gvt"): ("L-DB2E81BA", "Running On-Demand G and VT instances"),
    ("spot", "gvt"): ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    ("on-demand", "p"): ("L-417A185B", "Running On-Demand P instances"),
    ("spot", "p"): ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
}
_SPARE = 8
"""vCPUs of the largest node that Karpenter adds to the system's, such as for an upgrade's second
head; the machine that makes a snapshot has 2."""
_NOT_KNOWN = "NoSuchResourceException"


def quotas(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Whether the account may run them: what is needed at least, and better all that may come."""
    wanted: dict[Kind, tuple[int, int]] = {}
    for kind, least, most in _wanted(aws, settings):
        had = wanted.get(kind, (least, 0))
        wanted[kind] = min(had[0], least), had[1] + most
    for kind, (least, most) in wanted.items():
        yield _quota(aws, kind, least, most)


def _wanted(aws: Aws, settings: Settings) -> Iterator[tuple[Kind, int, int]]:
    """Of the system nodes and of each runtime: least and most vCPUs.

    Types that the region does not have are left out.
    """
    system = settings.cluster_components
    on_gpus = [runtime for runtime in settings.models_runtime if runtime.gpus]
    types = {system.instance_type, *(t for one in on_gpus for t in one.nodes.instance_types)}
    sizes = _sizes(aws, types)
    if system.instance_type in sizes:
        nodes = system.desired_count * sizes[system.instance_type][0]
        yield _SYSTEM, nodes, nodes + _SPARE
    for runtime in on_gpus:
        for family, least, most in _of_runtime(runtime, sizes):
            for capacity in runtime.nodes.capacity:
                yield (capacity, family), least, most


def _sizes(aws: Aws, types: set[str]) -> Mapping[str, tuple[int, int]]:
    """VCPUs and GPUs of each; by a filter, which unlike a list of types may name unknown ones."""
    named = [{"Name": "instance-type", "Values": sorted(types)}]
    found = aws.all("ec2", "describe_instance_types", "InstanceTypes", Filters=named)
    return {
        each["InstanceType"]: (
            each["VCpuInfo"]["DefaultVCpus"],
            sum(gpu["Count"] for gpu in each.get("GpuInfo", {}).get("Gpus", ())) or 1,
        )
        for each in found
    }


def _of_runtime(
    runtime: Runtime, sizes: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[str, int, int]]:
    """Of each family of instances: vCPUs of its smallest node, and of all that may be up."""
    nodes = runtime.nodes
    families: dict[str, list[tuple[int, int]]] = {}
    for kind in nodes.instance_types:
        if kind in sizes and (family := _family(kind)):
            families.setdefault(family, []).append(sizes[kind])
    for family, known in families.items():
        most = max(-(-nodes.max_gpus // gpus) * vcpus for vcpus, gpus in known)
        yield family, min(vcpus for vcpus, _ in known), most


def _quota(aws: Aws, kind: Kind, least: int, most: int) -> Finding:
    code, name = _QUOTAS[kind]
    value = _allowed(aws, code)
    remedy = f"ask for {most} vCPUs: aws service-quotas request-service-quota-increase"
    remedy += f" --service-code ec2 --quota-code {code} --desired-value {most}"
    if value is None:
        return Finding(name, "note", f"not told here; {least} vCPUs are needed, {most} may come")
    if value < least:
        what = f"{least} are the system nodes'" if kind == _SYSTEM else f"one node needs {least}"
        return Finding(name, "missing", f"{value} vCPUs; {what}", remedy)
    if value < most:
        more = "an upgrade may need" if kind == _SYSTEM else "nodes.maxGpus allow for"
        return Finding(name, "note", f"{value} vCPUs; {more} {most}", remedy)
    return Finding(name, "there", f"{value} vCPUs")


def _allowed(aws: Aws, code: str) -> int | None:
    """What the account was given, else what each account begins with."""
    client = aws.client("service-quotas")
    for call in (client.get_service_quota, client.get_aws_default_service_quota):
        try:
            return int(call(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"])
        except ClientError as exc:
            if code_of(exc) != _NOT_KNOWN:
                raise
    return None


def _family(instance_type: str) -> str | None:
    """To which quota a GPU's instance counts."""
    first = instance_type[0]
    if first in {"g", "v"}:
        return "gvt"
    return "p" if first == "p" else None
