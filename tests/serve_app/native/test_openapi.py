"""OpenAPI's description is true, whatever is sent."""

import json
from collections.abc import Mapping
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
)
from typing_extensions import override

from ingest.memory import MemoryLedger, MemoryTopic
from models.report import Report, Status
from models.wire import task_of
from tests.fences import MINE
from tests.fuzz.bounds import bounds, check_words
from tests.serve_app.world import KEY, World, settings as settings_of


class Doing(MemoryTopic):
    """Topic behind which each task is done at once, so that each stream of events ends."""

    def __init__(self, ledger: MemoryLedger) -> None:
        super().__init__()
        self.ledger = ledger

    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        runtime, submission = attributes.get("runtime", "sdruntime"), attributes["submission"]
        task = task_of(json.loads(message), runtime=runtime, submission=submission)
        made = (f"s3://outputs/{task.artifact_key(1, '.png')}",)
        report = Report.of(task, Status.RUNNING, 1)
        await self.ledger.finish(
            report.completed(made, f"s3://outputs/{task.output_key}", {}), MINE
        )


LEDGER = MemoryLedger()
# Many a request has no valid key: each is to be told so, and not that there are too many of them.
UNCOUNTED = settings_of(limits={"wrongKeys": {"burstLimit": 1_000_000}})
WORLD = World(ledger=LEDGER, topic=Doing(LEDGER), configured=UNCOUNTED)
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", WORLD.app)

# What the reference takes and answers stays as it is, byte for byte: plain text under the name of
# JSON, and rules that no schema can hold.
BYTE_FOR_BYTE = [response_schema_conformance, positive_data_acceptance, negative_data_rejection]
EXCLUDED: Mapping[str, list[Any]] = {
    "POST /v1alpha1": BYTE_FOR_BYTE,
    "POST /v1alpha2": BYTE_FOR_BYTE,
    # Which runtimes there are, and what each can do, is configured.
    "POST /v1/tasks": [positive_data_acceptance],
    # Not any text is a cursor; and ?runtime=x is the list of one that no list should be.
    "GET /v1/tasks": [positive_data_acceptance, negative_data_rejection],
    # Which queues there are is configured; and what belongs together no schema says.
    "GET /v1/dead-letters": [positive_data_acceptance],
    "POST /v1/dead-letters/{queue}/redrive": [positive_data_acceptance],
    "POST /v1/dead-letters/{queue}/purge": [positive_data_acceptance],
}


@SCHEMA.parametrize()
@bounds(30)
def test_every_answer_is_as_openapi_says(case: schemathesis.Case[Any]) -> None:
    excluded = EXCLUDED.get(case.operation.label, [])
    answer = case.call_and_validate(headers={"x-api-key": KEY}, excluded_checks=excluded)
    check_words(answer.text if answer.status_code >= 400 else "")
