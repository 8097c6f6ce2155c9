"""What every runtime type does, whatever it speaks to.

A type is found under ``deployments/runtimes`` by itself; its tasks are in
``tests/runtimes/cases/<type>.py``.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import pytest

from deployments.adapter import Adapter, Answer, Artifact, RuntimeSpec
from deployments.artifacts import sniff
from deployments.replica import Replica
from deployments.runtimes import adapter_class, runtime_types
from ingest.memory import MemoryObjects
from models.errors import SettingsError, TaskFailed
from models.progress import Progress
from models.report import Report, Status
from models.task import Kind, Task
from tests.runtimes.cases import Case, open_case

SOON = 5
"""Seconds within which work that nobody wants has stopped."""

Step = Progress | Artifact | Answer


@pytest.fixture(scope="module", params=runtime_types())
async def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Case]:
    async with open_case(request.param)(tmp_path_factory.mktemp(request.param)) as opened:
        assert type(opened.adapter) is adapter_class(request.param)
        yield opened


def started(case: Case, task: Task) -> AsyncGenerator[Step, None]:
    return case.adapter.run(task, case.inputs)


async def run(case: Case, task: Task) -> list[Step]:
    await case.adapter.load(task)
    return [step async for step in started(case, task)]


def artifacts(steps: list[Step]) -> list[Artifact]:
    return [step for step in steps if isinstance(step, Artifact)]


def answered(body: Any) -> Iterator[Artifact]:
    """The artifacts in an answer, in order."""
    match body:
        case Artifact():
            yield body
        case dict():
            for value in body.values():
                yield from answered(value)
        case list() | tuple():
            for value in body:
                yield from answered(value)


async def works(case: Case) -> bool:
    return len(artifacts(await run(case, case.picture))) == 1


def test_it_says_what_it_can_do(case: Case) -> None:
    assert case.adapter.kinds
    assert case.adapter.kinds <= frozenset(Kind)
    assert case.adapter.slots >= 1


async def test_a_picture_is_a_picture(case: Case) -> None:
    (picture,) = artifacts(await run(case, case.picture))

    assert sniff(picture.data).content_type.startswith("image/")


async def test_several_pictures_come_in_order(case: Case) -> None:
    steps = await run(case, case.pictures)
    made = artifacts(steps)

    assert len(made) == case.count
    assert len({picture.data for picture in made}) == case.count


async def test_the_last_thing_is_the_answer_and_holds_the_same_pictures(case: Case) -> None:
    steps = await run(case, case.pictures)
    last = steps[-1]

    assert isinstance(last, Answer)
    assert [type(step) for step in steps].count(Answer) == 1
    assert list(answered(last.body)) == artifacts(steps)


async def test_the_answer_is_json_but_for_its_pictures(case: Case) -> None:
    last = (await run(case, case.picture))[-1]

    assert isinstance(last, Answer)
    assert json.dumps(last.body, default=lambda value: {Artifact: "uri"}[type(value)])


async def test_progress_rises_to_its_end(case: Case) -> None:
    told = [step for step in await run(case, case.picture) if isinstance(step, Progress)]

    assert [step.step for step in told] == sorted({step.step for step in told})
    assert told[-1].step == told[-1].of
    assert {step.of for step in told} == {told[-1].of}


async def test_a_task_that_it_cannot_do_fails_and_the_next_one_works(case: Case) -> None:
    with pytest.raises(TaskFailed):
        await run(case, case.refused)

    assert await works(case)


async def test_a_missing_checkpoint_is_told_with_those_that_there_are(case: Case) -> None:
    with pytest.raises(TaskFailed) as failed:
        await run(case, case.missing)

    assert all(name in str(failed.value) for name in case.checkpoints)
    assert await works(case)


async def test_a_run_that_is_closed_stops_soon_and_the_next_one_works(case: Case) -> None:
    await case.adapter.load(case.long)
    steps = started(case, case.long)
    first = await anext(steps)
    async with asyncio.timeout(SOON):
        await steps.aclose()

    assert isinstance(first, Progress)
    assert await works(case)


async def test_a_run_that_is_cancelled_stops_soon_and_the_next_one_works(case: Case) -> None:
    running = asyncio.create_task(run(case, case.long))
    await asyncio.sleep(0.2)
    running.cancel()
    ended, _ = await asyncio.wait([running], timeout=SOON)

    assert ended
    assert running.cancelled()
    assert await works(case)


async def test_a_run_past_its_deadline_fails_with_the_reason_and_the_next_one_works(
    case: Case,
) -> None:
    replica = Replica(
        adapter=case.adapter,
        inputs=Given(case.inputs),
        objects=MemoryObjects(),
        output="s3://outputs",
        deadline=0.1,
    )
    said = [said async for said in replica.run(case.long, 1)]
    report = said[-1]

    assert isinstance(report, Report)
    assert report.failure is not None
    assert (report.status, report.failure.kind) == (Status.FAILED, "TaskFailed")
    assert "tasks.deadlineSeconds" in report.failure.message
    assert await works(case)


class Given:
    """What is behind a case's links."""

    def __init__(self, inputs: Mapping[str, bytes]) -> None:
        self.inputs = inputs

    async def fetch(self, links: Iterable[str]) -> Mapping[str, bytes]:
        return {link: self.inputs[link] for link in links}

    async def close(self) -> None:
        """Hold nothing."""


async def test_an_interrupt_when_nothing_runs_does_no_harm(case: Case) -> None:
    await case.adapter.interrupt()

    assert await works(case)


async def test_an_unknown_option_is_refused_by_name(case: Case) -> None:
    made = type(case.adapter)
    with pytest.raises(SettingsError, match="noSuchOption"):
        made(RuntimeSpec(name="wrong", options={"noSuchOption": 1}))


def test_a_type_without_a_case_is_told_what_to_write() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"has no case .* write .*cases/missing\.py"):
        open_case("missing")


def test_an_adapter_that_lacks_a_verb_cannot_be_made() -> None:
    class Half(Adapter):
        kinds = frozenset(Kind)

    with pytest.raises(TypeError, match="abstract"):
        Half(RuntimeSpec(name="half"))  # type: ignore[abstract]
