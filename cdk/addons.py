"""EKS add-ons: pod network, DNS, pod identities, the S3 mount of checkpoints, logs and metrics."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk.aws_eks_v2 import CfnAddon, Cluster as EksCluster
from aws_cdk.aws_iam import ManagedPolicy, PolicyStatement, Role
from aws_cdk.aws_logs import LogGroup, RetentionDays
from constructs import Construct, DependencyGroup

from cdk.identity import SYSTEM_NAMESPACE, PodIdentity
from cdk.nag import acknowledge_managed_policies, acknowledge_resources
from models.addons import addon_version

APPLICATION = "application"
"""Name of the log group that has what containers print."""
_CNI = "AmazonEKS_CNI_Policy"
_LOGS = (APPLICATION, "dataplane", "host", "performance")
"""Log groups of the CloudWatch agent, which would make them itself, and keep events for ever."""


class Addons(Construct):
    """Add-ons that EKS installs in the cluster, with a role for each one that calls AWS."""

    def __init__(
        self, scope: Construct, name: str, *, cluster: EksCluster, cluster_name: str, version: str
    ) -> None:
        super().__init__(scope, name)
        self._cluster = cluster
        self._cluster_name = cluster_name
        self._version = version
        self.mount = self._identity("Mountpoint", "s3-csi-driver-sa")
        """Identity of the S3 CSI driver, which mounts the model bucket."""
        self.logs = {kind: self._log(kind) for kind in _LOGS}
        """Log groups by kind: ``application``, ``dataplane``, ``host``, ``performance``."""
        self.before_nodes = self._before_nodes()
        """Add-ons that must exist before the nodes: no node becomes ready without them."""
        self._after_nodes = self._healthy_on_nodes()

    def run_on(self, nodes: Construct) -> None:
        """Make add-ons wait for these nodes that are healthy only once their pods run."""
        for addon in self._after_nodes:
            addon.node.add_dependency(nodes)

    def _before_nodes(self) -> DependencyGroup:
        network = self._identity("VpcCni", "aws-node")
        network.role.add_managed_policy(ManagedPolicy.from_aws_managed_policy_name(_CNI))
        acknowledge_managed_policies(network.role, "Made for this plugin, and kept with it.", _CNI)
        return DependencyGroup(
            # A text, as the add-on's schema wants it; without it nothing enforces a NetworkPolicy.
            self._addon("vpc-cni", {"enableNetworkPolicy": "true"}, network),
            self._addon("kube-proxy"),
            self._addon("eks-pod-identity-agent"),
        )

    def _healthy_on_nodes(self) -> list[CfnAddon]:
        agent = self._identity("CloudWatch", "cloudwatch-agent", namespace="amazon-cloudwatch")
        insights = self._addon("amazon-cloudwatch-observability", _insights(), agent)
        # Before the agent: a group that it had made already would fail the stack.
        insights.node.add_dependency(*self.logs.values())
        self._grant_log_writes(agent.role)
        tolerant = {"node": {"tolerateAllTaints": True}}  # GPU nodes are tainted, and mount
        return [
            self._addon("coredns"),
            self._addon("aws-mountpoint-s3-csi-driver", tolerant, self.mount),
            insights,
        ]

    def _log(self, kind: str) -> LogGroup:
        return LogGroup(
            self,
            f"Log-{kind}",
            log_group_name=f"{self._log_names}/{kind}",
            retention=RetentionDays.ONE_WEEK,
            removal_policy=RemovalPolicy.DESTROY,
        )

    @property
    def _log_names(self) -> str:
        return f"/aws/containerinsights/{self._cluster_name}"

    def _grant_log_writes(self, role: Role) -> None:
        """Let the agent write log events, which carry its metrics, too."""
        arn = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{self._log_names}/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        write = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        role.add_to_policy(PolicyStatement(actions=write, resources=[arn]))
        describe = ["ec2:DescribeTags", "ec2:DescribeVolumes"]
        role.add_to_policy(PolicyStatement(actions=describe, resources=["*"]))
        acknowledge_resources(role, "EC2 describes all or nothing.", "*")
        acknowledge_resources(role, "The agent makes its streams in the cluster's own groups.", arn)

    def _identity(
        self, name: str, service_account: str, namespace: str = SYSTEM_NAMESPACE
    ) -> PodIdentity:
        return PodIdentity(
            self,
            name,
            cluster=self._cluster,
            namespace=namespace,
            service_account=service_account,
        )

    def _addon(
        self,
        name: str,
        configuration: Mapping[str, Any] | None = None,
        identity: PodIdentity | None = None,
    ) -> CfnAddon:
        addon = CfnAddon(
            self,
            name,
            cluster_name=self._cluster.cluster_name,
            addon_name=name,
            addon_version=addon_version(name, self._version),
            configuration_values=json.dumps(configuration) if configuration else None,
            resolve_conflicts="OVERWRITE",  # what was changed by kubectl goes back to the add-on's
        )
        if identity is not None:  # EKS gives a role only to pods that start after the association
            addon.node.add_dependency(identity)
        return addon


def _insights() -> Mapping[str, Any]:
    """Return the agent's configuration: Container Insights and containers' logs, no tracing."""
    kubernetes = {"enhanced_container_insights": True}
    return {"agent": {"config": {"logs": {"metrics_collected": {"kubernetes": kubernetes}}}}}
