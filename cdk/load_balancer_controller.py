"""AWS Load Balancer Controller, used for one thing: it keeps pods registered in our target group.

The load balancer itself belongs to the stack, which so can see it and delete it.
"""

from collections.abc import Mapping
from typing import Any

from aws_cdk.aws_elasticloadbalancingv2 import ITargetGroup
from aws_cdk.aws_iam import PolicyStatement
from constructs import Construct, IDependable

from cdk import versions
from cdk.cluster import Cluster
from cdk.identity import SYSTEM_NAMESPACE, PodIdentity
from cdk.manifests import pods
from cdk.nag import acknowledge_resources
from models.names import kube
from models.settings import Settings

_DESCRIBED = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstances",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcs",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
)


class LoadBalancerController(Construct):
    """Controller, and the TargetGroupBinding of the HTTP API's Service to a target group."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: Settings,
        cluster: Cluster,
        targets: ITargetGroup,
        namespace: IDependable,
    ) -> None:
        """Install the controller; ``namespace`` is what makes the binding's namespace."""
        super().__init__(scope, name)
        self._settings = settings
        self._cluster = cluster
        self.identity = PodIdentity(
            self,
            "Controller",
            cluster=cluster.eks,
            namespace=SYSTEM_NAMESPACE,
            service_account=versions.LOAD_BALANCERS.name,
        )
        self._grant_registration(targets)
        installed = cluster.install(
            self,
            versions.LOAD_BALANCERS,
            namespace=SYSTEM_NAMESPACE,
            values=self._values(),
            after=[self.identity],
        )
        # The chart brings the kind TargetGroupBinding: before it Kubernetes knows none.
        cluster.apply(self, "Binding", [self._binding(targets)], after=[installed, namespace])

    def _grant_registration(self, targets: ITargetGroup) -> None:
        """Grant what a TargetGroupBinding without security group rules needs, and no more."""
        role = self.identity.role
        changes = ["RegisterTargets", "DeregisterTargets"]
        role.add_to_policy(
            PolicyStatement(
                actions=[f"elasticloadbalancing:{action}" for action in changes],
                resources=[targets.target_group_arn],
            )
        )
        role.add_to_policy(PolicyStatement(actions=list(_DESCRIBED), resources=["*"]))
        acknowledge_resources(role, "EC2 and ELB describe all or nothing.", "*")

    def _values(self) -> Mapping[str, Any]:
        vpc = self._cluster.eks.vpc
        return {
            "clusterName": self._cluster.name,
            # By itself it would ask the node's metadata for region and VPC, which no pod reaches.
            "region": self._settings.aws.region,
            "vpcId": vpc.vpc_id,
            "image": {
                "repository": versions.LOAD_BALANCERS.image_in(
                    self._settings.cluster.image_registry
                )
            },
            "replicaCount": min(2, self._settings.cluster_components.desired_count),
            "serviceAccount": {"name": self.identity.service_account},
            "watchNamespace": self._settings.ray_cluster.namespace,
            # Its role allows registering targets alone, so all its other work is switched off.
            "createIngressClassResource": False,
            "ingressClassParams": {"create": False},
            "enableServiceMutatorWebhook": False,
            "enableShield": False,
            "enableWaf": False,
            "enableWafv2": False,
            "controllerConfig": {"featureGates": {"ALBGatewayAPI": False, "NLBGatewayAPI": False}},
        }

    def _binding(self, targets: ITargetGroup) -> Mapping[str, Any]:
        name = kube.serve_service(self._settings.names)
        return {
            "apiVersion": "elbv2.k8s.aws/v1beta1",
            "kind": "TargetGroupBinding",
            "metadata": {"name": name, "namespace": self._settings.ray_cluster.namespace},
            "spec": {
                "targetGroupARN": targets.target_group_arn,
                "targetType": "ip",
                "vpcID": self._cluster.eks.vpc.vpc_id,
                "serviceRef": {"name": name, "port": pods.SERVE_PORT},
            },
        }
