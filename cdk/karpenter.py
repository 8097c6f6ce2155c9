"""Karpenter: starts a GPU node when a pod waits for one, and ends it when nothing runs there."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk.aws_eks_v2 import AccessEntry, AccessEntryType, HelmChart, KubernetesManifest
from aws_cdk.aws_events import EventPattern, Rule
from aws_cdk.aws_events_targets import SqsQueue
from aws_cdk.aws_iam import InstanceProfile, ManagedPolicy, PolicyStatement
from aws_cdk.aws_sqs import Queue, QueueEncryption
from constructs import Construct

from cdk import versions
from cdk.cluster import Cluster, make_node_role
from cdk.identity import SYSTEM_NAMESPACE, PodIdentity
from cdk.karpenter_policies import KarpenterPolicies
from cdk.nag import acknowledge, acknowledge_resources
from models.settings import Settings

_EVENTS = {
    "Health": ("aws.health", "AWS Health Event"),
    "SpotInterruption": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "Rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "StateChange": ("aws.ec2", "EC2 Instance State-change Notification"),
    "Reservation": ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
}
_WARNING_LIFETIME = Duration.seconds(300)
"""Time after which a warning is dropped: a Spot node has two minutes."""
_SERVICE_ACCOUNT = "karpenter"
_TAGGED = "Nodes are made and found by their tags: the conditions say whose, as Karpenter has it."


class Karpenter(Construct):
    """Karpenter's controller, the role of its nodes, and EventBridge's warnings to it."""

    def __init__(
        self, scope: Construct, name: str, *, settings: Settings, cluster: Cluster
    ) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self._cluster = cluster
        self.node_role = make_node_role(self, f"{cluster.name}: GPU nodes")
        self._access = AccessEntry(
            self,
            "NodeAccess",
            cluster=cluster.interface,
            principal=self.node_role.role_arn,
            # The type alone lets nodes join, and takes no policies beside it.
            access_policies=[],
            access_entry_type=AccessEntryType.EC2_LINUX,
        )
        # Made here: Karpenter's own would outlive the stack, and IAM deletes no role in use.
        self.instance_profile = InstanceProfile(self, "NodeProfile", role=self.node_role)
        self.queue = Queue(
            self,
            "Interruptions",
            queue_name=settings.names.interruptions,
            retention_period=_WARNING_LIFETIME,
            encryption=QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        acknowledge(self.queue, "SQS3", "A warning is of no use when its node is gone.")
        self.rules = {name: self._rule(name, *event) for name, event in _EVENTS.items()}
        """EventBridge rules by the kind of warning, such as ``SpotInterruption``."""
        self.controller = PodIdentity(
            self,
            "Controller",
            cluster=cluster.eks,
            namespace=SYSTEM_NAMESPACE,
            service_account=_SERVICE_ACCOUNT,
        )
        self.chart = self._installed(self._policies())

    def apply(self, name: str, objects: Sequence[Mapping[str, Any]]) -> KubernetesManifest:
        """Apply node pools and node classes after Karpenter, so that they are deleted before it.

        Karpenter ends the nodes of a deleted pool; once it is gone nobody would.
        """
        return self._cluster.apply(self, name, objects, after=[self.chart, self._access])

    def _rule(self, name: str, source: str, detail: str) -> Rule:
        return Rule(
            self,
            name,
            description=f"Tells Karpenter: {detail}",
            event_pattern=EventPattern(source=[source], detail_type=[detail]),
            targets=[SqsQueue(self.queue)],
        )

    def _policies(self) -> list[ManagedPolicy]:
        policies = KarpenterPolicies(
            stack=Stack.of(self),
            cluster_name=self._cluster.name,
            cluster_arn=self._cluster.eks.cluster_arn,
            node_role_arn=self.node_role.role_arn,
            queue_arn=self.queue.queue_arn,
            volume_key_arn=self._settings.cluster.volume_key_arn,
        )
        return [self._policy(name, statements) for name, statements in policies.all().items()]

    def _policy(self, name: str, statements: list[PolicyStatement]) -> ManagedPolicy:
        policy = ManagedPolicy(
            self,
            name,
            description=f"Karpenter of {self._cluster.name}",
            statements=statements,
            roles=[self.controller.role],
        )
        unnamed = sorted(
            {
                resource
                for statement in statements
                for resource in statement.resources
                if "*" in resource
            }
        )
        acknowledge_resources(policy, _TAGGED, *unnamed)
        return policy

    def _installed(self, policies: list[ManagedPolicy]) -> HelmChart:
        """Install Karpenter after all that it needs, so that it goes first and can end its nodes.

        Its CRDs are a chart of their own: Helm upgrades templates, and never a chart's `crds/`
        folder.
        """
        definitions = self._cluster.install(
            Construct(self, "Definitions"),
            versions.KARPENTER_CRD,
            namespace=SYSTEM_NAMESPACE,
            values={},
        )
        return self._cluster.install(
            self,
            versions.KARPENTER,
            namespace=SYSTEM_NAMESPACE,
            values=self._values(),
            after=[definitions, self.controller, *policies, *self.rules.values()],
        )

    def _values(self) -> Mapping[str, Any]:
        return {
            # Its chart puts no two replicas on a node: on a single one the second never starts.
            "replicas": min(2, self._settings.cluster_components.desired_count),
            "serviceAccount": {"name": _SERVICE_ACCOUNT},
            "settings": {
                "clusterName": self._cluster.name,
                "interruptionQueue": self.queue.queue_name,
            },
            "controller": {
                "image": {
                    "repository": versions.KARPENTER.image_in(self._settings.cluster.image_registry)
                },
                # Karpenter would ask the node's metadata for it, which no pod reaches.
                "env": [{"name": "AWS_REGION", "value": self._settings.aws.region}],
                "resources": {
                    "requests": {"cpu": "250m", "memory": "512Mi"},
                    "limits": {"memory": "1Gi"},
                },
            },
        }
