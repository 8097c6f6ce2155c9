"""Runtime types: the contract of all of them, whatever they speak to.

A type is found under ``deployments/runtimes`` by itself; its tasks are in
``tests/runtimes/cases/<type>.py``.
"""

import asyncio
import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployments.adapter import Adapter, Answer, Artifact, Begun, RuntimeSpec, Step
from deployments.inputs.pictures import check_inline
from deployments.media_types import sniff
from deployments.replica import Replica
from deployments.runtimes import adapter_class, runtime_types
from ingest.memory import MemoryObjects
from models.errors import RuntimeUnavailable, SettingsError, TaskFailed
from models.report import Progress, Report, Status
from models.settings.groups import Inputs
from models.task import Kind, Task
from tests.runtimes.cases import Case, open_case
from tests.runtimes.world import children, progress

SOON = 5
"""Seconds within which work that nobody wants has stopped."""
A_WHILE = 0.2
UNHURRIED = 600.0


@pytest.fixture(scope="module", params=runtime_types())
async def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Case]:
    async with open_case(request.param)(tmp_path_factory.mktemp(request.param)) as opened:
        assert type(opened.adapter) is adapter_class(request.param)
        yield opened


async def begin(case: Case, task: Task) -> AsyncGenerator[Step, None]:
    await case.adapter.load(task)
    return case.adapter.run(task, case.inputs)


async def run(case: Case, task: Task) -> list[Step]:
    return [step async for step in await begin(case, task)]


def artifacts(steps: list[Step]) -> list[Artifact]:
    return [step for step in steps if isinstance(step, Artifact)]


def answered(body: Any) -> Iterator[Artifact]:
    """Collect the artifacts in an answer, in order."""
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
    updates = [step for step in await run(case, case.picture) if isinstance(step, Progress)]

    assert [step.step for step in updates] == sorted({step.step for step in updates})
    assert updates[-1].step == updates[-1].of
    assert {step.of for step in updates} == {updates[-1].of}


async def test_a_task_that_it_cannot_do_fails_and_the_next_one_works(case: Case) -> None:
    for refused in case.refused:
        with pytest.raises(TaskFailed):
            await run(case, refused)

    assert await works(case)


def test_every_weights_file_of_a_task_is_listed(case: Case) -> None:
    listed = {names: case.adapter.checkpoints(task) for names, task in case.needs.items()}

    assert {names: tuple(found) for names, found in listed.items()} == {
        name: name for name in listed
    }


def test_the_runtimes_own_checkpoint_stands_in_only_where_a_task_names_none(case: Case) -> None:
    bound = type(case.adapter)(replace(case.adapter.spec, checkpoint="own.safetensors"))

    assert list(bound.checkpoints(case.needs_none)) == ["own.safetensors"]
    for names, task in case.needs.items():
        assert tuple(bound.checkpoints(task)) == names


def test_without_a_checkpoint_of_its_own_a_task_that_names_none_needs_none(case: Case) -> None:
    bare = type(case.adapter)(replace(case.adapter.spec, checkpoint=None))

    assert list(bare.checkpoints(case.needs_none)) == []


@pytest.mark.parametrize("content", [None, "a tram", [1], {"alwayson_scripts": 3, "prompt": 4}, {}])
def test_a_content_that_is_wrong_lists_nothing_and_raises_nothing(case: Case, content: Any) -> None:
    bare = type(case.adapter)(replace(case.adapter.spec, checkpoint=None))
    for kind in (*Kind, "dance"):
        assert list(bare.checkpoints(replace(case.picture, kind=kind, content=content))) == []


LISTING = """
import pickle, sys
adapter, spec, task = pickle.load(sys.stdin.buffer)
print(*adapter(spec).checkpoints(task), sep="\\n")
assert not {"torch", "diffusers", "transformers", "ray"} & sys.modules.keys()
"""


def test_weights_files_are_listed_in_a_process_without_heavy_libraries(case: Case) -> None:
    """The HTTP API may ask an adapter that is never made ready."""
    names, task = next(iter(case.needs.items()))
    given = pickle.dumps((type(case.adapter), case.adapter.spec, task))
    listing = subprocess.run(
        [sys.executable, "-c", LISTING], input=given, check=True, timeout=60, capture_output=True
    )

    assert tuple(listing.stdout.decode().split()) == names


async def test_a_missing_checkpoint_is_told_with_those_that_there_are(case: Case) -> None:
    with pytest.raises(TaskFailed) as failed:
        await run(case, case.missing)

    assert all(name in str(failed.value) for name in case.checkpoints)
    assert await works(case)


async def test_a_run_that_is_closed_stops_soon_and_the_next_one_works(case: Case) -> None:
    steps = await begin(case, case.long)
    await progress(steps)
    async with asyncio.timeout(SOON):
        await steps.aclose()

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
    report = await report_of(replica(case, deadline=0.1), case.long)

    assert report.failure is not None
    assert (report.status, report.failure.kind) == (Status.FAILED, "TaskFailed")
    assert "tasks.deadlineSeconds" in report.failure.message
    assert await works(case)


class GivenInputs:
    """Inputs by their links, in memory."""

    def __init__(self, inputs: Mapping[str, bytes]) -> None:
        self.inputs = inputs

    async def fetch(self, links: Iterable[str]) -> Mapping[str, bytes]:
        return {link: self.inputs[link] for link in links}

    async def check(self, pictures: Mapping[str, str]) -> None:
        for text in pictures:
            check_inline(text, Inputs())

    async def close(self) -> None:
        """Hold nothing."""


def replica(
    case: Case, objects: MemoryObjects | None = None, deadline: float = UNHURRIED
) -> Replica:
    return Replica(
        adapter=case.adapter,
        inputs=GivenInputs(case.inputs),
        objects=objects or MemoryObjects(),
        output="s3://outputs",
        deadline=deadline,
    )


async def report_of(made: Replica, task: Task) -> Report:
    *_, report = [update async for update in made.run(task, 1)]
    assert isinstance(report, Report)
    return report


async def test_a_task_that_waits_for_another_is_told_as_waiting(case: Case) -> None:
    """Stages ``load`` and ``run`` are the time for which a task holds the GPU."""
    made = replica(case)
    async with aclosing(made.run(case.long, 1)) as steps:
        await anext(steps)
        waiting = asyncio.create_task(report_of(made, case.picture))
        await asyncio.sleep(2 * A_WHILE)
    report = await waiting

    assert report.status is Status.COMPLETED
    assert report.seconds["wait"] > A_WHILE


async def test_a_task_that_is_cancelled_while_it_waits_disturbs_nobody(case: Case) -> None:
    made = replica(case)
    async with aclosing(made.run(case.long, 1)) as steps:
        await anext(steps)
        waiting = asyncio.create_task(report_of(made, case.picture))
        await asyncio.sleep(A_WHILE)
        waiting.cancel()
        await asyncio.wait([waiting])
        further = await anext(steps)

    assert waiting.cancelled()
    assert isinstance(further, Progress)
    assert further.step < further.of
    assert await works(case)


async def test_a_run_says_when_it_has_the_gpu_where_it_may_wait_for_it(case: Case) -> None:
    steps = await run(case, case.picture)
    begun = [step for step in steps if isinstance(step, Begun)]

    assert len(begun) == (1 if case.adapter.slots > 1 else 0)
    assert steps[: len(begun)] == begun


async def test_a_huge_output_is_stored_whole_and_only_named_in_the_answer(case: Case) -> None:
    objects = MemoryObjects()
    report = await report_of(replica(case, objects), case.huge)
    stored = [objects.bodies[uri] for uri in report.artifacts]

    assert report.status is Status.COMPLETED
    assert sum(map(len, stored)) >= case.huge_bytes
    assert len(objects.bodies[report.output or ""]) < case.huge_bytes / 10


@pytest.mark.parametrize("type_", runtime_types())
async def test_a_backend_that_is_killed_leaves_the_task_to_another_try_and_nothing_behind(
    type_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replicas that say that they can go on can; one that cannot is replaced."""
    given, scratch, before = tmp_path / "given", tmp_path / "scratch", children()
    given.mkdir()
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    async with open_case(type_)(given) as case:
        steps = await begin(case, case.doomed)
        await progress(steps)
        case.kill()
        with pytest.raises(RuntimeUnavailable, match=case.last_words):
            [step async for step in steps]

        assert await is_given_up(case.adapter) or await works(case)
    assert children() <= before
    assert list(scratch.iterdir()) == []


async def is_given_up(adapter: Adapter) -> bool:
    try:
        await adapter.check()
    except RuntimeUnavailable:
        return True
    return False


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
