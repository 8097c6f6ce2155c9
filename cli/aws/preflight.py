"""What must be there before a deployment; all that is missing is named at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from botocore.exceptions import ClientError

from cli.aws.errors import AwsError, Unmet, code_of, translated
from cli.aws.images import Images
from cli.aws.sdk import Aws
from cli.aws.tools import Tools
from cli.aws.weights import model_bucket
from cli.out import Out
from models.parts import Runtime
from models.settings import Settings

State = Literal["there", "missing", "note"]

BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
_SPOT_ROLE = "/aws-service-role/spot.amazonaws.com/"
_LEAST_NODE = 20
_QUOTAS = {
    ("on-demand", "gvt"): ("L-DB2E81BA", "Running On-Demand G and VT instances"),
    ("spot", "gvt"): ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    ("on-demand", "p"): ("L-417A185B", "Running On-Demand P instances"),
    ("spot", "p"): ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
}
"""By capacity and family; each is a number of vCPUs."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Preflight:
    """Looks at one installation; each look is a method, and a refusal is a finding as well."""

    aws: Aws
    settings: Settings
    tools: Tools
    bases: Mapping[str, str] = field(default_factory=dict)
    """As `Images` has them."""

    def __call__(self) -> list[Finding]:
        looks: Sequence[Callable[[], Iterator[Finding]]] = (
            self.programs,
            self.zones,
            self.instances,
            self.quotas,
            self.spot,
            self.weights,
            self.images,
            self.bootstrap,
        )
        return [finding for look in looks for finding in _told(look)]

    def programs(self) -> Iterator[Finding]:
        node = self.tools.version("node")
        if node is None or int(node.partition(".")[0]) < _LEAST_NODE:
            yield Finding("node", "missing", f"version {node}", "pip install 'atelier[cdk]'")
        else:
            yield Finding("node", "there", node)
        wanted, there = self.tools.pinned_cdk, self.tools.version("cdk")
        if there == wanted:
            yield Finding("cdk", "there", there)
        else:
            remedy = f"npm ci, in {self.tools.root} (or deploy without --skip-tools)"
            yield Finding("cdk", "missing", f"{there or 'none'}, not {wanted}", remedy)

    def zones(self) -> Iterator[Finding]:
        """Whether the region is open, and has the zones that the network is to lie in."""
        got = self.aws.client("ec2").describe_availability_zones()["AvailabilityZones"]
        there = {zone["ZoneName"] for zone in got if zone["State"] == "available"}
        wanted = {f"{self.aws.region}{letter}" for letter in self.settings.vpc.zones}
        if wanted <= there:
            yield Finding("zones", "there", ", ".join(sorted(wanted)))
        else:
            missing = ", ".join(sorted(wanted - there))
            remedy = f"choose vpc.zones among {', '.join(sorted(there))}"
            yield Finding("zones", "missing", missing, remedy)

    def instances(self) -> Iterator[Finding]:
        """Whether the region has the GPU nodes that each runtime names, and in which zones."""
        for runtime in self._on_gpus():
            offered = self.aws.all(
                "ec2",
                "describe_instance_type_offerings",
                "InstanceTypeOfferings",
                LocationType="availability-zone",
                Filters=[{"Name": "instance-type", "Values": list(runtime.nodes.instance_types)}],
            )
            types = {each["InstanceType"] for each in offered}
            missing = [one for one in runtime.nodes.instance_types if one not in types]
            name = f"nodes of {runtime.name}"
            if not types:
                remedy = "choose modelsRuntime[].nodes.instanceTypes that this region has"
                yield Finding(name, "missing", ", ".join(missing), remedy)
            elif missing:
                yield Finding(name, "note", f"not in this region: {', '.join(missing)}")
            else:
                yield Finding(name, "there", ", ".join(sorted(types)))

    def quotas(self) -> Iterator[Finding]:
        """Whether the account may run them: one at least, and better all that are allowed for."""
        wanted: dict[tuple[str, str], tuple[int, int]] = {}
        for runtime in self._on_gpus():
            for family, least, most in self._vcpus(runtime):
                for capacity in runtime.nodes.capacity:
                    had = wanted.get((capacity, family), (least, 0))
                    wanted[capacity, family] = min(had[0], least), had[1] + most
        for key, (least, most) in wanted.items():
            yield self._quota(*_QUOTAS[key], least, most)

    def spot(self) -> Iterator[Finding]:
        if not any("spot" in runtime.nodes.capacity for runtime in self._on_gpus()):
            return
        if has_spot_role(self.aws):
            yield Finding("Spot's role", "there", "in this account")
        else:
            yield Finding("Spot's role", "note", "not in this account; deploy makes it")

    def weights(self) -> Iterator[Finding]:
        bucket = model_bucket(self.aws, self.settings)
        if bucket is None:
            remedy = "set modelBucketArn: nodes cannot read a folder of this machine"
            yield Finding("model bucket", "missing", "none", remedy)
        elif bucket.exists():
            yield Finding("model bucket", "there", bucket.name)
        else:
            yield Finding("model bucket", "note", f"{bucket.name} is not there; deploy makes it")

    def images(self) -> Iterator[Finding]:
        images = Images(self.aws, self.settings, self.tools, self.bases)
        missing = images.missing()
        for kind in images.baseless():
            remedy = f"name yours: --base-image {kind}=IMAGE:VERSION (docker/README.md)"
            yield Finding(f"image of {kind}", "missing", "it is built on an image of yours", remedy)
        if not missing:
            yield Finding("images", "there", "all")
        elif self.tools.find("docker"):
            yield Finding("images", "note", f"deploy builds {', '.join(missing)}")
        else:
            remedy = "install Docker, or push them from elsewhere (docs/deploy.md), or name"
            remedy += " images.repository or modelsRuntime[].pod.image"
            yield Finding("images", "missing", ", ".join(missing), remedy)

    def bootstrap(self) -> Iterator[Finding]:
        version = bootstrapped(self.aws)
        if version:
            yield Finding("CDK bootstrap", "there", f"version {version}")
        else:
            yield Finding("CDK bootstrap", "note", "not in this region; deploy makes it")

    def _on_gpus(self) -> list[Runtime]:
        return [runtime for runtime in self.settings.models_runtime if runtime.gpus]

    def _vcpus(self, runtime: Runtime) -> Iterator[tuple[str, int, int]]:
        """Of each family of instances: vCPUs of its smallest node, and of all that may be up."""
        types = list(runtime.nodes.instance_types)
        got = self.aws.all("ec2", "describe_instance_types", "InstanceTypes", InstanceTypes=types)
        sizes: dict[str, list[tuple[int, int]]] = {}
        for each in got:
            family = _family(each["InstanceType"])
            gpus = sum(gpu["Count"] for gpu in each.get("GpuInfo", {}).get("Gpus", ())) or 1
            if family:
                sizes.setdefault(family, []).append((each["VCpuInfo"]["DefaultVCpus"], gpus))
        for family, known in sizes.items():
            most = max(-(-runtime.nodes.max_gpus // gpus) * vcpus for vcpus, gpus in known)
            yield family, min(vcpus for vcpus, _ in known), most

    def _quota(self, code: str, name: str, least: int, most: int) -> Finding:
        got = self.aws.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)
        value = int(got["Quota"]["Value"])
        remedy = f"ask for {most} vCPUs: aws service-quotas request-service-quota-increase"
        remedy += f" --service-code ec2 --quota-code {code} --desired-value {most}"
        if value < least:
            return Finding(name, "missing", f"{value} vCPUs; one node needs {least}", remedy)
        if value < most:
            return Finding(name, "note", f"{value} vCPUs; nodes.maxGpus allow for {most}", remedy)
        return Finding(name, "there", f"{value} vCPUs")


def has_spot_role(aws: Aws) -> bool:
    """Whether EC2 Spot may act in this account; without its role no Spot node starts."""
    return any(aws.all("iam", "list_roles", "Roles", PathPrefix=_SPOT_ROLE))


def make_spot_role(aws: Aws) -> None:
    if not has_spot_role(aws):
        aws.client("iam").create_service_linked_role(AWSServiceName="spot.amazonaws.com")


def bootstrapped(aws: Aws) -> str | None:
    """Version of the CDK's own resources in this region."""
    try:
        got = aws.client("ssm").get_parameter(Name=BOOTSTRAP)
    except ClientError as exc:
        if code_of(exc) == "ParameterNotFound":
            return None
        raise
    return str(got["Parameter"]["Value"])


def show(out: Out, findings: Sequence[Finding]) -> None:
    words = {"there": "there", "missing": "MISSING", "note": "note"}
    rows = [[one.name, words[one.state], one.text, one.remedy] for one in findings]
    out.table(["", "", "found", "do"], rows)


def demand(findings: Sequence[Finding]) -> None:
    """Go on only if nothing is missing.

    Raises:
        Unmet: naming all that is.
    """
    missing = [one for one in findings if one.state == "missing"]
    if missing:
        lines = [f"{one.name}: {one.text}; {one.remedy}" for one in missing]
        raise Unmet("missing before a deployment:\n" + "\n".join(lines))


def _told(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What it found; or that it was not allowed to look."""
    try:
        with translated():
            return list(look())
    except AwsError as exc:
        name = look.__name__
        return [Finding(name, "missing", str(exc), "every look needs to be allowed")]


def _family(instance_type: str) -> str | None:
    """To which quota it counts, if to one of those for GPUs."""
    letters = instance_type.partition(".")[0].rstrip("0123456789abcdefghijklmnopqrstuvwxyz-")
    first = letters[:1] or instance_type[:1]
    if first in {"g", "v"}:
        return "gvt"
    return "p" if first == "p" else None
