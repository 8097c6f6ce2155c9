"""Network: a new VPC, or an existing one, of which nothing is looked up."""

from aws_cdk import Acknowledgment, Annotations, RemovalPolicy, Tags, Validations
from aws_cdk.aws_ec2 import (
    FlowLogDestination,
    FlowLogOptions,
    FlowLogTrafficType,
    GatewayVpcEndpointAwsService,
    GatewayVpcEndpointOptions,
    IpAddresses,
    IVpc,
    SubnetConfiguration,
    SubnetType,
    Vpc,
)
from aws_cdk.aws_logs import LogGroup, RetentionDays
from constructs import Construct

from cdk.manifests.nodes import DISCOVERY
from models.settings import cloud

_ENDPOINTS = {
    "S3": GatewayVpcEndpointAwsService.S3,
    "DynamoDb": GatewayVpcEndpointAwsService.DYNAMODB,
}


class Network(Construct):
    """VPC of the installation: private subnets with a way out."""

    def __init__(
        self, scope: Construct, name: str, *, vpc: cloud.Vpc, zones: list[str], cluster_name: str
    ) -> None:
        super().__init__(scope, name)
        self.vpc = self._new_vpc(vpc) if vpc.id is None else self._existing_vpc(vpc, vpc.id, zones)
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="CloudFormation-Validate::W3010",
                reason="The settings say which zones; asking AWS would need credentials.",
            )
        )
        # Of an existing network Karpenter is told the subnets by their ids.
        if vpc.id is None:
            for subnet in self.vpc.private_subnets:
                Tags.of(subnet).add(DISCOVERY, cluster_name)

    def _new_vpc(self, vpc: cloud.Vpc) -> IVpc:
        return Vpc(
            self,
            "Vpc",
            ip_addresses=IpAddresses.cidr(str(vpc.cidr)),
            max_azs=len(vpc.zones),
            nat_gateways=vpc.nat_gateways,
            subnet_configuration=[
                SubnetConfiguration(
                    name="Public", subnet_type=SubnetType.PUBLIC, map_public_ip_on_launch=False
                ),
                SubnetConfiguration(name="Private", subnet_type=SubnetType.PRIVATE_WITH_EGRESS),
            ],
            # Traffic to S3 and DynamoDB avoids the NAT gateway, which AWS charges by the byte.
            gateway_endpoints={
                name: GatewayVpcEndpointOptions(service=service)
                for name, service in _ENDPOINTS.items()
            },
            flow_logs={"Rejected": self._rejected_traffic()},
        )

    def _rejected_traffic(self) -> FlowLogOptions:
        """Return flow logs of rejected traffic; logs of all would cost as much as the traffic."""
        group = LogGroup(
            self,
            "Flows",
            retention=RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        return FlowLogOptions(
            destination=FlowLogDestination.to_cloud_watch_logs(group),
            traffic_type=FlowLogTrafficType.REJECT,
        )

    def _existing_vpc(self, vpc: cloud.Vpc, vpc_id: str, zones: list[str]) -> IVpc:
        existing = Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=vpc_id,
            vpc_cidr_block=str(vpc.cidr),
            availability_zones=zones,
            private_subnet_ids=list(vpc.private_subnets),
            public_subnet_ids=list(vpc.public_subnets) or None,
        )
        # CDK warns that it cannot change the subnets' routes: they are the owner's to keep.
        Annotations.of(existing).acknowledge_warning("@aws-cdk/aws-ec2:noSubnetRouteTableId")
        return existing
