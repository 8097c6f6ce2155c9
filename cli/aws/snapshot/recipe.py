"""Recipe of a snapshot: the images that it holds, and the instance that makes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.names.images import image_of
from models.names.tags import PROJECT, TAG, tag
from models.settings import Runtime, Settings


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Images of a snapshot, and how it is made."""

    stack: str
    images: Sequence[str]
    ami_parameter: str
    """Public SSM parameter with the AMI's id."""
    arch: str = "x86_64"
    instance_type: str | None = None
    size: int = 100
    """Size of the volume in GiB; a node's volume may be larger, but not smaller."""
    encrypt: bool = False
    key: str | None = None
    """KMS key of the snapshot; None: the account's default for EBS."""
    role: str | None = None
    """IAM role of the instance; None: a temporary one."""
    subnet: str | None = None
    """Subnet of the instance; None: one of the cluster, or of the default network."""

    @classmethod
    def of(cls, settings: Settings, arch: str = "x86_64") -> "Recipe":
        """Make the recipe for the images that the installation's GPU nodes run."""
        subnets = settings.vpc.private_subnets
        return cls(
            stack=settings.stack_name,
            images=images_of(settings),
            ami_parameter=ami_parameter(settings, arch),
            arch=arch,
            size=min(runtime.nodes.data_volume.size for runtime in _on_gpus(settings)),
            subnet=subnets[0] if subnets else None,
        )

    @property
    def tags(self) -> list[dict[str, str]]:
        known = {
            "Name": f"{self.stack}-images",
            TAG: self.stack,
            PROJECT: self.stack,
            "atelier:images": " ".join(sorted(self.images))[:256],
            "atelier:arch": self.arch,
        }
        return [tag(key, value) for key, value in known.items()]


def images_of(settings: Settings) -> list[str]:
    """Return the URIs of the images that run on GPU nodes."""
    return sorted({image_of(settings, runtime) for runtime in _on_gpus(settings)})


def _on_gpus(settings: Settings) -> Sequence[Runtime]:
    """Return the runtimes with GPUs; all of them if none has one."""
    runtimes = settings.models_runtime
    return [runtime for runtime in runtimes if runtime.gpus] or runtimes


def ami_parameter(settings: Settings, arch: str, variant: str = "") -> str:
    """Return the public SSM parameter of the nodes' Bottlerocket AMI, the same in every region."""
    cluster = settings.cluster
    kind = f"aws-k8s-{cluster.version}{variant}"
    return (
        f"/aws/service/bottlerocket/{kind}/{arch}/{cluster.bottlerocket.removeprefix('v')}/image_id"
    )
