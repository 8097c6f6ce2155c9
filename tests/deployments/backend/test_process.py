import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest

from deployments.backend.process import Backend
from models.errors import RuntimeUnavailable, SettingsError
from models.runtimes.backend import Process
from tests.deployments.small_adapter import options

ROOT = Path(__file__).parents[3]
SOON = 20.0
PYTHON = (sys.executable, "-S", "-c")


def process(**given: Any) -> Process:
    return Process.read(given, under="backend")


def small(**given: Any) -> Process:
    """Configure the small backend, which has a child in a session of its own."""
    return process(**options(**given)["backend"])


def saying(*lines: str, then: str = "", **given: Any) -> Process:
    """Configure a process that writes these lines and then does something."""
    program = f"import os, signal, sys, time\nfor line in {lines!r}: print(line)\n{then}"
    return process(command=(*PYTHON, program), **given)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(done: Callable[[], Any]) -> Any:
    async with asyncio.timeout(SOON):
        while not (got := done()):
            await asyncio.sleep(0.02)
        return got


async def answers(url: str) -> bool:
    async with httpx.AsyncClient(timeout=SOON) as client:
        return (await client.get(url)).is_success


async def never() -> bool:
    return False


@pytest.fixture
def heard() -> Iterator[list[logging.LogRecord]]:
    """Records that are logged about backends."""
    records: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Keeping()
    log = logging.getLogger("ray.serve.atelier.backend")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield records
    log.removeHandler(handler)


def lines(records: list[logging.LogRecord]) -> list[str]:
    return [vars(record)["line"] for record in records]


@asynccontextmanager
async def started(given: Process) -> AsyncIterator[Backend]:
    backend = Backend(given, name="sd")
    await backend.start()
    try:
        yield backend
    finally:
        await backend.close()


@asynccontextmanager
async def running(given: Process) -> AsyncIterator[Backend]:
    async with started(given) as backend:
        await backend.ready(lambda: answers(backend.url))
        yield backend


async def pids(records: list[logging.LogRecord]) -> list[int]:
    """Read the process ids that the small backend prints."""
    line = await until(lambda: [one for one in lines(records) if one.startswith("pids ")])
    return [int(pid) for pid in line[0].split()[1:]]


async def ended(backend: Backend) -> RuntimeUnavailable:
    """Return the error of a backend that does not get ready."""
    with pytest.raises(RuntimeUnavailable) as raised:
        await backend.ready(never)
    return raised.value


async def broken(backend: Backend) -> RuntimeUnavailable:
    """Wait for the error of a backend that ends."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                await backend.check()
            except RuntimeUnavailable as exc:
                return exc
            await asyncio.sleep(0.02)


def notes(error: RuntimeUnavailable) -> str:
    return "\n".join(error.__notes__)


async def test_it_is_ready_when_it_answers_and_gone_when_it_is_closed(
    heard: list[logging.LogRecord],
) -> None:
    async with running(small()) as backend:
        await backend.check()
        backend_and_child = await pids(heard)

    assert len(backend_and_child) == 2
    assert not any(map(alive, backend_and_child))
    await backend.close()


async def test_it_is_not_ready_before_the_probe_says_so() -> None:
    answers: list[bool | httpx.ConnectError] = [httpx.ConnectError("no"), False, True]

    async def probe() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, httpx.ConnectError):
            raise answer
        return answer

    async with running(small()) as backend:
        await backend.ready(probe)

    assert answers == []


async def test_one_that_ends_is_told_with_its_exit_code_and_last_lines() -> None:
    async with started(saying("first", "last", then="sys.exit(7)")) as backend:
        error = await ended(backend)

    assert str(error) == "the backend of sd: ended with exit code 7"
    assert notes(error).splitlines() == ["its last lines:", "first", "last"]


async def test_others_tasks_go_on_while_its_last_lines_are_read() -> None:
    async with started(saying(then="sys.exit(7)")) as backend:
        await broken(backend)
        backend._listener = Thread(target=time.sleep, args=(0.5,))  # noqa: SLF001 - a slow pipe
        backend._listener.start()  # noqa: SLF001
        check = asyncio.create_task(broken(backend))
        await asyncio.sleep(0.05)

        assert not check.done()
        assert "exit code 7" in str(await check)


async def test_one_that_is_killed_is_told_by_the_signal() -> None:
    async with started(saying(then="os.kill(os.getpid(), signal.SIGKILL)")) as backend:
        assert "SIGKILL" in str(await ended(backend))


async def test_a_program_that_is_not_there_is_named() -> None:
    async with started(process(command=("no-such-program",))) as backend:
        assert "cannot start no-such-program: No such file" in notes(await ended(backend))


async def test_one_that_never_answers_is_told_and_ended(heard: list[logging.LogRecord]) -> None:
    async with started(small(readySeconds=1.5)) as backend:
        assert "not ready after 1.5 s" in str(await ended(backend))

        assert not any(map(alive, await pids(heard)))


async def test_what_is_left_of_one_that_ended_is_ended_too(heard: list[logging.LogRecord]) -> None:
    async with running(small()) as backend:
        _, child = await pids(heard)
        async with httpx.AsyncClient() as client:
            with suppress(httpx.RemoteProtocolError):  # it may be gone before its answer
                await client.get(f"{backend.url}/exit/3")

        error = await broken(backend)
        assert "exit code 3" in str(error)
        assert not alive(child)


async def test_it_is_asked_to_end_and_may_take_leave(heard: list[logging.LogRecord]) -> None:
    leave = "signal.signal(15, lambda *_: sys.exit(print('bye'))); print('up'); time.sleep(60)"
    async with started(saying(then=leave)):
        await until(lambda: lines(heard))

    assert lines(heard) == ["up", "bye"]


async def test_one_that_does_not_heed_is_killed(heard: list[logging.LogRecord]) -> None:
    stubborn = "signal.signal(15, lambda *_: print('no')); print(os.getpid()); time.sleep(600)"
    async with started(saying(then=stubborn, stopSeconds=0.3)):
        pid = int((await until(lambda: lines(heard)))[0])

    assert "no" in lines(heard)
    assert not alive(pid)


# Starts a backend in a thread that then ends, as a replica may; then waits to be killed.
HOLDER = """
import asyncio, logging, os, sys, threading, time
from deployments.backend.process import Backend
from tests.deployments.backend.test_process import answers, small

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
logging.getLogger("httpx").setLevel(logging.WARNING)
backend = Backend(small(), name="sd")

async def start():
    await backend.start()
    await backend.ready(lambda: answers(backend.url))

thread = threading.Thread(target=asyncio.run, args=[start()])
thread.start()
thread.join()
fork = os.fork() if "fork" in sys.argv else None
if fork != 0:
    print("forked", fork, flush=True)
time.sleep(60)
"""


@pytest.fixture(params=["alone", "fork"])
def holder(request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, request.param], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


async def test_nothing_of_it_outlives_a_replica_that_is_killed(
    holder: "subprocess.Popen[str]",
) -> None:
    """A fork of the replica that keeps the supervisor's pipe open changes nothing."""
    assert holder.stdout is not None
    said = [holder.stdout.readline().split() for _ in range(2)]
    (_, _, *started), (_, fork) = sorted(said, key=len, reverse=True)
    below = {one.pid for one in psutil.Process(holder.pid).children(recursive=True)}
    assert {int(pid) for pid in started} < below

    holder.kill()

    forked = {int(fork)} if fork != "None" else set()
    await until(lambda: {pid for pid in below if alive(pid)} <= forked)
    assert all(map(alive, forked))
    for pid in forked:
        psutil.Process(pid).kill()


async def test_it_is_given_its_own_environment_and_little_of_the_replicas(
    heard: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "replicas-secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    given = {"HF_TOKEN": "backends-secret", "LEVEL": 5}
    show = "import json; print(json.dumps(dict(os.environ)))"
    async with started(saying(then=show, environment=given, threads=2)) as backend:
        error = await ended(backend)

    (line,) = lines(heard)
    got = json.loads(line)
    assert {name: got.get(name) for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")} == {
        "CUDA_VISIBLE_DEVICES": "3",
        "OMP_NUM_THREADS": "2",
    }
    assert (got["HF_TOKEN"], got["LEVEL"]) == ("backends-secret", "5")
    assert "AWS_SECRET_ACCESS_KEY" not in got
    assert "secret" not in f"{error}{backend.process!r}"


async def test_it_runs_in_its_folder_on_its_port(
    heard: list[logging.LogRecord], tmp_path: Path
) -> None:
    command = (*PYTHON, "import os, sys; print(os.getcwd(), sys.argv[1])", "--port={port}")
    async with started(process(command=command, folder=tmp_path, port=4321)) as backend:
        await ended(backend)

    assert lines(heard) == [f"{tmp_path} --port=4321"]
    assert backend.url == "http://127.0.0.1:4321"


async def test_its_lines_are_logged_as_the_replicas_and_marked(
    heard: list[logging.LogRecord],
) -> None:
    async with started(saying("loading weights")) as backend:
        await ended(backend)

    (record,) = heard
    assert record.getMessage() == "[sd] loading weights"
    assert (vars(record)["runtime"], record.levelname) == ("sd", "INFO")


async def test_progress_bars_rubbish_and_long_lines_do_no_harm(
    heard: list[logging.LogRecord],
) -> None:
    raw = rb"  0%|\r 50%|\r100%|\n\n\x00\xff\xfe\x1b[31mred\x1b[0m\n" + b"x" * 5_000 + b"\nend"
    write = f"sys.stdout.buffer.write(b{str(raw)[1:]}.decode('unicode_escape').encode('latin-1'))"
    async with started(saying(then=write)) as backend:
        await ended(backend)

    bar, half, full, red, long, end = lines(heard)
    assert (bar, half, full, end) == ("0%|", "50%|", "100%|", "end")
    assert red == "\N{REPLACEMENT CHARACTER}" * 2 + "red"
    assert long == "x" * 2_000


async def test_one_that_says_very_much_is_not_held_up(heard: list[logging.LogRecord]) -> None:
    """Output far beyond what a pipe holds, in many lines and in one, is read."""
    flood = "print('y' * 30_000_000)\nfor n in range(100_000): print(n)"
    async with started(saying(then=flood, readySeconds=SOON)) as backend:
        error = await ended(backend)

    assert "exit code 0" in str(error)
    assert notes(error).splitlines()[-1] == "99999"
    assert any("lines left out" in line for line in lines(heard))
    assert len(heard) < 50_000


async def test_memory_is_counted_over_all_that_it_started() -> None:
    async with running(small(memoryMib=150)) as backend:
        before = backend.is_bloated()
        assert await answers(f"{backend.url}/leak/80")
        halfway = backend.is_bloated()
        assert await answers(f"{backend.url}/bear/80")

        assert (before, halfway, backend.is_bloated()) == (False, False, True)


async def test_without_a_limit_it_is_never_bloated() -> None:
    async with running(small()) as backend:
        assert not backend.is_bloated()


async def test_one_that_the_network_can_reach_is_refused() -> None:
    command = [word.replace("{port}", "{port}") for word in options()["backend"]["command"]]
    async with started(process(command=(*command, "0.0.0.0"))) as backend:
        with pytest.raises(RuntimeUnavailable, match=r"listens on 0\.0\.0\.0; .* 127\.0\.0\.1"):
            await backend.ready(lambda: answers(backend.url))


async def test_a_port_that_another_process_answers_on_is_refused() -> None:
    async with running(small()) as other:
        port = int(other.url.rpartition(":")[2])
        async with started(saying(then="time.sleep(600)", port=port)) as backend:
            with pytest.raises(RuntimeUnavailable, match="another process answers"):
                await backend.ready(lambda: answers(backend.url))


async def test_a_server_that_somebody_else_runs_is_left_alone() -> None:
    async with running(small()) as other:
        async with running(process(url=f"{other.url}/")) as backend:
            assert backend.url == other.url
            assert not backend.is_bloated()

        assert await answers(other.url)


@pytest.mark.parametrize("given", [{}, {"command": ["a"], "url": "http://127.0.0.1:1"}])
def test_either_a_command_or_a_url_is_needed(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="backend: either command or url"):
        process(**given)


@pytest.mark.parametrize("environment", [["HF_TOKEN=secret"], {"HF_TOKEN": ["secret"]}])
def test_a_wrong_environment_is_refused_without_its_values(environment: Any) -> None:
    with pytest.raises(SettingsError, match=r"backend\.environment") as refused:
        process(command=["a"], environment=environment)

    assert "secret" not in str(refused.value)
