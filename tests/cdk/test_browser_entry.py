import json
import subprocess
from typing import Any

import httpx
from aws_cdk import Stack
from aws_cdk.assertions import Match, Template
from aws_cdk.aws_elasticloadbalancingv2 import ListenerAction
from ray.serve._private.proxy_request_response import ASGIProxyRequest

from cdk.firewall import VIEWER_ADDRESS_FUNCTION
from cdk.sign_in import CognitoSignIn, authenticate_oidc
from cdk.stack import Platform
from models.names import kube
from models.settings import Settings
from models.settings.browser_entry import Oidc
from tests.cdk import graph
from tests.cdk.conftest import Synthesized
from tests.cdk.test_cli import NODE
from tests.manifests import crds
from tests.serve_app.world import World


def binding(whole: Synthesized) -> dict[str, Any]:
    ((_, found),) = graph.kind(whole, "TargetGroupBinding")
    return found


def properties(template: Template, kind: str, name: str | None = None) -> list[Any]:
    """Return the properties of the load balancer's resources of a type, or one property."""
    found = template.find_resources(f"AWS::ElasticLoadBalancingV2::{kind}").values()
    return [one["Properties"][name] if name else one["Properties"] for one in found]


async def nothing(*_: Any) -> Any:
    """Stand in for an ASGI connection of which nothing is read."""


def balancer(platform: Platform) -> dict[str, Any]:
    return {"Fn::GetAtt": [graph.named(platform, "Front/Balancer"), "GroupId"]}


def test_the_load_balancer_is_reached_from_the_network_only(template: Template) -> None:
    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::LoadBalancer", {"Scheme": "internal"}
    )


async def test_the_load_balancer_asks_where_a_healthy_head_answers_anybody_with_200(
    template: Template,
) -> None:
    """Ask Serve's proxy of the pinned Ray, or the HTTP API behind it."""
    (path,) = properties(template, "TargetGroup", "HealthCheckPath")
    proxied = ASGIProxyRequest({"type": "http", "path": path}, nothing, nothing)
    transport = httpx.ASGITransport(World().app)
    async with httpx.AsyncClient(transport=transport, base_url="http://front") as stranger:
        answer = await stranger.get(path)

    assert proxied.is_health_request or answer.status_code == httpx.codes.OK


def test_the_target_group_takes_pods_at_the_port_of_serve(template: Template) -> None:
    (pods,) = properties(template, "TargetGroup")

    assert (pods["TargetType"], pods["Protocol"], pods["Port"]) == ("ip", "HTTP", 8000)
    assert pods.get("HealthCheckPort", "traffic-port") == "traffic-port"
    assert pods.get("Matcher", {"HttpCode": "200"}) == {"HttpCode": "200"}


def test_the_load_balancer_speaks_no_tls_that_browsers_have_given_up(template: Template) -> None:
    (policy,) = properties(template, "Listener", "SslPolicy")

    assert policy == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


def test_a_websocket_without_a_word_stays_for_an_hour(template: Template) -> None:
    (attributes,) = properties(template, "LoadBalancer", "LoadBalancerAttributes")
    seconds = {one["Key"]: one["Value"] for one in attributes}["idle_timeout.timeout_seconds"]

    assert 3_600 <= int(seconds) <= 4_000  # the longest that a load balancer has


def test_nobody_but_cloudfront_reaches_the_load_balancer(
    whole: Synthesized, platform: Platform
) -> None:
    rules = [
        each["Properties"]
        for each in whole.resources("AWS::EC2::SecurityGroupIngress").values()
        if each["Properties"]["GroupId"] == balancer(platform)
    ]
    groups = [
        group["Properties"].get("SecurityGroupIngress", [])
        for group in whole.resources("AWS::EC2::SecurityGroup").values()
    ]

    (rule,) = rules
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
    assert rule["SourceSecurityGroupId"]["Fn::GetAtt"][1] == "SecurityGroups.0.GroupId"
    assert not any(groups)


def test_the_load_balancer_reaches_the_pods_port_of_serve(
    whole: Synthesized, platform: Platform
) -> None:
    cluster = {"Fn::GetAtt": [graph.named(platform, "Cluster/Eks"), "ClusterSecurityGroupId"]}
    (opened,) = (
        each["Properties"]
        for each in whole.resources("AWS::EC2::SecurityGroupIngress").values()
        if each["Properties"]["GroupId"] == cluster
    )

    assert opened["SourceSecurityGroupId"] == balancer(platform)
    assert (opened["FromPort"], opened["ToPort"]) == (8000, 8000)


def test_people_sign_in_before_they_come_to_the_pods(template: Template) -> None:
    template.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::Listener",
        {
            "Port": 443,
            "Protocol": "HTTPS",
            "DefaultActions": [
                Match.object_like({"Type": "authenticate-cognito", "Order": 1}),
                Match.object_like({"Type": "forward", "Order": 2}),
            ],
        },
    )
    template.has_resource_properties(
        "AWS::Cognito::UserPoolClient",
        {"CallbackURLs": ["https://studio.example.com/oauth2/idpresponse"]},
    )


def test_nobody_signs_up_by_himself(template: Template) -> None:
    template.has_resource_properties(
        "AWS::Cognito::UserPool", {"AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True}}
    )


def test_who_may_sign_in_is_forgotten_with_the_stack(whole: Synthesized) -> None:
    """The next deployment would else make a second pool, and nobody would know of the first."""
    (pool,) = whole.resources("AWS::Cognito::UserPool").values()

    assert pool["DeletionPolicy"] == "Delete"


def test_the_sign_ins_domain_has_no_word_that_cognito_keeps_for_itself() -> None:
    sign_in = CognitoSignIn(Stack(), "People", domain="studio.example.com", installation="drawshop")
    (domain,) = (
        Template.from_stack(Stack.of(sign_in))
        .find_resources("AWS::Cognito::UserPoolDomain")
        .values()
    )
    prefix = json.dumps(domain["Properties"]["Domain"])

    assert "people-" in prefix
    assert "drawshop" not in prefix


def test_a_providers_secret_is_read_where_it_is_kept() -> None:
    arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:provider"
    provider = "https://id.example.com"
    oidc = Oidc(
        issuer=provider,
        authorizationEndpoint=f"{provider}/authorize",
        tokenEndpoint=f"{provider}/token",
        userInfoEndpoint=f"{provider}/me",
        clientId="studio",
        clientSecretArn=arn,
    )
    action = authenticate_oidc(oidc, ListenerAction.fixed_response(200))

    sign_in, _ = Stack().resolve(action.render_actions())
    assert sign_in["type"] == "authenticate-oidc"
    secret = sign_in["authenticateOidcConfig"]["clientSecret"]
    assert secret == f"{{{{resolve:secretsmanager:{arn}:SecretString:::}}}}"


def test_cloudfront_keeps_nothing_and_sends_everything_on(whole: Synthesized) -> None:
    (entry,) = whole.resources("AWS::CloudFront::Distribution").values()
    config = entry["Properties"]["DistributionConfig"]
    behaviour = config["DefaultCacheBehavior"]

    assert config["Aliases"] == ["studio.example.com"]
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # CachingDisabled
    assert "POST" in behaviour["AllowedMethods"]
    assert behaviour["OriginRequestPolicyId"] == "216adef6-5c7f-47e4-b989-5492eafa07d3"  # AllViewer
    assert behaviour["ViewerProtocolPolicy"] == "redirect-to-https"
    (origin,) = config["Origins"]
    assert "VpcOriginId" in origin["VpcOriginConfig"]


def test_without_a_certificate_cloudfront_comes_by_http_inside_the_network(
    second: Synthesized,
) -> None:
    (origin,) = second.resources("AWS::CloudFront::VpcOrigin").values()
    (listener,) = second.resources("AWS::ElasticLoadBalancingV2::Listener").values()
    (entry,) = second.resources("AWS::CloudFront::Distribution").values()

    config = origin["Properties"]["VpcOriginEndpointConfig"]
    assert config["OriginProtocolPolicy"] == "http-only"
    assert listener["Properties"]["Port"] == 80
    assert [each["Type"] for each in listener["Properties"]["DefaultActions"]] == ["forward"]
    viewer = entry["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]
    assert viewer["ViewerProtocolPolicy"] == "redirect-to-https"
    assert not second.resources("AWS::WAFv2::WebACL")


def test_another_way_to_the_load_balancer_is_another_origin(
    whole: Synthesized, second: Synthesized
) -> None:
    """CloudFront refuses to change one that a distribution uses: certificates come and go."""
    (https, by_https), (http, by_http) = (
        next(iter(each.resources("AWS::CloudFront::VpcOrigin").items())) for each in (whole, second)
    )
    names = [
        each["Properties"]["VpcOriginEndpointConfig"]["Name"].partition("-front-")[2]
        for each in (by_https, by_http)
    ]

    assert https != http
    assert names == ["443", "80"]


def test_a_viewers_address_is_cloudfronts_word_and_not_his_own() -> None:
    claimed = {"x-viewer-ip": {"value": "1.1.1.1"}, "x-forwarded-for": {"value": "1.1.1.1"}}
    event = {"viewer": {"ip": "203.0.113.7"}, "request": {"headers": claimed}}
    code = f"{VIEWER_ADDRESS_FUNCTION}; console.log(JSON.stringify(handler({json.dumps(event)})))"
    ran = subprocess.run([NODE, "-e", code], check=True, capture_output=True)

    assert json.loads(ran.stdout)["headers"]["x-viewer-ip"] == {"value": "203.0.113.7"}


def test_each_request_passes_that_function_before_the_firewall(
    whole: Synthesized, second: Synthesized
) -> None:
    (entry,) = whole.resources("AWS::CloudFront::Distribution").values()
    (function,) = whole.resources("AWS::CloudFront::Function").values()
    behaviour = entry["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]

    (associated,) = behaviour["FunctionAssociations"]
    assert associated["EventType"] == "viewer-request"
    assert function["Properties"]["FunctionCode"] == VIEWER_ADDRESS_FUNCTION
    assert not second.resources("AWS::CloudFront::Function")


def test_the_firewall_counts_by_the_address_that_cloudfront_saw(template: Template) -> None:
    template.has_resource_properties(
        "AWS::WAFv2::WebACL",
        {
            "Scope": "REGIONAL",
            "Rules": Match.array_with(
                [
                    Match.object_like(
                        {
                            "Action": {"Block": {}},
                            "Statement": {
                                "RateBasedStatement": Match.object_like(
                                    {
                                        "AggregateKeyType": "FORWARDED_IP",
                                        "ForwardedIPConfig": {
                                            "HeaderName": "X-Viewer-Ip",
                                            "FallbackBehavior": "NO_MATCH",
                                        },
                                    }
                                )
                            },
                        }
                    )
                ]
            ),
        },
    )


def test_the_firewall_lets_a_task_with_links_and_pictures_through(whole: Synthesized) -> None:
    (acl,) = whole.resources("AWS::WAFv2::WebACL").values()
    (common,) = (
        rule["Statement"]["ManagedRuleGroupStatement"]
        for rule in acl["Properties"]["Rules"]
        if rule["Name"] == "AWSManagedRulesCommonRuleSet"
    )
    counted = {each["Name"] for each in common["RuleActionOverrides"]}

    assert counted >= {"SizeRestrictions_BODY", "GenericRFI_BODY"}
    assert "SizeRestrictions_Cookie_HEADER" in counted  # the load balancer's own, of who signed in
    assert all(each["ActionToUse"] == {"Count": {}} for each in common["RuleActionOverrides"])


def test_pods_are_bound_to_the_stacks_own_target_group(
    whole: Synthesized, platform: Platform, settings: Settings
) -> None:
    spec = binding(whole)["spec"]

    assert spec["targetGroupARN"] == f"<{graph.named(platform, 'Front/Serve')}>"
    assert spec["serviceRef"] == {"name": kube.serve_service(settings.names), "port": 8000}
    assert spec["targetType"] == "ip"


@crds.needed
def test_the_controller_knows_all_of_the_binding(whole: Synthesized) -> None:
    assert crds.mistakes(binding(whole)) == []


def test_the_binding_goes_before_its_controller(whole: Synthesized) -> None:
    ((name, _),) = graph.kind(whole, "TargetGroupBinding")
    controller, _ = graph.charts(whole)["aws-load-balancer-controller"]

    assert controller in graph.waits_for(whole.json, name)


def test_the_controller_changes_nothing_but_our_target_group(
    whole: Synthesized, platform: Platform
) -> None:
    role = graph.named(platform, "Front/Pods/Controller/Role")
    changes = [
        each
        for each in graph.statements(whole.json, role)
        if not all(":Describe" in action for action in graph.listed(each["Action"]))
    ]

    (change,) = changes
    assert change["Resource"] == {"Ref": graph.named(platform, "Front/Serve")}


def test_without_a_front_there_is_no_load_balancer_and_no_controller(china: Synthesized) -> None:
    kinds = {each["Type"] for each in china.json["Resources"].values()}

    assert not any(kind.startswith(("AWS::Elastic", "AWS::CloudFront")) for kind in kinds)
    assert "aws-load-balancer-controller" not in graph.charts(china)
