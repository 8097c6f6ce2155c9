"""Kubernetes cluster: EKS, its access entries, and the nodes that system pods run on.

CloudFormation applies charts and manifests through a Lambda function (the kubectl handler), which
administers the cluster; `docs/security.md` says what that means.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk.aws_ec2 import (
    BlockDevice,
    BlockDeviceVolume,
    EbsDeviceVolumeType,
    InstanceArchitecture,
    InstanceType,
    LaunchTemplate,
    LaunchTemplateHttpTokens,
    SubnetSelection,
)
from aws_cdk.aws_eks_v2 import (
    AccessPolicy,
    AccessScopeType,
    CfnNodegroup,
    Cluster as EksCluster,
    ClusterLoggingTypes,
    DefaultCapacityType,
    EndpointAccess,
    HelmChart,
    IAccessPolicy,
    ICluster,
    KubectlProviderOptions,
    KubernetesManifest,
    KubernetesVersion,
    LaunchTemplateSpec,
    Nodegroup,
    NodegroupAmiType,
)
from aws_cdk.aws_iam import ManagedPolicy, Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_logs import LogGroup, RetentionDays
from aws_cdk.lambda_layer_kubectl_v36 import KubectlV36Layer
from constructs import Construct, DependencyGroup, IDependable

from cdk import kubectl
from cdk.addons import Addons
from cdk.identity import SYSTEM_NAMESPACE
from cdk.nag import acknowledge_managed_policies
from cdk.network import Network
from cdk.versions import Chart
from models.settings import Settings

_ANYWHERE = "0.0.0.0/0"
_NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
_CHART_TIMEOUT = Duration.minutes(10)  # less than the 15 that Lambda gives the kubectl handler
_DISK_GIB = 50
"""GiB of a system node's disk, for images and logs."""


class Cluster(Construct):
    """EKS with its add-ons and system nodes."""

    def __init__(
        self, scope: Construct, name: str, *, settings: Settings, network: Network
    ) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self.name = settings.stack_name
        """Name as text: `eks.cluster_name` is a token, which no condition's key can hold."""
        self.eks = self._eks(network)
        self.addons = Addons(
            self,
            "Addons",
            cluster=self.eks,
            cluster_name=self.name,
            version=settings.cluster.version,
        )
        self.nodes = self._nodes(network)
        self.nodes.node.add_dependency(self.addons.before_nodes)
        self.addons.run_on(self.nodes)
        acknowledge_managed_policies(self.eks, "What EKS itself needs.", "AmazonEKSClusterPolicy")
        kubectl.acknowledge_provider(self.eks)
        self.ready = DependencyGroup(self.nodes, self.addons)
        """Dependency of all charts and manifests: nodes and add-ons are up. Without, the kubectl
        handler would run out of time, since it waits for no node."""

    @property
    def interface(self) -> ICluster:
        """Cluster as the interface that charts and manifests take.

        jsii's Python classes do not inherit the interfaces that they implement.
        """
        return cast("ICluster", self.eks)

    def install(
        self,
        scope: Construct,
        chart: Chart,
        *,
        namespace: str,
        values: Mapping[str, Any],
        after: Sequence[IDependable] = (),
    ) -> HelmChart:
        """Install a chart, and let Helm wait until its workloads are ready (10 minutes at most)."""
        installed = HelmChart(
            scope,
            "Chart",
            cluster=self.interface,
            chart=chart.name,
            release=chart.name,
            repository=chart.repository_in(self._settings.cluster.chart_repository),
            version=chart.version,
            namespace=namespace,
            create_namespace=namespace != SYSTEM_NAMESPACE,
            values=values,
            wait=True,
            timeout=_CHART_TIMEOUT,
        )
        installed.node.add_dependency(self.ready, *after)
        return installed

    def apply(
        self,
        scope: Construct,
        name: str,
        objects: Sequence[Mapping[str, Any]],
        *,
        after: Sequence[IDependable] = (),
        prune: bool = True,
    ) -> KubernetesManifest:
        """Apply objects; those that are no longer among them are deleted, with `prune`.

        The handler prunes by kubectl's own list of kinds (core, apps, batch): a NodePool, a
        NetworkPolicy or a ServiceAccount stays (`docs/operations.md`, "What a change leaves"). With
        ``prune=False`` an object goes only with the whole manifest, and then only if it is among
        the last ones applied.
        """
        applied = KubernetesManifest(
            scope,
            name,
            cluster=self.interface,
            manifest=list(objects),
            # By `kubectl apply` from the start: what is there already is taken over and no error.
            overwrite=True,
            prune=prune,
        )
        applied.node.add_dependency(self.ready, *after)
        return applied

    def _eks(self, network: Network) -> EksCluster:
        log = LogGroup(
            self,
            "Log",
            # EKS's own name for it: without this one EKS makes it, and keeps events for ever.
            log_group_name=f"/aws/eks/{self.name}/cluster",
            retention=RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        private = SubnetSelection(subnets=network.vpc.private_subnets)
        eks = EksCluster(
            self,
            "Eks",
            cluster_name=self.name,
            version=KubernetesVersion.of(self._settings.cluster.version),
            vpc=network.vpc,
            vpc_subnets=[private],
            # Auto Mode is the default, and brings nodes of EKS's own.
            default_capacity_type=DefaultCapacityType.NODEGROUP,
            default_capacity=0,  # CDK would make a node group of its own
            # The role that deploys is no administrator of the cluster unless the settings name it.
            bootstrap_cluster_creator_admin_permissions=False,
            # EKS would install network, DNS and proxy unmanaged, where our add-ons come.
            bootstrap_self_managed_addons=False,
            endpoint_access=self._endpoint(),
            cluster_logging=_all_logs(),
            output_config_command=False,
            kubectl_provider_options=KubectlProviderOptions(
                kubectl_layer=KubectlV36Layer(self, "Kubectl"),
                private_subnets=network.vpc.private_subnets,
            ),
        )
        eks.node.add_dependency(log)
        for number, admin in enumerate(self._settings.cluster.admins):
            eks.grant_access(f"Admin{number}", admin, [_cluster_admin()])
        return eks

    def _endpoint(self) -> EndpointAccess:
        cidrs = [str(cidr) for cidr in self._settings.cluster.public_access_cidrs]
        if not cidrs:
            return EndpointAccess.PRIVATE
        both = EndpointAccess.PUBLIC_AND_PRIVATE
        return both if _ANYWHERE in cidrs else both.only_from(*cidrs)

    def _nodes(self, network: Network) -> Nodegroup:
        components = self._settings.cluster_components
        instance_type = InstanceType(components.instance_type)
        arm = instance_type.architecture == InstanceArchitecture.ARM_64
        template = self._launch_template()
        nodes = self.eks.add_nodegroup_capacity(
            "Nodes",
            instance_types=[instance_type],
            ami_type=NodegroupAmiType.AL2023_ARM_64_STANDARD
            if arm
            else NodegroupAmiType.AL2023_X86_64_STANDARD,
            min_size=components.desired_count,
            max_size=components.desired_count,
            desired_size=components.desired_count,
            node_role=make_node_role(self, f"{self.name}: system nodes"),
            subnets=SubnetSelection(subnets=network.vpc.private_subnets),
            launch_template_spec=LaunchTemplateSpec(
                id=str(template.launch_template_id),
                # As a number, so that a changed template changes the node group, and its nodes.
                version=template.latest_version_number,
            ),
            enable_node_auto_repair=True,
        )
        # The L2 construct has no such argument; without, nodes keep the version they began with.
        cfn_nodegroup = cast("CfnNodegroup", nodes.node.default_child)
        cfn_nodegroup.version = self._settings.cluster.version
        return nodes

    def _launch_template(self) -> LaunchTemplate:
        """Return a launch template whose metadata service no pod reaches.

        An answer may travel one network hop, and a pod is a hop further than its node.
        """
        key = self._settings.cluster.volume_key_arn
        disk = BlockDeviceVolume.ebs(
            _DISK_GIB,
            volume_type=EbsDeviceVolumeType.GP3,
            encrypted=True,
            kms_key=Key.from_key_arn(self, "VolumeKey", key) if key else None,
            delete_on_termination=True,
        )
        return LaunchTemplate(
            self,
            "Node",
            http_tokens=LaunchTemplateHttpTokens.REQUIRED,
            http_put_response_hop_limit=1,
            # The root volume of Amazon Linux 2023, by the name that its image gives it.
            block_devices=[BlockDevice(device_name="/dev/xvda", volume=disk)],
        )


def make_node_role(scope: Construct, description: str) -> Role:
    """Make the instance role of nodes, with no more than EKS needs.

    Pods have roles of their own, the network plugin among them.
    """
    role = Role(
        scope,
        "NodeRole",
        description=description,
        assumed_by=ServicePrincipal(f"ec2.{Aws.URL_SUFFIX}"),  # China has a suffix of its own
        managed_policies=[
            ManagedPolicy.from_aws_managed_policy_name(policy) for policy in _NODE_POLICIES
        ],
    )
    acknowledge_managed_policies(
        role, "What EKS asks of every node, and nothing else.", *_NODE_POLICIES
    )
    return role


def _all_logs() -> list[ClusterLoggingTypes]:
    kinds = ClusterLoggingTypes
    return [kinds.API, kinds.AUDIT, kinds.AUTHENTICATOR, kinds.CONTROLLER_MANAGER, kinds.SCHEDULER]


def _cluster_admin() -> IAccessPolicy:
    return AccessPolicy.from_access_policy_name(
        "AmazonEKSClusterAdminPolicy", access_scope_type=AccessScopeType.CLUSTER
    )
