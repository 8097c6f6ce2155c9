"""Where the Ray cluster is, and who its pods are to AWS."""

from cdk.manifests.base import Manifest, everywhere, metadata
from models.names import kube
from models.settings import Settings

COMPONENTS = ("head", "ingest", "runtime")
"""Each has a service account: what they may do on AWS differs."""


def namespace(settings: Settings) -> Manifest:
    """Pods that ask for more than `restricted` allows are refused."""
    levels = ("enforce", "audit", "warn")
    standard = {f"pod-security.kubernetes.io/{level}": "restricted" for level in levels}
    versions = {
        f"pod-security.kubernetes.io/{level}-version": f"v{settings.cluster.version}"
        for level in levels
    }
    of = everywhere(settings, settings.ray_cluster.namespace)
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": of | {"labels": of["labels"] | standard | versions},
    }


def service_accounts(settings: Settings) -> list[Manifest]:
    """Pods take their roles by EKS Pod Identity; a token of Kubernetes goes to the head alone."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(settings, kube.service_account(settings.names, component)),
            "automountServiceAccountToken": False,
        }
        for component in COMPONENTS
    ]
