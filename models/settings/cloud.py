"""The groups of settings that only infrastructure reads: what is made on AWS, and how big it is."""

import re
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from models.settings.base import Group
from models.settings.values import Arn, Cidr, Cores, KeyArn, Positive

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
