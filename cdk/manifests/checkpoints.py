"""Checkpoints as files: the model bucket, mounted read-only by Mountpoint for Amazon S3."""

from cdk.manifests.base import Manifest, cluster_metadata, metadata
from models.names import kube
from models.settings import Settings

FOLDER = "/mnt/checkpoints"
VOLUME = "checkpoints"
_NOMINAL_SIZE = {"storage": "2Ti"}  # Kubernetes asks for one; a bucket has none


def volume_and_claim(settings: Settings) -> list[Manifest]:
    """Build the model bucket's volume and claim; nothing without a bucket."""
    if settings.model_bucket is None:
        return []
    return [_volume(settings, settings.model_bucket), _claim(settings)]


def claim(settings: Settings, existing: str | None = None) -> str | None:
    """Return the claim that a pod mounts: its own, else the bucket's; `None` without either."""
    return existing or (kube.checkpoints(settings) if settings.model_bucket else None)


def _volume(settings: Settings, bucket: str) -> Manifest:
    name = _volume_name(settings)
    # Mountpoint shows files to the user that mounts alone, unless told; pods run as another.
    options = ["read-only", "allow-other", f"region {settings.aws.region}"]
    # By the driver's own role, whichever pod mounts it.
    attributes = {"bucketName": bucket, "authenticationSource": "driver"}
    if cache := settings.storage.checkpoint_cache:
        attributes |= {"cache": "emptyDir", "cacheEmptyDirSizeLimit": f"{cache}Gi"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": cluster_metadata(settings, name),
        "spec": {
            "capacity": _NOMINAL_SIZE,
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain",
            # For this claim and no other: an unbound claim takes any volume that fits.
            "claimRef": {
                "namespace": settings.ray_cluster.namespace,
                "name": kube.checkpoints(settings),
            },
            "mountOptions": options,
            "csi": {
                "driver": "s3.csi.aws.com",
                "volumeHandle": name,
                "readOnly": True,
                "volumeAttributes": attributes,
            },
        },
    }


def _claim(settings: Settings) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(settings, kube.checkpoints(settings)),
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            # Empty and not left out: the default class would make a disk for the claim.
            "storageClassName": "",
            "volumeName": _volume_name(settings),
            "resources": {"requests": _NOMINAL_SIZE},
        },
    }


def _volume_name(settings: Settings) -> str:
    """Name the volume, unique in the whole cluster.

    Volumes have no namespace, and of two with one handle the driver mounts the first bucket twice.
    """
    return f"{settings.ray_cluster.namespace}-{kube.checkpoints(settings)}"
