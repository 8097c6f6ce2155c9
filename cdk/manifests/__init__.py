"""Kubernetes objects of an installation, as plain dictionaries.

Knows nothing of CDK: the stack applies what is built here, and so can `kubectl`, of what `python -m
cdk.manifests` prints.
"""

from cdk.manifests import rules
from cdk.manifests.base import Manifest
from cdk.manifests.checkpoints import volume_and_claim
from cdk.manifests.namespace import namespace, service_accounts
from cdk.manifests.network import policies
from cdk.manifests.nodes import node_objects
from cdk.manifests.ray_service import head_budget, ray_service
from cdk.manifests.valkey import valkey
from models.settings import Settings

__all__ = ["Manifest", "cluster_objects", "node_objects", "objects"]


def objects(settings: Settings, *, instance_profile: str) -> list[Manifest]:
    """Build all objects, in the order in which they are applied.

    Raises:
        SettingsError: what the settings ask for breaks a rule (`cdk.manifests.rules`).
    """
    nodes = node_objects(settings, instance_profile=instance_profile)
    return [*nodes, *cluster_objects(settings)]


def cluster_objects(settings: Settings) -> list[Manifest]:
    """Build the objects that need KubeRay and not Karpenter; the RayService is the last.

    Raises:
        SettingsError: what the settings ask for breaks a rule (`cdk.manifests.rules`).
    """
    manifests = [
        namespace(settings),
        *service_accounts(settings),
        *policies(settings),
        *volume_and_claim(settings),
        *valkey(settings),
        head_budget(settings),
        ray_service(settings),
    ]
    rules.check([*node_objects(settings, instance_profile="any"), *manifests])
    return manifests
