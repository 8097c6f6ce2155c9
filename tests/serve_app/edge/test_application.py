"""Edge as API Gateway invokes it, over ports in memory."""

import asyncio
import json
import logging
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from ingest.memory import (
    MemoryClaims,
    MemoryKeys,
    MemoryLedger,
    MemoryObjects,
    MemoryQueue,
    MemoryTopic,
)
from ingest.wiring import Ports
from models.report import Status
from models.settings import Settings
from models.settings.api_keys import ApiKey
from models.settings.edge import EdgeConfig
from models.task import Kind
from serve_app.edge import application
from tests.fences import MINE
from tests.serve_app.world import settings, task

SECRET_KEY = "what the client sends as its key"
SIGNING = "whsec_" + b64encode(b"known to nobody but tests").decode()
CONTEXT: Any = None
"""Context of the invocation, which nothing reads."""
T = TypeVar("T")


class Function:
    """Lambda function in a thread of its own: its event loop rests between calls."""

    def __init__(self, configured: Settings) -> None:
        self.tasks, self.results = MemoryTopic(), MemoryTopic()
        self.ledger = MemoryLedger()
        self.keys = MemoryKeys()
        self.thread = ThreadPoolExecutor(1, initializer=self._start)
        config = EdgeConfig.of(configured)
        read = Settings.read(args=config.settings)
        self.handler = self._call(
            lambda: application.handler_over(read, self._ports(), config, {"id-of-ana": "ana"})
        )

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key_id: str | None = "id-of-ana",
        **more: Any,
    ) -> tuple[int, Mapping[str, str], str]:
        """Invoke the function; return status, headers and body of its answer."""
        event = _event(method, path, body, key_id) | more
        got = self._call(lambda: self.handler(event, CONTEXT))
        assert not got["isBase64Encoded"]
        return got["statusCode"], got["headers"], got["body"]

    def json(self, *asked: Any, **more: Any) -> Any:
        return json.loads(self(*asked, **more)[2])

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._call(lambda: self.loop.run_until_complete(work))

    def close(self) -> None:
        self._call(self._stop)
        self.thread.shutdown()

    def _start(self) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

    def _stop(self) -> None:
        left = asyncio.all_tasks(self.loop)
        for each in left:
            each.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.close()

    def _call(self, work: Callable[[], T]) -> T:
        return self.thread.submit(work).result()

    def _ports(self) -> Ports:
        async def close() -> None: ...

        queue = MemoryQueue()
        return Ports(
            objects=MemoryObjects(),
            tasks=self.tasks,
            results=self.results,
            ledger=self.ledger,
            queue=lambda _: queue,
            claims=MemoryClaims(),
            keys=self.keys,
            callbacks=MemoryTopic(),
            calls=queue,
            dead_letters={},
            sources={},
            close=close,
        )


def _event(method: str, path: str, body: Any, key_id: str | None) -> dict[str, Any]:
    headers = {"x-api-key": SECRET_KEY, "host": "abc.example.com", "x-forwarded-proto": "https"}
    plain, _, query = path.partition("?")
    pairs = [pair.split("=") for pair in query.split("&") if pair]
    return {
        "resource": "/{proxy+}",
        "httpMethod": method,
        "path": plain,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": {name: [value] for name, value in pairs} or None,
        "requestContext": {
            "stage": "dev",
            "path": f"/dev{plain}",
            "identity": {"apiKey": SECRET_KEY, "apiKeyId": key_id, "sourceIp": "192.0.2.1"},
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


@pytest.fixture
def function() -> Iterator[Function]:
    made = Function(settings())
    yield made
    made.close()


SUBMISSION = {
    "task": {
        "metadata": {
            "id": "owl",
            "runtime": "sdruntime",
            "tasktype": "text-to-image",
            "prefix": "birds",
        },
        "content": {"prompt": "an owl"},
    }
}
NATIVE = {"kind": "text-to-image", "content": {"prompt": "an owl"}, "id": "owl"}


@pytest.mark.parametrize("path", ["/v1alpha2", "//v1alpha2", "//v1alpha2/"])
def test_a_task_is_published_and_noted(function: Function, path: str) -> None:
    status, headers, body = function("POST", path, SUBMISSION)

    [published] = function.tasks.published
    noted = function.do(function.ledger.find("owl"))
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["output_location"] == "s3://outputs/birds/owl"
    assert published.attributes["runtime"] == "sdruntime"
    assert noted
    assert (noted.status, noted.key) == (Status.QUEUED, "ana")


def test_a_key_made_by_hand_is_named_by_its_id(function: Function) -> None:
    told = function.json("POST", "/v1/tasks", NATIVE, key_id="by-hand")

    assert told["key"] == "by-hand"


def test_who_comes_without_the_gateways_word_is_not_let_in(function: Function) -> None:
    old, new = (function("POST", path, {}, key_id=None) for path in ("/v1alpha2", "/v1/tasks"))

    assert (old[0], old[2]) == (401, '{"message":"Unauthorized"}')
    assert (new[0], json.loads(new[2])["type"]) == (401, "urn:atelier:unauthorized")


def test_nothing_that_is_kept_or_logged_has_the_key(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        told = function("POST", "/v1/tasks", NATIVE)
        function("POST", "/v1alpha2", {})

    kept = [told[2], str(function.tasks.published), *(str(vars(r)) for r in caplog.records)]
    assert any("submission_accepted" in text for text in kept)
    assert not any(SECRET_KEY in text for text in kept)


@pytest.mark.parametrize(
    ("stage", "path", "base"),
    [
        ("dev", "/dev/v1/tasks", "https://abc.example.com/dev/"),
        ("v1", "/v1/v1/tasks", "https://abc.example.com/v1/"),
        ("dev", "/v1/tasks", "https://abc.example.com/"),
        ("v1", "/v1/tasks", "https://abc.example.com/"),
    ],
)
def test_urls_lead_through_the_stage_unless_a_domain_stands_for_it(
    function: Function, stage: str, path: str, base: str
) -> None:
    context = {"stage": stage, "path": path, "identity": {"apiKeyId": "id-of-ana"}}

    told = function.json("POST", "/v1/tasks", NATIVE, requestContext=context)

    assert told["status_url"].startswith(f"{base}v1/tasks/owl?")


@pytest.mark.parametrize("path", ["/dev/", "/dev", "/"])
def test_the_first_page_leads_through_the_stage(function: Function, path: str) -> None:
    context = {"stage": "dev", "path": path, "identity": {"apiKeyId": "id-of-ana"}}

    told = function.json("GET", "/", requestContext=context)

    stage = "" if path == "/" else "/dev"
    assert told["links"]["reference"] == f"https://abc.example.com{stage}/docs"


def test_the_reference_is_a_page(function: Function) -> None:
    status, headers, body = function("GET", "/docs")

    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'id="submitTask"' in body


def test_tasks_are_found_and_listed(function: Function) -> None:
    function("POST", "/v1alpha2", SUBMISSION)

    assert function.json("GET", "/v1/tasks/owl")["status"] == "queued"
    [listed] = function.json("GET", "/v1/tasks?status=queued&limit=5")["tasks"]
    assert listed["id"] == "owl"


def test_what_is_queued_is_cancelled_and_told(function: Function) -> None:
    function("POST", "/v1alpha2", SUBMISSION)

    ended = function.json("DELETE", "/v1/tasks/owl")

    assert ended["status"] == "cancelled"
    [told] = function.results.published
    assert json.loads(told.message)["status"] == "cancelled"


def test_what_runs_is_cancelled_and_told_by_its_worker(function: Function) -> None:
    function.do(function.ledger.start(task(submission="s1"), MINE))

    ended = function.json("DELETE", "/v1/tasks/owl?submission=s1")

    assert ended["status"] == "cancelled"
    assert not function.results.published


def test_events_are_refused_with_the_place_where_they_are(function: Function) -> None:
    function("POST", "/v1alpha2", SUBMISSION)

    status, headers, body = function("GET", "/v1/tasks/owl/events")

    assert (status, headers["content-type"]) == (501, "application/problem+json")
    assert "the front on the cluster" in json.loads(body)["detail"]


def test_who_waits_is_answered_before_the_function_is_ended() -> None:
    hasty = Function(settings(edge={"timeoutSeconds": 2}))

    status, _, body = hasty("POST", "/v1/tasks?wait=60", NATIVE)

    assert (status, json.loads(body)["status"]) == (202, "queued")
    hasty.close()


def test_an_artifact_is_a_link_to_where_it_is(function: Function) -> None:
    report = function.do(function.ledger.start(task(submission="s1"), MINE))
    ran = report.completed(("s3://outputs/birds/owl-1.png",), "s3://outputs/birds/owl.out", {})
    function.do(function.ledger.finish(ran, MINE))

    status, headers, _ = function("GET", "/v1/tasks/owl/artifacts/1")

    assert (status, headers["location"]) == (
        307,
        function.json("GET", "/v1/tasks/owl")["artifacts"][0]["url"],
    )


def test_a_body_that_is_too_large_is_told_as_the_gateway_does(function: Function) -> None:
    status, _, body = function("POST", "/v1alpha2", {"task": "x" * 10 * 2**20})

    assert (status, body) == (413, '{"message":"Request Too Long"}')


def test_callbacks_are_taken_where_ingest_can_sign_them() -> None:
    unsigned, signed = (Function(settings(callbacks=each)) for each in ({}, {"secret": SIGNING}))
    asked = NATIVE | {"callback": {"url": "https://example.com/told"}}

    assert unsigned.json("POST", "/v1/tasks", asked)["type"] == "urn:atelier:unsigned-callback"
    assert signed("POST", "/v1/tasks", asked)[0] == 202
    unsigned.close()
    signed.close()


def test_a_type_that_it_does_not_know_is_left_to_ingest() -> None:
    assert application.kinds_of_type("of_somebody_else") == set(Kind)
    assert application.kinds_of_type("diffusers") < set(Kind)


def test_it_imports_little() -> None:
    heavy = {"ray", "torch", "numpy", "PIL", "boto3", "aws_cdk", "httpx", "typer"}
    code = f"import sys, serve_app.edge.application; print(*({heavy} & sys.modules.keys()))"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.split() == []


def stored(name: str, gateway: str, **more: Any) -> ApiKey:
    """Make an API key as `atelier keys` stores it."""
    secret = {"sha256": "0" * 64, "gateway": gateway}
    role = more.pop("role", "artist")
    return ApiKey.model_validate({"name": name, "role": role, "secrets": [secret | more]})


def asked_by(function: Function, key_id: str, path: str = "/v1/tasks") -> int:
    return function("GET", path, key_id=key_id)[0]


def test_a_key_that_was_made_after_the_stack_has_its_name_and_role(function: Function) -> None:
    function.keys.keys = [stored("bo", "id-of-bo"), stored("olga", "id-of-olga", role="operator")]
    function.do(function.ledger.queue(task("s-ana"), "ana"))
    function.do(function.ledger.queue(task("s-bo"), "bo"))
    found = {
        key_id: function.json("GET", "/v1/tasks/owl", key_id=key_id).get("submission")
        for key_id in ("id-of-bo", "by-hand")
    }

    assert found == {"id-of-bo": "s-bo", "by-hand": None}
    assert len(function.json("GET", "/v1/tasks", key_id="id-of-olga")["tasks"]) == 2


@pytest.mark.parametrize(("expires", "status"), [("2000-01-01", 401), ("2999-01-01", 200)])
def test_an_end_is_honoured_at_the_edge(function: Function, expires: str, status: int) -> None:
    function.keys.keys = [stored("bo", "id-of-bo", expires=expires)]

    assert asked_by(function, "id-of-bo") == status
    answer = function("POST", "/v1alpha2", SUBMISSION, key_id="id-of-bo")
    assert answer[0] == status
    if status == 401:
        assert answer[2] == '{"message":"Unauthorized"}'


def test_the_stacks_own_key_ends_when_the_settings_say() -> None:
    keys = [{"name": "ana", "key": "k", "expires": "2000-01-01"}]
    made = Function(settings(apiKeys=keys))

    assert asked_by(made, "id-of-ana") == 401
    made.close()


def test_a_viewer_submits_nothing_at_the_edge() -> None:
    made = Function(settings(apiKeys=[{"name": "ana", "key": "k", "role": "viewer"}]))
    status, _, body = made("POST", "/v1alpha2", SUBMISSION)

    assert (status, body) == (403, '{"message":"Forbidden"}')
    made.close()
