"""Namespace of the Ray cluster, and the service accounts of its pods."""

from cdk.manifests.base import Manifest, cluster_metadata, metadata
from models.names import kube
from models.settings import Settings

COMPONENTS = ("head", "ingest", "runtime")
"""Components with a service account of their own: their rights on AWS differ."""


def namespace(settings: Settings) -> Manifest:
    """Build the namespace; Kubernetes refuses pods in it that exceed the standard `restricted`."""
    levels = ("enforce", "audit", "warn")
    standard = {f"pod-security.kubernetes.io/{level}": "restricted" for level in levels}
    versions = {
        f"pod-security.kubernetes.io/{level}-version": f"v{settings.cluster.version}"
        for level in levels
    }
    cluster_wide = cluster_metadata(settings, settings.ray_cluster.namespace)
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": cluster_wide | {"labels": cluster_wide["labels"] | standard | versions},
    }


def service_accounts(settings: Settings) -> list[Manifest]:
    """Build the service accounts, without a token of Kubernetes; the head's pod alone asks for one.

    Pods get their roles on AWS by EKS Pod Identity, which needs no such token.
    """
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(settings, kube.service_account(settings.names, component)),
            "automountServiceAccountToken": False,
        }
        for component in COMPONENTS
    ]
