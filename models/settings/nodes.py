"""Groups of settings for a runtime's GPU nodes and for its pods on them."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from models.settings.base import Group
from models.settings.values import Duration, Positive

Capacity = Literal["spot", "on-demand"]
ImageCache = Literal["soci", "ebs-snapshot", "none"]
_OWN_TAINTS = (("nvidia.com/gpu", "NoSchedule"), ("runtime", "NoSchedule"))
"""Keys and effects of the taints that the platform gives its own nodes."""
# The empty alternative in front is for an empty key.
_TAGS_OF_OTHERS = re.compile(
    r"|aws:.*|eks:eks-cluster-name|kubernetes\.io/cluster.*"
    r"|karpenter\.sh/(nodepool|nodeclaim)|karpenter\.k8s\.aws/ec2nodeclass"
)
"""Keys of tags that EC2 or an EC2NodeClass of Karpenter 1.14 refuses."""


class Volume(Group):
    """EBS volume of the type gp3."""

    size: Positive
    """GiB of the volume."""
    iops: Annotated[int, Field(ge=3_000, le=16_000)] = 3_000
    throughput: Annotated[int, Field(ge=125, le=1_000)] = 125
    """MiB/s that the volume reads and writes at most."""


class OsVolume(Volume):
    """Volume of Bottlerocket itself, made from a snapshot of 4 GiB."""

    size: Annotated[int, Field(ge=4)] = 10
    """GiB of the volume."""


class DataVolume(Volume):
    """Volume for images and what pods write; Bottlerocket's own default is 20 GiB."""

    size: Annotated[int, Field(ge=20)] = 100
    """GiB of the volume; where it holds checkpoints too, ``storage.checkpointCache`` more."""


class Taint(Group):
    key: str
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"


class Requirement(Group):
    """Requirement on a node, in the words of Karpenter's NodePool."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = "In"
    values: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _with_values(self) -> Self:
        if self.operator in {"In", "NotIn"} and not self.values:
            raise ValueError(f"values: {self.operator} needs one at least")
        number = "".join(self.values)
        if self.operator in {"Gt", "Lt"} and (
            # `isdecimal` by itself takes the digits of every script.
            len(self.values) != 1 or not (number.isascii() and number.isdecimal())
        ):
            raise ValueError(f"values: {self.operator} takes one whole number, 0 or more")
        return self


class Nodes(Group):
    """GPU nodes of a runtime."""

    instance_types: Annotated[tuple[str, ...], Field(min_length=1)] = ("g6.2xlarge", "g5.2xlarge")
    capacity: Annotated[tuple[Capacity, ...], Field(min_length=1, max_length=2)] = (
        "spot",
        "on-demand",
    )
    """Kinds of capacity; both: Spot first, on demand where there was none for
    ``rayCluster.startMinutes``."""
    max_gpus: Positive | None = None
    """Most GPUs at once, of each kind of capacity, that replicas have: the bound of the bill. None:
    as many as ``scaling.maxReplicas`` need. Nodes are counted whole: on instances with several GPUs
    as many may be up as these need, and while a new Ray cluster takes over, as many more as its
    first replicas need."""
    idle_seconds: Positive = 30
    """Seconds that a pod without a replica stays; its node goes ``consolidateAfter`` later. How
    long a replica without a task stays is said by ``scaling.cooldownSeconds``."""
    consolidate: bool = False
    """Remove nodes that are half empty, too, and not only those without a task."""
    consolidate_after: Duration = "60s"
    expire_after: Duration = "168h"
    """Age at which a node is replaced, for what was mended in its system since."""
    image_cache: ImageCache = "soci"
    """Way of images to a node. ``soci``: pulled in parallel onto the node's own NVMe;
    ``ebs-snapshot``: on the volume already, see `atelier aws snapshot`; ``none``: pulled onto the
    volume."""
    snapshot: Annotated[str, Field(pattern=r"^snap-[0-9a-f]+$")] | None = None
    os_volume: OsVolume = OsVolume()
    data_volume: DataVolume = DataVolume()
    """Volume for the images; with ``imageCache: soci`` the node's NVMe holds them instead."""
    taints: tuple[Taint, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    tags: Mapping[str, str] = Field(default_factory=dict)
    user_data: str = ""
    """Further Bottlerocket settings, in TOML."""

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
        pairs = [(taint.key, taint.effect) for taint in taints]
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
    """Pod of a runtime's replica: its share of the node, and what it is started from."""

    image: str | None = None
    """Image of the pod; None: that of the runtime's type in ``images.repository``."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    cpu: Positive | None = None
    """Cores; None: four fifths of what the smallest of its instances has for each GPU."""
    memory: Positive | None = None
    """GiB; None: three quarters of what the smallest of its instances has for each GPU."""
    env: Mapping[str, str] = Field(default_factory=dict)
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    existing_claim: str | None = None
    """Volume claim with the weights; None: the model bucket, mounted."""
