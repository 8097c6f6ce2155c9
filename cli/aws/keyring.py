"""API keys of an installation on AWS: a row of the ledger's table, and keys of API Gateway."""

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from atelier import Misused
from cli.aws.installation import Installation
from cli.aws.sdk import AwsError, code_of, suppressed
from cli.keys.keyring import Keyring
from models.errors import SettingsError
from models.names.table import KEY, KEYS_DOCUMENT, KEYS_ROW, KEYS_VERSION
from models.names.tags import PROJECT, TAG
from models.settings.api_keys import ApiKey, KeySecret, as_document, stored_keys
from models.yaml_text import yaml_document

_REFUSED = "ConditionalCheckFailedException"
_GONE = "NotFoundException"


class TableKeyring(Keyring):
    """Keyring whose digests are in the ledger's table, and whose secrets only API Gateway keeps.

    HTTP API and edge read the table, so no pod restarts and the cluster need not be reachable.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._settings = installation.settings
        self.where = f"table {self._settings.names.ledger}"
        self.configured = self._settings.api_keys
        self._version = 0

    def read(self) -> Sequence[ApiKey]:
        # Consistent: an old version read here would make the conditional write fail for nothing.
        row = self._dynamodb.get_item(
            TableName=self._settings.names.ledger, Key=self._key, ConsistentRead=True
        ).get("Item", {})
        self._version = int(row.get(KEYS_VERSION, {"N": "0"})["N"])
        try:
            document = yaml_document(row.get(KEYS_DOCUMENT, {"S": "{}"})["S"], self.where)
            return stored_keys(document, self.where)
        except SettingsError as exc:
            raise AwsError(str(exc)) from None

    def write(self, keys: Sequence[ApiKey]) -> None:
        try:
            self._dynamodb.put_item(
                TableName=self._settings.names.ledger,
                Item={
                    **self._key,
                    KEYS_DOCUMENT: {"S": json.dumps(as_document(keys))},
                    KEYS_VERSION: {"N": str(self._version + 1)},
                },
                ConditionExpression="attribute_not_exists(#version) OR #version = :read",
                ExpressionAttributeNames={"#version": KEYS_VERSION},
                ExpressionAttributeValues={":read": {"N": str(self._version)}},
            )
        except ClientError as exc:
            if code_of(exc) != _REFUSED:
                raise
            raise AwsError("somebody changed the keys at the same time; run it again") from None

    def add_gateway_key(self, name: str, secret: str) -> str | None:
        if self._plan is None:
            return None
        key: str = self._gateway.create_api_key(
            name=self._named(name),
            description="Made by atelier keys.",
            value=secret,
            enabled=True,
            tags={PROJECT: self._settings.stack_name, TAG: self._settings.stack_name},
        )["id"]
        try:
            self._gateway.create_usage_plan_key(
                usagePlanId=self._plan, keyId=key, keyType="API_KEY"
            )
        except ClientError:
            # In no plan it would open nothing, and no list would show it.
            self._gateway.delete_api_key(apiKey=key)
            raise
        return key

    def remove_gateway_keys(self, ended: Sequence[KeySecret]) -> None:
        for secret in ended:
            if secret.gateway:
                self._delete(secret.gateway)

    def disable_gateway_key(self, name: str) -> bool:
        """Disable the stack's gateway key of this name; it is deleted once the file drops it."""
        of_stack = self._installation.stack.of_type("AWS::ApiGateway::ApiKey") if self._plan else []
        # The query may find longer names as well, which begin with this one.
        named = self._installation.aws.paginated(
            "apigateway", "get_api_keys", "items", nameQuery=self._named(name)
        )
        enabled = [
            key["id"]
            for key in named
            if key["id"] in of_stack and key["name"] == self._named(name) and key["enabled"]
        ]
        for key in enabled:
            disabling = {"op": "replace", "path": "/enabled", "value": "false"}
            self._gateway.update_api_key(apiKey=key, patchOperations=[disabling])
        return bool(enabled)

    @property
    def hint(self) -> str:
        gateway = " and API Gateway within a minute" if self._plan else ""
        return f"a running front knows it within seconds{gateway}"

    def _delete(self, key: str) -> None:
        with suppressed(_GONE):
            self._gateway.delete_api_key(apiKey=key)

    def _named(self, name: str) -> str:
        """Prefix a name with the stack's, as the stack does for the gateway keys that it makes."""
        return f"{self._settings.names.stack}-{name}"

    @property
    def _key(self) -> dict[str, Any]:
        return {name: {"S": value} for name, value in zip(KEY, KEYS_ROW, strict=True)}

    @cached_property
    def _plan(self) -> str | None:
        """Id of the usage plan that new gateway keys join; None if there is no API Gateway."""
        if not self._settings.edge.enabled:
            return None
        plans = self._installation.stack.of_type("AWS::ApiGateway::UsagePlan")
        if not plans:
            raise Misused(
                f"{self._installation.stack.name} has no usage plan; run `atelier aws deploy`"
            )
        return plans[0]

    @property
    def _dynamodb(self) -> Any:
        return self._installation.aws.client("dynamodb")

    @property
    def _gateway(self) -> Any:
        return self._installation.aws.client("apigateway")
