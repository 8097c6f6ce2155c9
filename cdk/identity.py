"""AWS roles of pods, by EKS Pod Identity: no credential is in an image or a manifest."""

from aws_cdk.aws_eks_v2 import CfnPodIdentityAssociation, Cluster
from aws_cdk.aws_iam import Role, ServicePrincipal, SessionTagsPrincipal
from constructs import Construct

SYSTEM_NAMESPACE = "kube-system"
"""Namespace of the cluster's own pods: add-ons, Karpenter, the load balancer controller."""


class PodIdentity(Construct):
    """Role for the pods of one service account in one cluster, and for nobody else."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        cluster: Cluster,
        namespace: str,
        service_account: str,
    ) -> None:
        super().__init__(scope, name)
        self.service_account = service_account
        self.role = Role(
            self,
            "Role",
            description=f"Pods of {namespace}/{service_account}",
            assumed_by=_pods_of(cluster, namespace, service_account),
        )
        self.association = CfnPodIdentityAssociation(
            self,
            "Association",
            cluster_name=cluster.cluster_name,
            namespace=namespace,
            service_account=service_account,
            role_arn=self.role.role_arn,
        )


def _pods_of(cluster: Cluster, namespace: str, service_account: str) -> SessionTagsPrincipal:
    """Return EKS's principal, limited to one service account.

    EKS tags each session with cluster, namespace and service account; another pod's does not match.
    """
    pods = ServicePrincipal(
        "pods.eks.amazonaws.com",
        conditions={
            "StringEquals": {
                "aws:RequestTag/eks-cluster-arn": cluster.cluster_arn,
                "aws:RequestTag/kubernetes-namespace": namespace,
                "aws:RequestTag/kubernetes-service-account": service_account,
            }
        },
    )
    # With sts:TagSession, without which EKS, which tags each session, cannot assume the role.
    return SessionTagsPrincipal(pods)
