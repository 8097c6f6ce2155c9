"""Errors that an adapter did not foresee: those of the task end it, all others are tried again."""

import asyncio
import logging
import struct
from collections.abc import AsyncGenerator, Iterable, Mapping

import httpx
import pytest
from typing_extensions import override

from deployments.adapter import Answer, Artifact, RuntimeSpec
from deployments.runtimes.fake import FakeAdapter
from models.errors import InvalidTask, RuntimeUnavailable, SettingsError, Unavailable
from models.report import Progress, Status
from models.task import Task
from tests.deployments.test_replica import replica, report_of, task


class Failing(FakeAdapter):
    """Adapter that raises an error in one of its parts."""

    def __init__(self, part: str, error: Exception) -> None:
        super().__init__(RuntimeSpec(name="r", options={"gpuMs": 1}))
        self.part, self.error = part, error

    def fail(self, part: str) -> None:
        if part == self.part:
            raise self.error

    @override
    def links(self, task: Task) -> Iterable[str]:
        yield from super().links(task)
        self.fail("links")

    @override
    async def load(self, task: Task) -> None:
        self.fail("load")

    @override
    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        self.fail("run")
        async for step in super().run(task, inputs):
            yield step
            self.fail("step")


@pytest.mark.parametrize("part", ["links", "load", "run", "step"])
async def test_an_unforeseen_error_ends_its_task_at_once_wherever_it_comes_from(
    part: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = replica(Failing(part, KeyError("text_encoder")))
    with caplog.at_level(logging.ERROR):
        report = await report_of(made, task())

    assert report.status is Status.FAILED
    assert report.failure is not None
    assert report.failure.message == "the runtime failed on it with KeyError: 'text_encoder'"
    assert [record.message for record in caplog.records] == ["adapter_failed"]
    assert "self.fail(" in caplog.text
    assert not made.slots.locked()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SyntaxError("not a TIFF file"), "SyntaxError: not a TIFF file"),
        (struct.error("unpack requires 4 bytes"), "error: unpack requires 4 bytes"),
        (NotImplementedError(), "NotImplementedError"),
        (
            RuntimeError("shape '[2]' is invalid\n  for 3"),
            "RuntimeError: shape '[2]' is invalid for",
        ),
        (ValueError("CUDA error, says the prompt"), "ValueError: CUDA error, says"),
        (OSError("cannot identify image file"), "OSError: cannot identify"),
        (SettingsError("options.keep"), "SettingsError: options.keep"),
        (InvalidTask("no"), "InvalidTask: no"),
        (ValueError("x" * 10_000), "ValueError: " + "x" * 500 + "…"),
    ],
)
async def test_class_and_text_are_told(error: Exception, told: str) -> None:
    report = await report_of(replica(Failing("run", error)), task())

    assert report.failure is not None
    assert report.failure.kind == "TaskFailed"
    assert f"with {told}" in report.failure.message
    assert len(report.failure.message) < 600


def wrapped(cause: Exception) -> Exception:
    error = ValueError("the part could not be loaded")
    error.__cause__ = OSError("again")
    error.__cause__.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory"),
        (RuntimeError("CUDA error: an illegal memory access"), "the device failed"),
        (wrapped(RuntimeError("HIP error: unspecified")), "the device failed"),
        (ConnectionResetError(104, "reset by peer"), "lost the connection: ConnectionReset"),
        (httpx.ReadTimeout("slow"), "lost the connection: ReadTimeout: slow"),
        (TimeoutError(), "lost the connection: TimeoutError"),
        (asyncio.IncompleteReadError(b"", 8), "lost the connection: IncompleteReadError"),
        (RuntimeUnavailable("it ended"), "it ended"),
    ],
)
@pytest.mark.parametrize("part", ["load", "run"])
async def test_a_lost_device_or_connection_is_tried_again_whatever_the_adapter(
    error: Exception, told: str, part: str
) -> None:
    with pytest.raises(RuntimeUnavailable, match=told):
        await report_of(replica(Failing(part, error)), task())


async def test_a_store_that_is_away_stays_what_it_is() -> None:
    with pytest.raises(Unavailable, match="S3 is away"):
        await report_of(replica(Failing("run", Unavailable("S3 is away"))), task())
