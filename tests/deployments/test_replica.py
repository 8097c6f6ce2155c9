import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from typing_extensions import override

from deployments.adapter import Adapter, Answer, Artifact, Begun, RuntimeSpec
from deployments.end_watch import EndWatch
from deployments.replica import Replica
from deployments.run_to_end import run_to_end
from deployments.runtimes.fake import FakeAdapter
from ingest.memory import MemoryObjects
from models.errors import InputRefused, RuntimeUnavailable, Unavailable
from models.event import Update
from models.report import Progress, Report, Stage, Status
from models.task import Kind, Task

OUTPUT = "s3://outputs"


class Links:
    """Inputs that take a while to come, and count themselves."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.fetched: list[str] = []

    async def fetch(self, links: Iterable[str]) -> Mapping[str, bytes]:
        wanted = list(links)
        if "http://refused/" in wanted:
            raise InputRefused("http://refused/ is refused: private address")
        await asyncio.sleep(self.seconds if wanted else 0)
        self.fetched += wanted
        return dict.fromkeys(wanted, b"bytes")

    async def check(self, pictures: Mapping[str, str]) -> None:
        for text, field in pictures.items():
            if text == "no picture":
                raise InputRefused(f"{field}: it is not a picture")

    async def close(self) -> None: ...


def replica(adapter: Adapter | None = None, **parts: Any) -> Replica:
    given: dict[str, Any] = {
        "adapter": adapter or FakeAdapter(RuntimeSpec(name="r", options={"gpuMs": 20})),
        "inputs": Links(),
        "objects": MemoryObjects(),
        "output": OUTPUT,
        "deadline": 5.0,
    }
    return Replica(**(given | parts))


def task(submission: str = "s1", **content: Any) -> Task:
    return Task(
        submission=submission,
        id="a",
        runtime="r",
        kind=Kind.TEXT_TO_IMAGE,
        prefix="p",
        content={"prompt": "x", "seed": 1} | content,
    )


async def report_of(made: Replica, given: Task) -> Report:
    said = [update async for update in made.run(given, 1)]
    assert not any(isinstance(update, Report) for update in said[:-1])
    last = said[-1]
    assert isinstance(last, Report)
    return last


async def stages_of(made: Replica, given: Task) -> list[Update]:
    """Run a task; return its updates without its progress and its report."""
    return [update async for update in made.run(given, 1) if isinstance(update, Stage)]


async def test_artifacts_and_answer_are_stored_under_the_contracts_names() -> None:
    objects = MemoryObjects()

    report = await report_of(replica(objects=objects), task(batch_size=2))

    assert report.status is Status.COMPLETED
    assert [
        bool(re.fullmatch(r"s3://outputs/p/a/a-[0-9a-f]{16}-[12]\.png", u))
        for u in report.artifacts
    ] == [True] * 2
    assert re.fullmatch(r"s3://outputs/p/a/a-[0-9a-f]{16}\.out", report.output or "")
    assert {objects.content_types[uri] for uri in report.artifacts} == {"image/png"}
    out = json.loads(objects.bodies[report.output or ""])
    assert out["images"] == list(report.artifacts)
    assert out["parameters"]["id_task"] == "a"


async def test_a_retry_overwrites_and_a_resubmission_does_not() -> None:
    objects = MemoryObjects()
    made = replica(objects=objects)

    await report_of(made, task("s1"))
    await report_of(made, task("s1"))
    first = len(objects.bodies)
    await report_of(made, task("s2"))

    assert (first, len(objects.bodies)) == (2, 4)


async def test_a_refused_input_is_a_failed_report() -> None:
    report = await report_of(replica(), task(init_images=["http://refused/"]))

    assert report.status is Status.FAILED
    assert report.failure is not None
    assert (report.failure.kind, "private address" in report.failure.message) == (
        "InputRefused",
        True,
    )


class Reading(FakeAdapter):
    """Simulated GPU that reads pictures, as those of the Web UI's shape do."""

    @override
    def pictures(self, task: Task) -> Mapping[str, str]:
        return Adapter.pictures(self, task)


async def test_a_picture_that_a_content_holds_is_judged_before_the_adapter_has_the_task() -> None:
    made = replica(Reading(RuntimeSpec(name="r", options={"gpuMs": 20})))

    report = await report_of(made, task(init_images=["no picture"]))

    assert report.failure is not None
    assert report.failure.message == "init_images[0]: it is not a picture"
    assert report.failure.kind == "InputRefused"


async def test_the_next_tasks_inputs_are_fetched_while_one_runs() -> None:
    inputs = Links(seconds=0.2)
    adapter = FakeAdapter(RuntimeSpec(name="r", options={"gpuMs": 300}))
    made = replica(adapter, inputs=inputs)

    first = asyncio.create_task(report_of(made, task("s1")))
    await asyncio.sleep(0.05)
    second = await report_of(made, task("s2", init_images=["http://a/1.png"]))
    await first

    # Its inputs came while the first held the GPU; it then waited for the GPU alone.
    assert second.seconds["inputs"] >= 0.2
    assert second.seconds["wait"] < 0.2


async def test_one_slot_runs_one_task_at_a_time() -> None:
    running: list[int] = []
    most = 0

    class Counting(FakeAdapter):
        async def run(
            self, task: Task, inputs: Mapping[str, bytes]
        ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
            nonlocal most
            running.append(1)
            most = max(most, len(running))
            async for step in super().run(task, inputs):
                yield step
            running.pop()

    made = replica(Counting(RuntimeSpec(name="r", options={"gpuMs": 20})))
    await asyncio.gather(*(report_of(made, task(f"s{n}")) for n in range(4)))

    assert most == 1


class Waiting(Adapter):
    """Two slots and one GPU; a task's content says how long it waits and runs."""

    kinds = frozenset(Kind)
    slots = 2

    async def ready(self) -> None: ...

    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Begun | Artifact | Answer, None]:
        del inputs
        await asyncio.sleep(task.content["waits"])
        self.checkpoint = f"of {task.submission}"
        yield Begun()
        await asyncio.sleep(task.content["runs"])
        yield Answer(body={})


@pytest.fixture
def waiting() -> Replica:
    return replica(Waiting(RuntimeSpec(name="r")), deadline=0.3)


class Cleaning(Waiting):
    """Adapter that needs a moment to end a task which nobody wants any more."""

    cleaned = False

    @override
    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Begun | Artifact | Answer, None]:
        try:
            async for step in super().run(task, inputs):
                yield step
        finally:
            await asyncio.sleep(0.05)
            self.cleaned = True


async def test_who_has_closed_a_run_finds_its_adapter_done() -> None:
    adapter = Cleaning(RuntimeSpec(name="r"))
    run = replica(adapter).run(task(waits=0, runs=60), 1)
    assert await anext(run) is Stage.RUNNING

    await run.aclose()

    assert adapter.cleaned


async def test_what_a_task_waits_before_it_begins_is_told_as_waiting(waiting: Replica) -> None:
    report = await report_of(waiting, task(waits=0.2, runs=0))

    assert report.seconds["wait"] >= 0.2
    assert list(report.seconds) == ["inputs", "wait", "load", "run", "store"]


async def test_the_deadline_begins_when_a_task_does(waiting: Replica) -> None:
    long_waiting = await report_of(waiting, task(waits=0.4, runs=0))
    long_running = await report_of(waiting, task(waits=0.4, runs=60))

    assert [one.status for one in (long_waiting, long_running)] == ["completed", "failed"]


async def test_with_several_slots_a_task_begins_when_its_adapter_says_so(waiting: Replica) -> None:
    assert await stages_of(waiting, task(waits=0, runs=0)) == [Stage.RUNNING]


async def test_a_task_that_waits_for_anothers_gpu_says_so_once() -> None:
    made = replica(FakeAdapter(RuntimeSpec(name="r", options={"gpuMs": 1_200})))
    first, second = await asyncio.gather(
        stages_of(made, task("s1")), stages_of(made, task("s2", init_images=["http://a/1.png"]))
    )
    alone = await stages_of(made, task("s3"))

    assert first == alone == [Stage.RUNNING]
    assert second == [Stage.WAITING, Stage.RUNNING]


async def test_with_several_slots_a_task_waits_while_another_has_the_adapter(
    waiting: Replica,
) -> None:
    given = [task(f"s{number}", waits=1.2, runs=0) for number in range(3)]
    first, second, third = await asyncio.gather(*(stages_of(waiting, each) for each in given))

    assert first == [Stage.RUNNING]
    assert second == third == [Stage.WAITING, Stage.RUNNING]


async def test_a_task_that_waits_for_a_moment_only_does_not_say_so() -> None:
    made = replica(FakeAdapter(RuntimeSpec(name="r", options={"gpuMs": 300})))
    given = [task("s1"), task("s2")]

    assert await asyncio.gather(*(stages_of(made, each) for each in given)) == [[Stage.RUNNING]] * 2


async def test_a_load_is_told_if_it_takes_a_while() -> None:
    options = {"gpuMs": 1, "loadMs": 100, "checkpoints": ["a", "b"]}
    made = replica(FakeAdapter(RuntimeSpec(name="r", options=options)))
    first = await stages_of(made, task("s1", checkpoint="a"))
    second = await stages_of(made, task("s2", checkpoint="a"))

    assert first == [Stage.RUNNING, Stage.LOADING, Stage.RUNNING]
    assert second == [Stage.RUNNING]


async def test_a_load_that_fails_fails_its_task_alone() -> None:
    options = {"gpuMs": 1, "checkpoints": ["a"]}
    made = replica(FakeAdapter(RuntimeSpec(name="r", options=options)))
    failed = await report_of(made, task("s1", checkpoint="none"))
    ran = await report_of(made, task("s2", checkpoint="a"))

    assert [report.status for report in (failed, ran)] == ["failed", "completed"]


async def test_a_replica_knows_which_files_it_has_until_a_load_fails_or_it_is_renewed() -> None:
    options = {"gpuMs": 1, "checkpoints": ["a", "b"]}
    made = replica(FakeAdapter(RuntimeSpec(name="r", options=options)))
    held = []
    for name in ("a", "none", "b"):
        await report_of(made, task(name, checkpoint=name, prompt="<lora:ink:1>"))
        held.append(made.holds)
    await made.renew()

    assert held == [["a", "ink"], (), ["b", "ink"]]
    assert made.holds == ()


async def test_with_several_slots_a_replica_has_the_files_of_the_task_that_began_last(
    waiting: Replica,
) -> None:
    content = {"override_settings": {"sd_model_checkpoint": "a"}}
    await report_of(waiting, task("s1", waits=0, runs=0, **content))

    assert waiting.holds == ["a"]


class Mortal(FakeAdapter):
    """Backend that dies under a task, and is seen to be dead only a moment later."""

    dead = False

    async def check(self) -> None:
        if self.dead:
            raise RuntimeUnavailable("the process ended")

    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        async for step in super().run(task, inputs):
            yield step
            asyncio.get_running_loop().call_later(0.1, setattr, self, "dead", True)
            raise RuntimeUnavailable("the connection was lost")


async def test_what_waits_for_a_backend_that_died_never_begins() -> None:
    made = replica(Mortal(RuntimeSpec(name="r", options={"gpuMs": 20})))
    stages: dict[str, list[Update]] = {f"s{n}": [] for n in range(4)}

    async def run(name: str) -> None:
        async for update in made.run(task(name), 1):
            stages[name].append(update)

    ends = await asyncio.gather(*map(run, stages), return_exceptions=True)

    assert all(isinstance(end, RuntimeUnavailable) for end in ends)
    assert [Stage.RUNNING in stages[name] for name in stages] == [True, False, False, False]


async def test_a_report_names_the_checkpoint_that_its_own_task_had(waiting: Replica) -> None:
    first = report_of(waiting, task("s1", waits=0, runs=0.1))
    second = report_of(waiting, task("s2", waits=0.05, runs=0))
    reports = await asyncio.gather(first, second)

    assert [report.checkpoint for report in reports] == ["of s1", "of s2"]


class Stuck(FakeAdapter):
    """A backend that never ends by itself."""

    interrupted = 0

    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        del task, inputs
        yield Progress(step=1, of=2)
        await asyncio.sleep(60)

    async def interrupt(self) -> None:
        self.interrupted += 1


async def test_a_task_past_its_deadline_is_interrupted_and_failed() -> None:
    adapter = Stuck(RuntimeSpec(name="r"))

    report = await report_of(replica(adapter, deadline=0.1), task())

    assert report.status is Status.FAILED
    assert report.failure is not None
    assert "deadlineSeconds" in report.failure.message
    assert adapter.interrupted == 1


class Fertile(FakeAdapter):
    """A backend that makes more artifacts than a row of the ledger can name."""

    @override
    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        del task, inputs
        for _ in range(400):
            yield Artifact(data=b"x")


async def test_more_artifacts_than_can_be_told_of_fail_their_task() -> None:
    objects = MemoryObjects()
    made = replica(Fertile(RuntimeSpec(name="r")), objects=objects)
    report = await report_of(made, replace(task(), prefix="p" * 900))

    assert report.status is Status.FAILED
    assert report.failure is not None
    assert "URIs of its 400 artifacts have" in report.failure.message
    assert objects.bodies == {}


class Namer(FakeAdapter):
    """A backend that gives its artifacts names."""

    @override
    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        del task, inputs
        yield Artifact(data=b"\x08", name="a/b_00001_.latent")
        yield Artifact(data=b"\x08", name="../../b.exe")


async def test_an_artifact_without_a_known_format_keeps_the_extension_of_its_name() -> None:
    report = await report_of(replica(Namer(RuntimeSpec(name="r"))), task())

    assert [uri.rpartition("-")[2] for uri in report.artifacts] == ["1.latent", "2.bin"]


class Blocked(Stuck):
    """A backend in a call that nobody can end, such as one of a driver, with any other after it."""

    def __init__(self, spec: RuntimeSpec, part: str) -> None:
        super().__init__(spec)
        self.part = part

    @override
    async def load(self, task: Task) -> None:
        if self.part == "load":
            await _for_ever()

    @override
    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        try:
            async for step in super().run(task, inputs):
                yield step
        finally:
            if self.part == "step":
                await _for_ever()

    @override
    async def interrupt(self) -> None:
        if self.part == "interrupt":
            await _for_ever()


async def _for_ever() -> None:
    """Go on when cancelled, as long as a test may take."""
    await run_to_end(asyncio.sleep(1.5))


@pytest.mark.parametrize("part", ["load", "step", "interrupt"])
async def test_what_blocks_past_its_deadline_breaks_the_replica(part: str) -> None:
    made = replica(Blocked(RuntimeSpec(name="r"), part), deadline=0.1)
    made.end_watch = EndWatch(stop_seconds=0.2)
    await made.check()

    async with asyncio.timeout(1):
        with pytest.raises(RuntimeUnavailable, match="s of a deadline of"):
            await report_of(made, task())

    with pytest.raises(RuntimeUnavailable, match="did not stop"):
        await made.check()


async def test_a_cancelled_run_that_blocks_breaks_the_replica() -> None:
    made = replica(Blocked(RuntimeSpec(name="r"), "step"))
    made.end_watch = EndWatch(stop_seconds=0.2)
    run = asyncio.create_task(report_of(made, task()))
    await asyncio.sleep(0.05)
    run.cancel()
    _, late = await asyncio.wait([run], timeout=1)

    assert not late
    with pytest.raises(RuntimeUnavailable, match="s of a cancel"):
        await made.check()


async def test_a_cancelled_run_frees_its_slot() -> None:
    made = replica(Stuck(RuntimeSpec(name="r")))
    run = asyncio.create_task(report_of(made, task()))
    await asyncio.sleep(0.05)
    assert made.slots.locked()

    run.cancel()
    await asyncio.wait([run])

    assert not made.slots.locked()


class Away(MemoryObjects):
    """Store that is down for its first calls."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = 3

    async def put(self, uri: str, body: bytes, content_type: str) -> None:
        if self.fails:
            self.fails -= 1
            raise Unavailable("S3 is down")
        await super().put(uri, body, content_type)


async def test_what_is_drawn_waits_for_a_store_that_is_away() -> None:
    objects = Away()
    made = replica(objects=objects)
    report = await report_of(made, task())

    assert report.status is Status.COMPLETED
    assert {*report.artifacts, report.output} == objects.bodies.keys()
    assert not made.slots.locked()


async def test_a_report_says_how_long_each_stage_took() -> None:
    report = await report_of(replica(), task())

    assert list(report.seconds) == ["inputs", "wait", "load", "run", "store"]
    assert report.seconds["run"] >= 0.02
