"""The groups of settings that only infrastructure reads: what is made on AWS, and how big it is."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from models.settings.base import Group

Positive = Annotated[int, Field(ge=1)]
Cores = Annotated[float, Field(ge=0.1)]
Duration = Annotated[str, Field(pattern=r"^([0-9]+(s|m|h))+$|^Never$")]
"""As Karpenter takes it: ``300s``, ``1h30m``, ``Never``."""
Arn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:[a-z0-9-]+:.+")]
KeyArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:kms:[^:]+:\d+:key/")]
Cidr = IPv4Network
Capacity = Literal["spot", "on-demand"]
ImageCache = Literal["soci", "ebs-snapshot", "none"]
_OWN_TAINTS = (("nvidia.com/gpu", "NoSchedule"), ("runtime", "NoSchedule"))
"""Keys and effects of what the platform's own nodes are tainted with."""
_TAGS_OF_OTHERS = re.compile(
    r"|aws:.*|eks:eks-cluster-name|kubernetes\.io/cluster.*"
    r"|karpenter\.sh/(nodepool|nodeclaim)|karpenter\.k8s\.aws/ec2nodeclass"
)
"""Keys that Karpenter 1.14's EC2NodeClass refuses, or EC2."""
_SYSTEM = re.compile(r"kube-.*|default|amazon-cloudwatch|kuberay-operator")
"""Namespaces of others, whose pods a namespace that is `restricted` would refuse."""
_LARGEST, _SMALLEST = 16, 28
"""Prefixes that AWS takes for a network; and for a subnet."""


class Vpc(Group):
    """The network: a new one, or with ``id`` one that there is."""

    id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]+$")] | None = None
    cidr: Cidr = IPv4Network("10.0.0.0/16")
    """Its addresses, of an existing one, too: the pods' front lets those in."""
    more_cidrs: tuple[Cidr, ...] = ()
    """Further ones of an existing network, which the pods' front lets in as well."""
    zones: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]$")], ...], Field(min_length=2)] = (
        "a",
        "b",
        "c",
    )
    """Letters of the availability zones of the region."""
    nat_gateways: Positive = 1
    """One is the cheapest; one in each zone outlives the loss of a zone."""
    private_subnets: tuple[str, ...] = ()
    """Of an existing network, one for each zone, in the order of ``zones``."""
    public_subnets: tuple[str, ...] = ()
    """Of an existing network; none, if it has none."""

    @model_validator(mode="after")
    def _known_if_existing(self) -> Self:
        if self.id is None and (self.private_subnets or self.public_subnets):
            raise ValueError("subnets are of an existing network: id must name it")
        if self.id is not None and len(self.private_subnets) != len(self.zones):
            raise ValueError("an existing network needs one of privateSubnets for each of zones")
        if self.nat_gateways > len(self.zones):
            raise ValueError("natGateways: at most one for each of zones")
        return self

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        lists = {
            "zones": self.zones,
            "privateSubnets": self.private_subnets,
            "publicSubnets": self.public_subnets,
        }
        for name, given in lists.items():
            if len(set(given)) < len(given):
                raise ValueError(f"{name}: each must be named once")
        return self

    @model_validator(mode="after")
    def _of_a_size(self) -> Self:
        """CDK cuts a new network into a public and a private subnet for each zone."""
        prefix = self.cidr.prefixlen
        if not _LARGEST <= prefix <= _SMALLEST:
            raise ValueError(f"cidr: AWS takes /{_LARGEST} to /{_SMALLEST}")
        subnets = 2 * len(self.zones)
        if self.id is None and prefix + (subnets - 1).bit_length() > _SMALLEST:
            raise ValueError(f"cidr: too small for {subnets} subnets of /{_SMALLEST} at least")
        return self


class Cluster(Group):
    """The Kubernetes cluster."""

    version: Annotated[str, Field(pattern=r"^1\.\d\d$")] = "1.36"
    bottlerocket: Annotated[str, Field(pattern=r"^v\d+\.\d+\.\d+$")] = "v1.68.0"
    """The GPU nodes' system; pinned, for each change of it replaces them all."""
    admins: tuple[Arn, ...] = ()
    """Roles or users that administer the cluster; who made it does not by that."""
    public_access_cidrs: tuple[Cidr, ...] = (IPv4Network("0.0.0.0/0"),)
    """From where the cluster's API may be called; none: from inside the network only."""
    chart_repository: Annotated[str, Field(pattern=r"^oci://\S*[^\s/]$")] | None = None
    """A mirror of the charts, by their names: ``<this>/karpenter``; None: where each is at home."""
    image_registry: Annotated[str, Field(pattern=r"^[^\s:/]\S*[^\s/]$")] | None = None
    """A mirror of the charts' images, by their paths: ``<this>/karpenter/controller``."""
    volume_key_arn: KeyArn | None = None
    """The KMS key of all nodes' volumes, of the same region; None: the account's default for EBS.
    Where that default is a customer's own key, name it here: Karpenter may use no other."""


class Volume(Group):
    """An EBS volume, gp3."""

    size: Positive
    """GiB."""
    iops: Annotated[int, Field(ge=3_000, le=16_000)] = 3_000
    throughput: Annotated[int, Field(ge=125, le=1_000)] = 125
    """MiB/s."""


class OsVolume(Volume):
    """The volume of Bottlerocket itself, made from a snapshot of 4 GiB."""

    size: Annotated[int, Field(ge=4)] = 10
    """GiB."""


class DataVolume(Volume):
    """The volume for images and what pods write; Bottlerocket's own default is 20 GiB."""

    size: Annotated[int, Field(ge=20)] = 100
    """GiB; and where it holds checkpoints too, ``storage.checkpointCache`` more."""


class Taint(Group):
    key: str
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"


class Requirement(Group):
    """What a node must have, as Karpenter says it."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = "In"
    values: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _with_values(self) -> Self:
        if self.operator in {"In", "NotIn"} and not self.values:
            raise ValueError(f"values: {self.operator} needs one at least")
        number = "".join(self.values)
        if self.operator in {"Gt", "Lt"} and (
            len(self.values) != 1 or not (number.isascii() and number.isdecimal())
        ):
            raise ValueError(f"values: {self.operator} takes one whole number, 0 or more")
        return self


class Nodes(Group):
    """The GPU nodes of a runtime."""

    instance_types: Annotated[tuple[str, ...], Field(min_length=1)] = ("g6.2xlarge", "g5.2xlarge")
    capacity: Annotated[tuple[Capacity, ...], Field(min_length=1, max_length=2)] = (
        "spot",
        "on-demand",
    )
    """Both: Spot first, on demand where there was none for ``rayCluster.startMinutes``."""
    max_gpus: Positive = 5
    """The most GPUs at once, of each kind of capacity, that replicas have: what bounds the bill.
    Nodes are counted whole: on instances with several GPUs as many may be up as these need, and
    while a new Ray cluster takes over, as many more as its first ``replicas`` need."""
    idle_seconds: Positive = 300
    """How long a pod does nothing before it goes; its node goes ``consolidateAfter`` later."""
    consolidate: bool = False
    """Whether nodes that are half empty are emptied, too, and not only those without a task."""
    consolidate_after: Duration = "60s"
    expire_after: Duration = "168h"
    """The age at which a node is replaced, for what was mended in its system since."""
    image_cache: ImageCache = "soci"
    """``soci``: images are pulled in parallel onto the node's own NVMe; ``ebs-snapshot``: they are
    on the volume already, see `atelier aws snapshot`; ``none``: they are pulled onto the volume."""
    snapshot: Annotated[str, Field(pattern=r"^snap-[0-9a-f]+$")] | None = None
    os_volume: OsVolume = OsVolume()
    data_volume: DataVolume = DataVolume()
    """Holds the images; unless ``imageCache: soci``, which uses the node's NVMe."""
    taints: tuple[Taint, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    tags: Mapping[str, str] = Field(default_factory=dict)
    user_data: str = ""
    """More Bottlerocket settings, in TOML."""

    @model_validator(mode="after")
    def _cached_in_one_way(self) -> Self:
        if (self.image_cache == "ebs-snapshot") != (self.snapshot is not None):
            raise ValueError("imageCache: ebs-snapshot and snapshot go together")
        return self

    @field_validator("tags")
    @classmethod
    def _tagged_by_us(cls, tags: Mapping[str, str]) -> Mapping[str, str]:
        if any(_TAGS_OF_OTHERS.fullmatch(key) for key in tags):
            raise ValueError(
                "no empty key, and none that is Karpenter's or AWS's own (karpenter.sh/nodepool,"
                " kubernetes.io/cluster/…, eks:eks-cluster-name, aws:…): leave it out"
            )
        return tags

    @field_validator("taints")
    @classmethod
    def _tainted_once(cls, taints: tuple[Taint, ...]) -> tuple[Taint, ...]:
        """Refuse two taints of one key and effect: Karpenter makes no node of such a pool."""
        pairs = [(one.key, one.effect) for one in taints]
        for number, pair in enumerate(pairs):
            if pair in _OWN_TAINTS:
                raise ValueError(f"nodes have {pair[0]} with {pair[1]} by themselves: leave it out")
            if (first := pairs.index(pair)) != number:
                raise ValueError(
                    f"number {number + 1} has the key and effect of number {first + 1}:"
                    " leave one out, or change its effect"
                )
        return taints


class Pod(Group):
    """What a runtime's replica gets of its node, and what it is started from."""

    image: str | None = None
    """None: that of the runtime's type in ``images.repository``."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    cpu: Positive | None = None
    """Cores; None: four fifths of what the smallest of its instances has for each GPU."""
    memory: Positive | None = None
    """GiB; None: three quarters of that instance's."""
    env: Mapping[str, str] = Field(default_factory=dict)
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    existing_claim: str | None = None
    """A volume claim with the weights; None: the model bucket, mounted."""


class Images(Group):
    """Where the containers' images are."""

    repository: str | None = None
    """What stands before ``/atelier-<type>:<tag>``; None: the account's own registry."""
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")] = "0.1.0"
    keep: Positive = 10
    """Images that the registry keeps of each."""


class Storage(Group):
    """The buckets."""

    create_model_bucket: bool = False
    """Whether ``modelBucketArn`` is made, or there already."""
    model_bucket_key_arn: KeyArn | None = None
    """The KMS key that a bucket which is there already encrypts with, if it is a customer's own."""
    output_days: Positive | None = None
    """After which pictures are deleted; None: never."""
    infrequent_days: Annotated[int, Field(ge=30)] | None = None
    """After which pictures move to the class for what is seldom read."""
    checkpoint_cache: Annotated[int, Field(ge=0)] = 50
    """GiB of a node's disk for what was read of checkpoints; 0: each is read from S3 again."""

    @model_validator(mode="after")
    def _seldom_before_never(self) -> Self:
        if self.output_days and self.infrequent_days and self.infrequent_days >= self.output_days:
            raise ValueError("infrequentDays must be fewer than outputDays")
        return self

    @model_validator(mode="after")
    def _key_of_another(self) -> Self:
        if self.create_model_bucket and self.model_bucket_key_arn:
            raise ValueError("createModelBucket makes one without a key: no modelBucketKeyArn")
        return self


class Edge(Group):
    """The Lambda function behind API Gateway; where there is none (China), publish to SNS."""

    enabled: bool = True
    architecture: Literal["arm64", "x86_64"] = "arm64"
    memory: Annotated[int, Field(ge=128, le=10_240)] = 512
    """MiB."""
    timeout_seconds: Annotated[int, Field(ge=1, le=29)] = 29
    """API Gateway itself waits for 29."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """The most at once, reserved; None: as many as the account has."""
    log_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365] = 30
    set_account_role: bool = True
    """Whether API Gateway's role for logs is set, of which a region of an account has one; else
    somebody has set it: API Gateway makes no access log without one."""


class Alarms(Group):
    """When somebody is to be told."""

    emails: tuple[str, ...] = ()
    oldest_seconds: Positive = 900
    """A task has waited for so long."""
    failed_ratio: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Of the tasks that ended within a quarter of an hour."""
    starved_minutes: Annotated[int, Field(ge=1, le=1_440)] = 20
    """Tasks wait, and for so long no replica has brought one to its end."""
    interruptions: Positive = 5
    """Spot nodes that AWS took back within a quarter of an hour."""


class RayCluster(Group):
    """The Ray cluster: its head, and the workers of ingest."""

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)] = (
        "atelier"
    )
    head_cpu: Cores = 0.5
    head_memory: Annotated[int, Field(ge=2)] = 4
    """GiB."""
    ingest_cpu: Cores = 0.5
    ingest_memory: Positive = 2
    """GiB."""
    ingest_workers: Positive = 1
    redis_address: Annotated[str, Field(pattern=r"^(rediss?://)?[^/:]+:\d+$")] | None = None
    """What keeps the head's state; None: a Valkey in the cluster."""
    redis_image: str = "public.ecr.aws/valkey/valkey:8.1.11-alpine"
    """Image of that Valkey; by default from Amazon's public registry, as its makers publish it:
    Docker Hub counts what comes from one address, and all nodes come from one."""
    ready_minutes: Positive = 30
    """How long a new cluster may take to serve."""
    start_minutes: Positive = 10
    """How long a pod may take until Ray runs in it, its node's start and its image's way included;
    then its place is asked for elsewhere: on demand, where Spot has none. Less than
    ``readyMinutes`` and ``alarms.starvedMinutes``, for a second start to fit in."""
    metrics_namespace: str | None = None
    """Whose pods may read Ray's metrics, a Prometheus; None: nobody's."""
    upgrade: Literal["NewCluster", "None"] = "NewCluster"
    """``NewCluster`` needs the GPUs twice for a while; ``None`` leaves a gap instead."""

    @field_validator("namespace")
    @classmethod
    def _own(cls, namespace: str) -> str:
        if _SYSTEM.fullmatch(namespace):
            raise ValueError(
                "belongs to others, whose pods would be refused at their next start"
                " (Pod Security: restricted): take another, such as atelier"
            )
        return namespace
