"""API Gateway and the edge behind it, synthesized alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Capture, Match, Template

from cdk.bundle import PYTHON
from cdk.edge import Edge
from models.settings import Settings
from tests.cdk.conftest import Synthesized

KEY = "a key that only the cluster knows"
GIVEN: Mapping[str, Any] = {
    "stackName": "Studio",
    "modelBucketArn": "arn:aws:s3:::studio-models",
    "modelsRuntime": [{"name": "sdruntime", "type": "diffusers"}],
    "APIGW": {"stageName": "prod", "throttle": {"rateLimit": 7, "burstLimit": 9}},
    "apiKeys": [{"name": "ana", "key": KEY}, {"name": "bo", "key": "bo's"}],
    "edge": {"memory": 768, "timeoutSeconds": 25, "concurrency": 40, "logDays": 7},
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    code = tmp_path_factory.mktemp("edge") / "edge.zip"
    code.write_bytes(b"stands for the zip, which is not looked into")
    stack = Stack(App(), "StudioStack")
    Edge(stack, "Gateway", settings=Settings.read(args=GIVEN), code=Path(code))
    return Template.from_stack(stack)


def test_every_method_asks_for_a_key(template: Template) -> None:
    methods = template.find_resources("AWS::ApiGateway::Method").values()
    paths = template.find_resources("AWS::ApiGateway::Resource").values()

    assert sorted(method["Properties"]["HttpMethod"] for method in methods) == [
        "ANY",
        "GET",
        "POST",
        "POST",
    ]
    assert all(method["Properties"]["ApiKeyRequired"] for method in methods)
    assert {path["Properties"]["PathPart"] for path in paths} == {
        "v1alpha1",
        "v1alpha2",
        "{proxy+}",
    }


def test_keys_are_of_a_plan_for_the_stage_for_without_one_they_let_nobody_in(
    template: Template,
) -> None:
    ((api, _),) = template.find_resources("AWS::ApiGateway::RestApi").items()
    ((stage, _),) = template.find_resources("AWS::ApiGateway::Stage").items()
    ((plan, made),) = template.find_resources("AWS::ApiGateway::UsagePlan").items()
    keys = template.find_resources("AWS::ApiGateway::UsagePlanKey").values()

    (of,) = made["Properties"]["ApiStages"]
    assert (of["ApiId"], of["Stage"]) == ({"Ref": api}, {"Ref": stage})
    assert all(key["Properties"]["UsagePlanId"] == {"Ref": plan} for key in keys)


def test_each_key_has_the_throttle_and_all_together_the_stages(template: Template) -> None:
    template.has_resource_properties(
        "AWS::ApiGateway::UsagePlan",
        {
            "UsagePlanName": "StudioStack-Default",
            "Throttle": {"RateLimit": 7, "BurstLimit": 9},
            "Quota": Match.absent(),
        },
    )
    template.resource_count_is("AWS::ApiGateway::UsagePlanKey", 2)
    template.has_resource_properties(
        "AWS::ApiGateway::Stage",
        {
            "StageName": "prod",
            "TracingEnabled": True,
            "MethodSettings": [
                {
                    "HttpMethod": "*",
                    "ResourcePath": "/*",
                    "ThrottlingRateLimit": 1000,
                    "ThrottlingBurstLimit": 2000,
                    "MetricsEnabled": True,
                    "DataTraceEnabled": False,
                    "LoggingLevel": "OFF",  # else there would be a log group that nobody made
                }
            ],
        },
    )


def test_the_accounts_role_for_logs_is_kept_for_others_when_the_stack_goes(
    template: Template,
) -> None:
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    template.has_resource("AWS::ApiGateway::Account", kept)
    template.has_resource(
        "AWS::IAM::Role", {**kept, "Properties": {"ManagedPolicyArns": Match.any_value()}}
    )


def test_the_role_that_others_have_set_for_the_account_is_left_alone(second: Synthesized) -> None:
    (stage,) = second.resources("AWS::ApiGateway::Stage").values()

    assert not second.resources("AWS::ApiGateway::Account")
    assert "AccessLogSetting" in stage["Properties"]


def test_keys_are_made_up_by_aws_and_known_by_name(template: Template) -> None:
    for name in ("studio-ana", "studio-bo"):
        template.has_resource_properties(
            "AWS::ApiGateway::ApiKey", {"Name": name, "Enabled": True, "Value": Match.absent()}
        )
    assert KEY not in json.dumps(template.to_json())


def test_no_key_and_no_header_is_in_the_access_log(template: Template) -> None:
    told = Capture()
    template.has_resource_properties(
        "AWS::ApiGateway::Stage", {"AccessLogSetting": {"Format": told}}
    )

    fields = set(json.loads(told.as_string()).values())
    assert "$context.identity.apiKeyId" in fields
    assert not [each for each in fields if "header" in each or each.endswith("apiKey")]


def test_who_has_no_key_or_comes_too_often_is_told_as_the_contract_wants(
    template: Template,
) -> None:
    for kind, status, message in (
        ("INVALID_API_KEY", "401", "Unauthorized"),
        ("THROTTLED", "429", "Too Many Requests"),
    ):
        body = f'{{"message":"{message}"}}'
        template.has_resource_properties(
            "AWS::ApiGateway::GatewayResponse",
            {
                "ResponseType": kind,
                "StatusCode": status,
                "ResponseTemplates": {"application/json": body},
            },
        )


def test_the_edge_is_as_the_settings_say(template: Template) -> None:
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "FunctionName": "studio-edge",
            "Architectures": ["arm64"],
            "Runtime": f"python{PYTHON}",
            "MemorySize": 768,
            "Timeout": 25,
            "ReservedConcurrentExecutions": 40,
            "TracingConfig": {"Mode": "Active"},
            "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"},
        },
    )
    template.all_resources_properties("AWS::Logs::LogGroup", {"RetentionInDays": 7})
    template.has_resource_properties("AWS::Lambda::Alias", {"Name": "live"})


def test_its_environment_has_the_names_of_keys_by_their_ids(template: Template) -> None:
    [function] = template.find_resources("AWS::Lambda::Function").values()
    ids = {
        resource["Properties"]["Name"]: name
        for name, resource in template.find_resources("AWS::ApiGateway::ApiKey").items()
    }

    (name, value), *others = function["Properties"]["Environment"]["Variables"].items()
    [_, parts] = value["Fn::Join"]
    whole = "".join(part if isinstance(part, str) else part["Ref"] for part in parts)

    assert (name, others) == ("EDGE_KEY_NAMES", [])
    assert json.loads(whole) == [[ids["studio-ana"], "ana"], [ids["studio-bo"], "bo"]]


def test_api_gateway_alone_may_invoke_it_and_it_may_log_and_trace(template: Template) -> None:
    permissions = template.find_resources("AWS::Lambda::Permission").values()
    [policy] = template.find_resources("AWS::IAM::Policy").values()
    actions = [each["Action"] for each in policy["Properties"]["PolicyDocument"]["Statement"]]

    assert {each["Properties"]["Principal"] for each in permissions} == {"apigateway.amazonaws.com"}
    assert all("SourceArn" in each["Properties"] for each in permissions)
    assert actions == [
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
    ]


def test_the_outputs_have_the_names_that_scripts_know(template: Template) -> None:
    outputs = template.find_outputs("*")

    assert set(outputs) == {"FrontApiEndpoint", "GetAPIKeyCommand"}
    assert outputs["FrontApiEndpoint"]["Value"]["Fn::Join"][1][-1] == "/"
    assert "aws apigateway get-api-key --api-key " in json.dumps(outputs["GetAPIKeyCommand"])
