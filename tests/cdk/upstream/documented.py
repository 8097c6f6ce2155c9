"""Claims of AWS's documents on its add-ons, for which no tagged file can be read."""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Role:
    """Role of an add-on, with the actions that its makers say it needs."""

    path: str
    """Construct path."""
    source: str
    as_of: str
    actions: AbstractSet[str]
    left_out: Mapping[str, str]
    """Actions that our role does without, each with the reason."""


_GROUPS = "The stack makes the log groups, which else would be kept for ever."
_TRACES = "Applications are not traced."
ROLES = (
    Role(
        path="Cluster/Addons/CloudWatch/Role",
        # CloudWatchAgentServerPolicy, its version 3, by the day that AWS gives for it
        source="https://docs.aws.amazon.com/aws-managed-policy/latest/reference/CloudWatchAgentServerPolicy.html",
        as_of="2024-02-06",
        actions={
            "cloudwatch:PutMetricData",
            "ec2:DescribeTags",
            "ec2:DescribeVolumes",
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogGroups",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
            "logs:PutRetentionPolicy",
            "ssm:GetParameter",
            "xray:GetSamplingRules",
            "xray:GetSamplingStatisticSummaries",
            "xray:GetSamplingTargets",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        },
        left_out={
            "cloudwatch:PutMetricData": "Container Insights writes its measurements into a log.",
            "logs:CreateLogGroup": _GROUPS,
            "logs:DescribeLogGroups": _GROUPS,
            "logs:PutRetentionPolicy": _GROUPS,
            "ssm:GetParameter": "The agent's configuration comes with the add-on.",
            "xray:GetSamplingRules": _TRACES,
            "xray:GetSamplingStatisticSummaries": _TRACES,
            "xray:GetSamplingTargets": _TRACES,
            "xray:PutTelemetryRecords": _TRACES,
            "xray:PutTraceSegments": _TRACES,
        },
    ),
    Role(
        path="Cluster/Addons/Mountpoint/Role",
        source="https://github.com/awslabs/mountpoint-s3/blob/main/doc/CONFIGURATION.md#iam-permissions",
        as_of="2026-11-29",
        actions={
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:PutObject",
        },
        left_out={
            "s3:AbortMultipartUpload": "Weights are mounted to be read.",
            "s3:DeleteObject": "Weights are mounted to be read.",
            "s3:PutObject": "Weights are mounted to be read.",
        },
    ),
)
NETWORK_POLICY = "AmazonEKS_CNI_Policy"
"""Actions of the network plugin: docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html"""
