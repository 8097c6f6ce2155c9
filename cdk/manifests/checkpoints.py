"""The weights as files: the model bucket, mounted for reading by Mountpoint for Amazon S3."""

from cdk.manifests.base import Manifest, everywhere, metadata
from models.names import kube
from models.settings import Settings

FOLDER = "/mnt/checkpoints"
VOLUME = "checkpoints"
_SIZE = {"storage": "2Ti"}  # Kubernetes asks for one; a bucket has none


def volume_and_claim(settings: Settings) -> list[Manifest]:
    """None without a bucket: then every runtime has a claim of its own."""
    if settings.model_bucket is None:
        return []
    return [_volume(settings, settings.model_bucket), _claim(settings)]


def claim(settings: Settings, existing: str | None = None) -> str | None:
    """The claim that a pod mounts: its own, else that of the bucket, if there is one."""
    return existing or (kube.checkpoints(settings) if settings.model_bucket else None)


def _volume(settings: Settings, bucket: str) -> Manifest:
    name = _unique(settings)
    options = ["read-only", "allow-other", f"region {settings.aws.region}"]
    attributes = {"bucketName": bucket, "authenticationSource": "driver"}
    if cache := settings.storage.checkpoint_cache:
        attributes |= {"cache": "emptyDir", "cacheEmptyDirSizeLimit": f"{cache}Gi"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": everywhere(settings, name),
        "spec": {
            "capacity": _SIZE,
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
            "storageClassName": "",
            "volumeName": _unique(settings),
            "resources": {"requests": _SIZE},
        },
    }


def _unique(settings: Settings) -> str:
    """Volumes are the cluster's, and a handle that is used twice mounts the one bucket twice."""
    return f"{settings.ray_cluster.namespace}-{kube.checkpoints(settings)}"
