"""Edge: API Gateway with its keys and throttle, and the Lambda function behind it.

Grants its function logs and traces; the stack grants all else.
"""

import json
from pathlib import Path
from typing import cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk.aws_apigateway import (
    AccessLogField,
    AccessLogFormat,
    ApiKey,
    EndpointType,
    LambdaIntegration,
    LogGroupLogDestination,
    MethodLoggingLevel,
    ResponseType,
    RestApi,
    StageOptions,
    ThrottleSettings,
    UsagePlanPerApiStage,
)
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_lambda import (
    Alias,
    ApplicationLogLevel,
    Architecture,
    Code,
    Function,
    LoggingFormat,
    Runtime,
    RuntimeFamily,
    SystemLogLevel,
    Tracing,
)
from aws_cdk.aws_logs import CfnLogGroup, LogGroup
from constructs import Construct

from cdk.bundle import ENTRY, PYTHON
from cdk.nag import acknowledge
from models.settings import Settings
from models.settings.edge import KEY_NAMES, key_names

_STAGE_RATE, _STAGE_BURST = 1_000, 2_000  # of all keys together, as in the reference system
_DIALECTS = ("v1alpha1", "v1alpha2")
_PUSH_LOGS = "AmazonAPIGatewayPushToCloudWatchLogs"
_ARCHITECTURES = {"arm64": Architecture.ARM_64, "x86_64": Architecture.X86_64}


class Edge(Construct):
    """API Gateway and the function behind it, for holders of an API key, within the throttle."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, code: Path) -> None:
        """Build the edge; ``code`` is the function's zip, as `bundle.bundle` makes it."""
        super().__init__(scope, name)
        self._settings = settings
        self.keys = {key: self._key(key) for key in key_names(settings)}
        """API keys by the names that the settings give them."""
        self.role = Role(
            self,
            "Role",
            description="The HTTP front behind API Gateway.",
            assumed_by=ServicePrincipal("lambda.amazonaws.com"),
        )
        self.function = self._function(code)
        version = self.function.current_version
        self.alias = Alias(self, "Live", alias_name="live", version=version)
        self.api = self._api()
        self._route()
        self._add_error_responses()
        self._add_usage_plan()
        self._add_outputs()
        self._acknowledge()

    def _key(self, name: str) -> ApiKey:
        """Make a key without a value: API Gateway generates one, so that no template has it."""
        return ApiKey(self, f"Key-{name}", api_key_name=f"{self._settings.names.stack}-{name}")

    def _function(self, code: Path) -> Function:
        edge, name = self._settings.edge, f"{self._settings.names.stack}-edge"
        log = self._log_group("Log", f"/aws/lambda/{name}")
        log.grant_write(self.role)
        key_names = [[key.key_id, name] for name, key in self.keys.items()]
        return Function(
            self,
            "Edge",
            description="The HTTP front: publishes tasks, reads and changes the ledger.",
            function_name=name,
            code=Code.from_asset(str(code)),
            handler=f"{ENTRY}.handler",
            runtime=Runtime(f"python{PYTHON}", RuntimeFamily.PYTHON),
            architecture=_ARCHITECTURES[edge.architecture],
            memory_size=edge.memory,
            timeout=Duration.seconds(edge.timeout_seconds),
            reserved_concurrent_executions=edge.concurrency,
            # By CDK's own writer of JSON, since the keys' ids are tokens until the deployment.
            environment={KEY_NAMES: Stack.of(self).to_json_string(key_names)},
            role=self.role,
            tracing=Tracing.ACTIVE,
            log_group=log,
            logging_format=LoggingFormat.JSON,
            application_log_level_v2=ApplicationLogLevel.INFO,
            system_log_level_v2=SystemLogLevel.WARN,
        )

    def _log_group(self, child: str, name: str) -> LogGroup:
        group = LogGroup(self, child, log_group_name=name, removal_policy=RemovalPolicy.DESTROY)
        # By the L1 construct: the L2 takes an enumeration, the setting is a number of days.
        cfn_group = cast("CfnLogGroup", group.node.default_child)
        cfn_group.retention_in_days = self._settings.edge.log_days
        return group

    def _api(self) -> RestApi:
        access = self._log_group("AccessLog", f"/atelier/{self._settings.names.stack}/access")
        api = RestApi(
            self,
            "FrontAPI",
            rest_api_name=f"{self._settings.names.stack}-FrontAPI",
            endpoint_types=[EndpointType.REGIONAL],
            # An account has one such role for all its APIs, so CDK keeps it when the stack goes.
            cloud_watch_role=self._settings.edge.set_account_role,
            deploy_options=StageOptions(
                stage_name=self._settings.gateway.stage_name,
                tracing_enabled=True,
                metrics_enabled=True,
                throttling_rate_limit=_STAGE_RATE,
                throttling_burst_limit=_STAGE_BURST,
                logging_level=MethodLoggingLevel.OFF,
                access_log_destination=LogGroupLogDestination(access),
                access_log_format=_access_log(),
            ),
        )
        api.node.try_remove_child("Endpoint")  # CDK's own output, with a hash in its name
        return api

    def _route(self) -> None:
        """Route the dialects' paths, and all others by ``{proxy+}``, to the function.

        It knows its routes itself, so doubled slashes, which clients send, arrive whatever API
        Gateway takes them for.
        """
        # Test invocations would add a statement for each method to the function's policy.
        to_edge = LambdaIntegration(self.alias, allow_test_invoke=False)
        root = self.api.root
        for name in _DIALECTS:
            root.add_resource(name).add_method("POST", to_edge, api_key_required=True)
        root.add_method("GET", to_edge, api_key_required=True)
        root.add_resource("{proxy+}").add_method("ANY", to_edge, api_key_required=True)

    def _add_error_responses(self) -> None:
        self.api.add_gateway_response(
            "Unauthorized",
            type=ResponseType.INVALID_API_KEY,  # API Gateway's type for a missing key, too
            status_code="401",  # its own answer would be 403
            templates={"application/json": _message("Unauthorized")},
        )
        self.api.add_gateway_response(
            "TooManyRequests",
            type=ResponseType.THROTTLED,
            status_code="429",
            # In API Gateway a constant stands in quotes of its own.
            response_headers={"Retry-After": "'1'"},
            templates={"application/json": _message("Too Many Requests")},
        )

    def _add_usage_plan(self) -> None:
        throttle = self._settings.gateway.throttle
        plan = self.api.add_usage_plan(
            "Plan",
            name=f"{Stack.of(self).stack_name}-Default",
            throttle=ThrottleSettings(
                rate_limit=throttle.rate_limit, burst_limit=throttle.burst_limit
            ),
            api_stages=[UsagePlanPerApiStage(api=self.api, stage=self.api.deployment_stage)],
        )
        for key in self.keys.values():
            plan.add_api_key(key)

    def _add_outputs(self) -> None:
        """Write the outputs, by the names that the reference system gives them."""
        first = next(iter(self.keys.values()))
        command = (
            f"aws apigateway get-api-key --api-key {first.key_id} --include-value"
            f" --query value --output text --region {Stack.of(self).region}"
        )
        for name, value in {"FrontApiEndpoint": self.api.url, "GetAPIKeyCommand": command}.items():
            # Else the construct's path and a hash would be in the output's name.
            CfnOutput(self, name, value=value).override_logical_id(name)

    def _acknowledge(self) -> None:
        acknowledge(
            self.function, "L1", "It runs on the Python that its modules were compiled with."
        )
        acknowledge(self.role, "IAM5[Resource::*]", "X-Ray's actions know no resource.")
        api = self.api
        acknowledge(api, "APIG2", "The edge checks each body, and answers in the contract's words.")
        acknowledge(api, "APIG3", "Nobody without a key comes further than the gateway.")
        keys = "Programs come in by API key, as in the reference system; people by the front."
        acknowledge(api, "APIG4", keys)
        acknowledge(api, "COG4", keys)
        log = "Its group would be kept for ever and outlive the stack; there is the access log."
        acknowledge(api, "APIG6", log)
        acknowledge(
            api,
            f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/{_PUSH_LOGS}]",
            "An account has one such role, and all that it may do is to write logs.",
        )


def _access_log() -> AccessLogFormat:
    """Return the access log's format: caller, request and outcome; no header, no body, no key."""
    fields = {
        "request": AccessLogField.context_request_id(),
        "from": AccessLogField.context_identity_source_ip(),
        "key_id": AccessLogField.context_identity_api_key_id(),
        "method": AccessLogField.context_http_method(),
        "path": AccessLogField.context_path(),
        "status": AccessLogField.context_status(),
        "milliseconds": AccessLogField.context_response_latency(),
        "bytes": AccessLogField.context_response_length(),
    }
    return AccessLogFormat.custom(json.dumps(fields))


def _message(text: str) -> str:
    return json.dumps({"message": text}, separators=(",", ":"))
