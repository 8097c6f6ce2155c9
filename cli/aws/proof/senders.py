"""Senders of tasks: API Gateway, or the tasks topic where there is none (China)."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from cli.aws.proof.samples import SampleTask
from cli.aws.sdk import Aws, AwsError, NotReachable
from cli.aws.stack import Stack
from models.role import Role
from models.settings import Settings
from models.settings.api_keys import ApiKey

_ENDPOINT = "FrontApiEndpoint"
_KEY = "AWS::ApiGateway::ApiKey"
_SECONDS = 35  # API Gateway gives up after 29
_REFUSED = frozenset({401, 403})
_OK = 200


class Sender(ABC):
    """Entry of an installation for tasks."""

    @abstractmethod
    def send(self, task: SampleTask) -> Mapping[str, Any]:
        """Send a task; return the answer.

        Raises:
            AwsError: the task was not accepted.
        """


@dataclass(frozen=True)
class ApiSender(Sender):
    """Sender to API Gateway."""

    endpoint: str
    key: str = field(repr=False)

    def send(self, task: SampleTask) -> Mapping[str, Any]:
        answer = self._post(task, self.key)
        if answer.status_code != _OK:
            raise AwsError(f"POST {task.api} answers {answer.status_code}: {answer.text[:300]}")
        parsed: Mapping[str, Any] = answer.json()
        return parsed

    def refuses(self, task: SampleTask) -> bool:
        """Tell whether requests without a key, and with a wrong one, are both refused."""
        answers = (self._post(task, None), self._post(task, "no-key-of-this-platform"))
        return all(answer.status_code in _REFUSED for answer in answers)

    def _post(self, task: SampleTask, key: str | None) -> httpx.Response:
        url = f"{self.endpoint.rstrip('/')}/{task.api}"
        headers = {"x-api-key": key} if key else {}
        try:
            return httpx.post(url, json=task.body, headers=headers, timeout=_SECONDS)
        except httpx.HTTPError as exc:
            raise NotReachable(f"no answer from {self.endpoint} ({type(exc).__name__})") from exc


@dataclass(frozen=True)
class TopicSender(Sender):
    """Sender to the tasks topic, which answers nothing."""

    aws: Aws
    arn: str

    def send(self, task: SampleTask) -> Mapping[str, Any]:
        attributes = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in task.attributes.items()
        }
        self.aws.client("sns").publish(
            TopicArn=self.arn, Message=json.dumps(task.message), MessageAttributes=attributes
        )
        return {}


def sender_of(stack: Stack, settings: Settings) -> Sender:
    """Return the sender for the entry that the installation has."""
    endpoint = stack.outputs.get(_ENDPOINT)
    if endpoint is None:
        return TopicSender(stack.aws, settings.names.arn("sns", settings.names.tasks_topic))
    return ApiSender(endpoint, key_of(stack, settings))


def key_of(stack: Stack, settings: Settings) -> str:
    """Return the first API key of the stack that may submit tasks.

    Raises:
        AwsError: there is none.
    """
    key_ids = stack.of_type(_KEY)
    if not key_ids:
        raise AwsError(f"stack {stack.name} has no API key; deploy it again")
    forbidden = {
        f"{settings.names.stack}-{key_id.name}"
        for key_id in settings.api_keys
        if not _submits(key_id)
    }
    for key_id in key_ids:
        key_description = stack.aws.client("apigateway").get_api_key(
            apiKey=key_id, includeValue=True
        )
        if key_description["name"] not in forbidden and key_description.get("enabled", True):
            return str(key_description["value"])
    raise AwsError(
        f"no API key of stack {stack.name} may submit: all are viewers', ended or disabled"
    )


def _submits(key: ApiKey) -> bool:
    """Tell whether the edge accepts tasks with this key: its role may submit, and it is valid."""
    ended = key.expires is not None and key.expires.timestamp() <= time.time()
    return key.role.has(Role.ARTIST) and not ended
