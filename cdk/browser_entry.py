"""Browser entry: CloudFront and a load balancer in the private network before the Serve ingress."""

from aws_cdk import Duration, Stack
from aws_cdk.aws_certificatemanager import Certificate
from aws_cdk.aws_cloudfront import (
    AllowedMethods,
    BehaviorOptions,
    CachePolicy,
    Distribution,
    Function,
    FunctionAssociation,
    FunctionCode,
    FunctionEventType,
    FunctionRuntime,
    OriginProtocolPolicy,
    OriginRequestPolicy,
    SecurityPolicyProtocol,
    ViewerProtocolPolicy,
    VpcOrigin,
    VpcOriginEndpoint,
)
from aws_cdk.aws_cloudfront_origins import VpcOrigin as Origin
from aws_cdk.aws_ec2 import (
    Connections,
    ISecurityGroup,
    IVpc,
    Port,
    SecurityGroup,
    SubnetSelection,
)
from aws_cdk.aws_elasticloadbalancingv2 import (
    ApplicationLoadBalancer,
    ApplicationProtocol,
    ApplicationTargetGroup,
    HealthCheck,
    IListenerCertificate,
    ListenerAction,
    ListenerCertificate,
    SslPolicy,
    TargetType,
)
from aws_cdk.aws_s3 import IBucket
from aws_cdk.custom_resources import (
    AwsCustomResource,
    AwsCustomResourcePolicy,
    AwsSdkCall,
    PhysicalResourceId,
)
from constructs import Construct, IDependable

from cdk.cluster import Cluster
from cdk.firewall import VIEWER_ADDRESS_FUNCTION, Firewall
from cdk.load_balancer_controller import LoadBalancerController
from cdk.manifests.pods import SERVE_PORT
from cdk.nag import acknowledge, acknowledge_managed_policies, acknowledge_resources
from cdk.sign_in import CognitoSignIn, authenticate_oidc
from models.settings import Settings

_IDLE = Duration.seconds(4_000)
"""Idle timeout, for WebSockets that are silent; the most that a load balancer has."""
_READ = Duration.seconds(60)
"""Time that CloudFront waits for the next byte; `/v1/events` sends some every few seconds."""
_HTTP, _HTTPS = 80, 443
_STICKY = Duration.seconds(300)
_DRAIN = Duration.seconds(30)
_SDK_CALLER = "AWS679f53fac002430cb0da5b7982bd2287"
"""Construct id of the function behind all of CDK's `AwsCustomResource`s, one in a stack."""
_LAMBDA_LOGGING = "service-role/AWSLambdaBasicExecutionRole"
_ORIGINS = "CloudFront-VPCOrigins-Service-SG"
"""Security group of CloudFront's interfaces in the VPC; CloudFront makes it."""


class BrowserEntry(Construct):
    """CloudFront distribution and internal load balancer: browsers' only way to the ingress."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: Settings,
        cluster: Cluster,
        namespace: IDependable,
        logs: IBucket,
    ) -> None:
        """Build the entry; ``namespace`` makes the ingress pods' namespace."""
        super().__init__(scope, name)
        self._settings = settings
        self._front = settings.front
        vpc = cluster.eks.vpc
        self.cognito: CognitoSignIn | None = None
        """User pool for the sign-in with Cognito; `None` with another sign-in, or none."""
        self.targets = self._targets(vpc)
        self.balancer = self._balancer(vpc)
        self.balancer.log_access_logs(logs, "balancer")
        self._listen()
        pods = Connections(security_groups=[cluster.eks.cluster_security_group])
        self.balancer.connections.allow_to(pods, Port.tcp(SERVE_PORT), "The Serve proxy")
        LoadBalancerController(
            self,
            "Pods",
            settings=settings,
            cluster=cluster,
            targets=self.targets,
            namespace=namespace,
        )
        self.distribution = self._distribution()
        self.balancer.connections.allow_from(self._cloudfront(vpc), Port.tcp(self._port))
        if self._front.waf:
            Firewall(self, "Firewall", protected=self.balancer.load_balancer_arn)
        self._acknowledge()

    @property
    def url(self) -> str:
        """Address that people open: the configured domain, else CloudFront's own."""
        return f"https://{self._front.domain or self.distribution.distribution_domain_name}"

    @property
    def _port(self) -> int:
        return _HTTPS if self._front.listener_certificate_arn else _HTTP

    def _targets(self, vpc: IVpc) -> ApplicationTargetGroup:
        return ApplicationTargetGroup(
            self,
            "Serve",
            vpc=vpc,
            port=SERVE_PORT,
            protocol=ApplicationProtocol.HTTP,
            target_type=TargetType.IP,
            # Serve's proxy answers this path itself, without asking a replica.
            health_check=HealthCheck(path="/-/healthz", interval=Duration.seconds(10)),
            deregistration_delay=_DRAIN,
            stickiness_cookie_duration=_STICKY,
        )

    def _balancer(self, vpc: IVpc) -> ApplicationLoadBalancer:
        own = SecurityGroup(self, "Balancer", vpc=vpc, allow_all_outbound=False)
        return ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            vpc=vpc,
            vpc_subnets=SubnetSelection(subnets=vpc.private_subnets),
            internet_facing=False,
            security_group=own,
            idle_timeout=_IDLE,
            drop_invalid_header_fields=True,
        )

    def _listen(self) -> None:
        listener = self._front.listener_certificate_arn
        certificates: list[IListenerCertificate] = (
            [ListenerCertificate.from_arn(listener)] if listener else []
        )
        secure = bool(certificates)
        self.balancer.add_listener(
            "Listener",
            port=self._port,
            protocol=ApplicationProtocol.HTTPS if secure else ApplicationProtocol.HTTP,
            certificates=certificates or None,
            ssl_policy=SslPolicy.TLS13_RES if secure else None,
            # CDK's default opens the port to every address.
            open=False,
            default_action=self._signed_in(ListenerAction.forward([self.targets])),
        )

    def _signed_in(self, then: ListenerAction) -> ListenerAction:
        front = self._front
        if front.sign_in == "oidc" and front.oidc is not None:
            return authenticate_oidc(front.oidc, then)
        if front.sign_in == "cognito" and front.domain is not None:
            installation = self._settings.names.stack
            self.cognito = CognitoSignIn(
                self, "People", domain=front.domain, installation=installation
            )
            return self.cognito.authenticate(then)
        return then

    def _distribution(self) -> Distribution:
        front = self._front
        origin = Origin.with_vpc_origin(self._origin(), read_timeout=_READ, keepalive_timeout=_READ)
        return Distribution(
            self,
            "Entry",
            comment=f"The front of {self._settings.stack_name}",
            domain_names=[front.domain] if front.domain else None,
            certificate=Certificate.from_certificate_arn(self, "Certificate", front.certificate_arn)
            if front.certificate_arn
            else None,
            minimum_protocol_version=SecurityPolicyProtocol.TLS_V1_2_2021
            if front.certificate_arn
            else None,  # CloudFront chooses itself for its own domain
            default_behavior=BehaviorOptions(
                origin=origin,
                allowed_methods=AllowedMethods.ALLOW_ALL,  # POST is in no smaller set
                cache_policy=CachePolicy.CACHING_DISABLED,
                # With the viewer's Host: the sign-in returns to it, and the certificate is for it.
                origin_request_policy=OriginRequestPolicy.ALL_VIEWER,
                viewer_protocol_policy=ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                function_associations=[self._viewer_address()] if front.waf else None,
            ),
        )

    def _origin(self) -> VpcOrigin:
        """Return the VPC origin, a new one for each port.

        CloudFront refuses to change a VPC origin while a distribution uses it, so the port is in
        its id.
        """
        secure = self._port == _HTTPS
        return VpcOrigin(
            self,
            f"Origin{self._port}",
            endpoint=VpcOriginEndpoint.application_load_balancer(self.balancer),
            vpc_origin_name=f"{self._settings.names.stack}-front-{self._port}",
            protocol_policy=OriginProtocolPolicy.HTTPS_ONLY
            if secure
            else OriginProtocolPolicy.HTTP_ONLY,
        )

    def _viewer_address(self) -> FunctionAssociation:
        function = Function(
            self,
            "Viewer",
            comment="Tells the firewall the address of who asks.",
            code=FunctionCode.from_inline(VIEWER_ADDRESS_FUNCTION),
            runtime=FunctionRuntime.JS_2_0,
        )
        return FunctionAssociation(event_type=FunctionEventType.VIEWER_REQUEST, function=function)

    def _cloudfront(self, vpc: IVpc) -> ISecurityGroup:
        """Look up the security group of CloudFront's VPC origins.

        CloudFormation has no attribute for it, so a custom resource asks EC2 once the distribution
        exists.
        """
        lookup = AwsCustomResource(
            self,
            "Origins",
            # CDK makes the same call when the stack is created.
            on_update=AwsSdkCall(
                service="ec2",
                action="describeSecurityGroups",
                parameters={
                    "Filters": [
                        {"Name": "vpc-id", "Values": [vpc.vpc_id]},
                        {"Name": "group-name", "Values": [_ORIGINS]},
                    ]
                },
                physical_resource_id=PhysicalResourceId.of(_ORIGINS),
            ),
            policy=AwsCustomResourcePolicy.from_sdk_calls(
                resources=AwsCustomResourcePolicy.ANY_RESOURCE
            ),
            # The SDK of the function's runtime knows this call; a download could fail a deployment.
            install_latest_aws_sdk=False,
        )
        lookup.node.add_dependency(self.distribution)
        return SecurityGroup.from_security_group_id(
            self, "CloudFront", lookup.get_response_field("SecurityGroups.0.GroupId")
        )

    def _acknowledge(self) -> None:
        entry = self.distribution
        acknowledge(entry, "CFR1", "Who may see the front ends does not depend on a country.")
        acknowledge(entry, "CFR2", "The firewall, if one is wanted, is before the load balancer.")
        acknowledge(
            entry, "CFR3", "The load balancer logs each request; nothing is cached before it."
        )
        if self._front.certificate_arn is None:
            acknowledge(
                entry, "CFR4", "CloudFront's own domain comes with CloudFront's own choice."
            )
        if self._front.listener_certificate_arn is None:
            acknowledge(entry, "CFR5", "Behind CloudFront it goes through the private network.")
        describe = "It asks for the id of a security group; EC2 describes all or nothing."
        acknowledge_resources(self.node.find_child("Origins"), describe, "*")
        sdk_caller = Stack.of(self).node.find_child(_SDK_CALLER)
        acknowledge(sdk_caller, "L1", "CDK says what its own function runs on.")
        acknowledge_managed_policies(sdk_caller, "It writes its own logs.", _LAMBDA_LOGGING)
