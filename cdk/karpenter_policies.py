"""IAM policies of Karpenter's controller: the six of its own CloudFormation template.

A seventh is for a customer's own key of the nodes' volumes. Left out is making and changing
instance profiles: that is for node classes that name a `role`; ours name the profile that the stack
makes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack
from aws_cdk.aws_iam import PolicyStatement

from cdk.manifests.nodes import POOL

_MADE_BY_LAUNCH = (
    "fleet",
    "instance",
    "volume",
    "network-interface",
    "launch-template",
    "spot-instances-request",
)
_USED_BY_LAUNCH = ("security-group", "subnet", "capacity-reservation", "placement-group")
_DESCRIBED = (
    "CapacityReservations",
    "Images",
    "InstanceStatus",
    "InstanceTypeOfferings",
    "InstanceTypes",
    "Instances",
    "LaunchTemplates",
    "PlacementGroups",
    "SecurityGroups",
    "SpotPriceHistory",
    "Subnets",
)
_USES_OF_KEY = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""KMS actions that EC2 takes for whoever launches an instance with a volume that has a customer's
key: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html (2026-11)."""


@dataclass(frozen=True, kw_only=True)
class KarpenterPolicies:
    """Statements of Karpenter's policies for one cluster."""

    stack: Stack
    cluster_name: str
    """Cluster name as text, no token: it is part of conditions' keys."""
    cluster_arn: str
    node_role_arn: str
    queue_arn: str
    volume_key_arn: str | None = None
    """Customer's own KMS key of the nodes' volumes; `None` for AWS's key."""

    def all(self) -> Mapping[str, list[PolicyStatement]]:
        """Return all policies: their statements by the policy's name."""
        key = self.volume_key_arn
        return {
            "NodeLifecycle": self._node_lifecycle(),
            "IamIntegration": self._iam_integration(),
            "EksIntegration": [_allow(["eks:DescribeCluster"], [self.cluster_arn])],
            "Interruption": self._interruption(),
            "ZonalShift": self._zonal_shift(),
            "ResourceDiscovery": self._resource_discovery(),
            **({"VolumeKey": self._volume_key(key)} if key else {}),
        }

    def _node_lifecycle(self) -> list[PolicyStatement]:
        """Allow launching what is tagged as this cluster's, and changing or ending nothing else."""
        launch = ["ec2:RunInstances", "ec2:CreateFleet"]
        used = [self._ec2(kind) for kind in _USED_BY_LAUNCH]
        # Neither names an account in its ARN.
        images = [self._ec2(kind, account="") for kind in ("image", "snapshot")]
        made = [self._ec2(kind) for kind in _MADE_BY_LAUNCH]
        return [
            _allow(launch, images + used),
            _allow(launch, [self._ec2("launch-template")], self._owned("ResourceTag")),
            # A RequestTag is what the call gives to what it makes; what is there has a ResourceTag.
            _allow([*launch, "ec2:CreateLaunchTemplate"], made, self._requested()),
            _allow(["ec2:CreateTags"], made, self._requested(**_ON_CREATION)),
            _allow(["ec2:CreateTags"], [self._ec2("instance")], self._retagged()),
            _allow(
                ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
                [self._ec2("instance"), self._ec2("launch-template")],
                self._owned("ResourceTag"),
            ),
        ]

    def _iam_integration(self) -> list[PolicyStatement]:
        to_ec2 = {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}
        return [_allow(["iam:PassRole"], [self.node_role_arn], {"StringEquals": to_ec2})]

    def _interruption(self) -> list[PolicyStatement]:
        actions = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
        return [_allow(actions, [self.queue_arn])]

    def _zonal_shift(self) -> list[PolicyStatement]:
        this = {"arc-zonal-shift:ResourceIdentifier": self.cluster_arn}
        return [_allow(["arc-zonal-shift:GetManagedResource"], ["*"], {"StringEquals": this})]

    def _resource_discovery(self) -> list[PolicyStatement]:
        here = {"StringEquals": {"aws:RequestedRegion": self.stack.region}}
        profiles = self.stack.format_arn(
            service="iam", region="", resource="instance-profile", resource_name="*"
        )
        images = self.stack.format_arn(
            service="ssm", account="", resource="parameter", resource_name="aws/service/*"
        )
        return [
            # EC2's Describe calls know no resource; the region is all that can bound them.
            _allow([f"ec2:Describe{what}" for what in _DESCRIBED], ["*"], here),
            _allow(["ssm:GetParameter"], [images]),
            # Without the region: prices and IAM are answered from elsewhere than where nodes are.
            _allow(["pricing:GetProducts", "iam:ListInstanceProfiles"], ["*"]),
            _allow(["iam:GetInstanceProfile"], [profiles]),
        ]

    def _volume_key(self, key: str) -> list[PolicyStatement]:
        """Allow EC2 to encrypt volumes with the key, and nobody to use the key directly."""
        ec2 = f"ec2.{self.stack.region}.amazonaws.com"
        by_ec2 = {"StringEquals": {"kms:ViaService": [ec2, f"{ec2}.cn"]}}
        for_volumes = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        return [
            _allow([*_USES_OF_KEY], [key], by_ec2),
            _allow(["kms:CreateGrant"], [key], by_ec2 | for_volumes),
        ]

    def _ec2(self, kind: str, account: str = "*") -> str:
        return self.stack.format_arn(
            service="ec2", account=account, resource=kind, resource_name="*"
        )

    def _owned(self, tag: str) -> dict[str, Any]:
        return {
            "StringEquals": {f"aws:{tag}/kubernetes.io/cluster/{self.cluster_name}": "owned"},
            "StringLike": {f"aws:{tag}/{POOL}": "*"},
        }

    def _requested(self, **more: Any) -> dict[str, Any]:
        conditions = self._owned("RequestTag")
        conditions["StringEquals"] |= {"aws:RequestTag/eks:eks-cluster-name": self.cluster_name}
        conditions["StringEquals"] |= more
        return conditions

    def _retagged(self) -> dict[str, Any]:
        tags = ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]
        return self._owned("ResourceTag") | {
            "StringEqualsIfExists": {"aws:RequestTag/eks:eks-cluster-name": self.cluster_name},
            "ForAllValues:StringEquals": {"aws:TagKeys": tags},
        }


_ON_CREATION = {"ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"]}


def _allow(
    actions: list[str], resources: list[str], conditions: Mapping[str, Any] | None = None
) -> PolicyStatement:
    return PolicyStatement(actions=actions, resources=resources, conditions=conditions)
