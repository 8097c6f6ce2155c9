"""Ray in the cluster: KubeRay's operator, the objects of `cdk.manifests`, the pods' roles."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_cdk.aws_eks_v2 import HelmChart
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct, IDependable

from cdk import kubectl, versions
from cdk.cluster import Cluster
from cdk.identity import PodIdentity
from cdk.karpenter import Karpenter
from cdk.manifests import Manifest, cluster_objects, node_objects
from cdk.manifests.checkpoints import volume_and_claim
from models.names import kube
from models.settings import Settings

OPERATOR = "kuberay-operator"
"""Namespace of KubeRay's operator, whose roles are confined to Ray's namespace."""
_SECRET_CHART = Path(__file__).parent / "secret_chart"


class RayService(Construct):
    """RayService and all that it stands on; the stack grants its pods their rights on AWS."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: Settings,
        cluster: Cluster,
        karpenter: Karpenter,
    ) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self._cluster = cluster
        self.ingest = self._identity("Ingest", "ingest")
        """Identity of the HTTP API and of ingest, which share their workers."""
        self.runtimes = self._identity("Runtimes", "runtime")
        """Identity of all replicas: their inputs and outputs are in the same buckets."""
        profile = karpenter.instance_profile.instance_profile_name
        nodes = karpenter.apply("Nodes", node_objects(settings, instance_profile=profile))
        space, *objects, service = cluster_objects(settings)
        self.namespace = cluster.apply(self, "Namespace", [space])
        weights = volume_and_claim(settings)
        parts = cluster.apply(
            self,
            "Parts",
            [each for each in objects if each not in weights],
            after=[self.namespace, self.ingest, self.runtimes],
        )
        before = [self._operator(), nodes, parts, *self._weights(weights), *self._secrets()]
        # Last: its pods start at once, and need nodes, weights, the password, service accounts.
        self.manifest = cluster.apply(self, "Service", [service], after=before)

    def _weights(self, objects: Sequence[Manifest]) -> list[IDependable]:
        """Apply the model bucket's volume without pruning.

        Pods of the old Ray cluster still start with the former one.
        """
        if not objects:
            return []
        applied = self._cluster.apply(self, "Weights", objects, after=[self.namespace], prune=False)
        return [applied]

    def _identity(self, name: str, component: str) -> PodIdentity:
        return PodIdentity(
            self,
            name,
            cluster=self._cluster.eks,
            namespace=self._settings.ray_cluster.namespace,
            service_account=kube.service_account(self._settings.names, component),
        )

    def _operator(self) -> HelmChart:
        return self._cluster.install(
            Construct(self, "Operator"),
            versions.KUBERAY,
            namespace=OPERATOR,
            values=self._values(),
            after=[self.namespace],
        )

    def _values(self) -> Mapping[str, Any]:
        """Return values that confine the operator to one namespace; its chart's default is all."""
        return {
            "image": {
                "repository": versions.KUBERAY.image_in(self._settings.cluster.image_registry),
                "tag": f"v{versions.KUBERAY.version}",
            },
            "singleNamespaceInstall": True,
            "watchNamespace": [self._settings.ray_cluster.namespace],
            "crNamespacedRbacEnable": True,
            "resources": {
                "requests": {"cpu": "100m", "memory": "256Mi"},
                "limits": {"cpu": "500m", "memory": "512Mi"},
            },
        }

    def _secrets(self) -> list[IDependable]:
        """Install the chart that generates Redis's password, unless settings name a Redis.

        Helm can look an existing Secret up, a manifest cannot: so the password outlives upgrades.
        """
        if self._settings.ray_cluster.redis_address is not None:
            return []
        chart = Asset(self, "SecretChart", path=str(_SECRET_CHART))
        kubectl.acknowledge_chart(self._cluster.eks, chart)
        installed = HelmChart(
            self,
            "RedisPassword",
            cluster=self._cluster.interface,
            chart_asset=chart,
            release=kube.redis_secret(self._settings.names),
            namespace=self._settings.ray_cluster.namespace,
            create_namespace=False,
            values={"name": kube.redis_secret(self._settings.names), "key": kube.REDIS_PASSWORD},
        )
        # Not by `install`, which takes charts from registries: what that waits for stands here.
        installed.node.add_dependency(self._cluster.ready, self.namespace)
        return [installed]
