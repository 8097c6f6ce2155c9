"""Groups of settings that only infrastructure reads: what is made on AWS, and its size."""

import re
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from models.settings.base import Group
from models.settings.values import Arn, Cidr, Cores, KeyArn, Positive

_SYSTEM = re.compile(r"kube-.*|default|amazon-cloudwatch|kuberay-operator")
"""Namespaces of other software, whose pods would be refused in a namespace that is `restricted`."""
_LARGEST, _SMALLEST = 16, 28
"""Prefix lengths of the largest network and of the smallest subnet that AWS takes."""


class Vpc(Group):
    """Network (VPC) of the installation: a new one, or with ``id`` one that exists."""

    id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]+$")] | None = None
    cidr: Cidr = IPv4Network("10.0.0.0/16")
    """Addresses of the network, of an existing one, too: the network policy of the HTTP API's pods
    lets them in."""
    more_cidrs: tuple[Cidr, ...] = ()
    """Further address ranges of an existing network, which the HTTP API's pods let in as well."""
    # EKS wants subnets in two zones at least.
    zones: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]$")], ...], Field(min_length=2)] = (
        "a",
        "b",
        "c",
    )
    """Letters of the availability zones of the region."""
    nat_gateways: Positive = 1
    """NAT gateways: one is the cheapest; one in each zone outlives the loss of a zone."""
    private_subnets: tuple[str, ...] = ()
    """Ids of private subnets of an existing network, one for each zone, in the order of
    ``zones``."""
    public_subnets: tuple[str, ...] = ()
    """Ids of public subnets of an existing network; none, if it has none."""

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
        """Check that the network can be cut: CDK makes two subnets in each zone."""
        prefix = self.cidr.prefixlen
        if not _LARGEST <= prefix <= _SMALLEST:
            raise ValueError(f"cidr: AWS takes /{_LARGEST} to /{_SMALLEST}")
        subnets = 2 * len(self.zones)
        # CDK gives all subnets one size, a power of two: six take three bits, so a /16 makes /19s.
        if self.id is None and prefix + (subnets - 1).bit_length() > _SMALLEST:
            raise ValueError(f"cidr: too small for {subnets} subnets of /{_SMALLEST} at least")
        return self


class Cluster(Group):
    """Kubernetes cluster (EKS)."""

    version: Annotated[str, Field(pattern=r"^1\.\d\d$")] = "1.36"
    bottlerocket: Annotated[str, Field(pattern=r"^v\d+\.\d+\.\d+$")] = "v1.68.0"
    """Version of Bottlerocket on the GPU nodes; pinned, for each change of it replaces them all."""
    admins: tuple[Arn, ...] = ()
    """ARNs of roles or users that administer the cluster; its maker does not by having made it."""
    public_access_cidrs: tuple[Cidr, ...] = (IPv4Network("0.0.0.0/0"),)
    """Addresses from which the cluster's API may be called; none: from inside the network only."""
    chart_repository: Annotated[str, Field(pattern=r"^oci://\S*[^\s/]$")] | None = None
    """OCI mirror of the Helm charts, by their names: ``<this>/karpenter``; None: each chart's own
    registry."""
    image_registry: Annotated[str, Field(pattern=r"^[^\s:/]\S*[^\s/]$")] | None = None
    """Mirror of the charts' images, by their paths: ``<this>/karpenter/controller``; None: their
    own."""
    volume_key_arn: KeyArn | None = None
    """KMS key of all nodes' volumes, in the same region; None: the account's default for EBS. Where
    that default is a customer's own key, name it here: Karpenter may use no other."""


class Images(Group):
    """Registry and tag of the containers' images."""

    repository: str | None = None
    """Registry, as it stands before ``/atelier-<type>:<tag>``; None: the account's own."""
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")] = "0.1.0"
    keep: Positive = 10
    """Number of images that the account's registry keeps of each repository."""


class Storage(Group):
    """Buckets: how long they keep objects, and the keys that encrypt them."""

    create_model_bucket: bool = False
    """Make the bucket of ``modelBucketArn``; false: it exists already."""
    model_bucket_key_arn: KeyArn | None = None
    """KMS key that an existing model bucket encrypts with, if it is a customer's own."""
    output_days: Positive | None = None
    """Days after which artifacts are deleted; None: never."""
    # S3 moves nothing to that class in an object's first 30 days.
    infrequent_days: Annotated[int, Field(ge=30)] | None = None
    """Days after which artifacts move to the storage class for infrequent access; None: never."""
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
    """Edge: the Lambda function behind API Gateway; where there is none (China), publish to SNS."""

    enabled: bool = True
    architecture: Literal["arm64", "x86_64"] = "arm64"
    memory: Annotated[int, Field(ge=128, le=10_240)] = 512
    """MiB of the function."""
    timeout_seconds: Annotated[int, Field(ge=1, le=29)] = 29
    """Longest run of the function; API Gateway itself waits for 29 seconds."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """Calls at once, reserved for the function; None: as many as the account has."""
    # CloudWatch Logs takes these numbers of days, some more, and none between them.
    log_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365] = 30
    set_account_role: bool = True
    """Set API Gateway's role for logs, of which an account has one in a region; false: somebody
    else has set it, for API Gateway writes no access log without one."""


class Alarms(Group):
    """Bounds past which somebody is notified."""

    emails: tuple[str, ...] = ()
    oldest_seconds: Positive = 900
    """Seconds that a task has waited in its queue."""
    failed_ratio: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of failures among the tasks that ended within a quarter of an hour."""
    # One day: an alarm looks back no further in periods of a minute.
    starved_minutes: Annotated[int, Field(ge=1, le=1_440)] = 20
    """Minutes in which tasks wait and no replica has brought one to its end."""
    interruptions: Positive = 5
    """Spot nodes that AWS took back within a quarter of an hour."""


class RayCluster(Group):
    """Ray cluster: its head, and the pods of the HTTP API and ingest."""

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)] = (
        "atelier"
    )
    head_cpu: Cores = 0.5
    head_memory: Annotated[int, Field(ge=2)] = 4
    """GiB of the head's pod."""
    ingest_cpu: Cores = 0.5
    ingest_memory: Positive = 2
    """GiB of a pod of ingest."""
    ingest_workers: Positive = 1
    redis_address: Annotated[str, Field(pattern=r"^(rediss?://)?[^/:]+:\d+$")] | None = None
    """Address of the Redis that keeps the head's state; None: a Valkey in the cluster."""
    redis_image: str = "public.ecr.aws/valkey/valkey:8.1.11-alpine"
    """Image of that Valkey; by default from Amazon's public registry, as its makers publish it:
    Docker Hub counts what comes from one address, and all nodes come from one."""
    ready_minutes: Positive = 30
    """Minutes that a new cluster may take to serve."""
    start_minutes: Positive = 10
    """Minutes that a pod may take until Ray runs in it, its node's start and its image's download
    included; then a pod is asked for elsewhere: on demand, where Spot has none. Less than
    ``readyMinutes`` and ``alarms.starvedMinutes``, for a second start to fit in."""
    metrics_namespace: str | None = None
    """Namespace whose pods, a Prometheus, may read Ray's metrics; None: no pod may."""
    upgrade: Literal["NewCluster", "None"] = "NewCluster"
    """Way to a new Ray cluster: ``NewCluster`` needs the GPUs twice for a while; ``None`` leaves a
    gap instead."""

    @field_validator("namespace")
    @classmethod
    def _own(cls, namespace: str) -> str:
        if _SYSTEM.fullmatch(namespace):
            raise ValueError(
                "belongs to others, whose pods would be refused at their next start"
                " (Pod Security: restricted): take another, such as atelier"
            )
        return namespace
