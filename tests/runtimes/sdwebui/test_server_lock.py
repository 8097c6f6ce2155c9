"""The server draws one picture at a time, and does not wait for what can be done meanwhile."""

import asyncio

from deployments.runtimes.sdwebui.server_lock import ServerLock
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.world import driving, task
from tests.runtimes.world import run


async def test_tasks_are_drawn_one_after_the_other() -> None:
    busy: list[int] = []

    class Counting(WebUi):
        async def _generated(self, name: str, body: dict[str, object]) -> object:
            busy.append(sum(where != "completed" for where in self._tasks.values()))
            return await super()._generated(name, body)

    async with driving(Counting()) as adapter:
        done = await asyncio.gather(*(run(adapter, task(seed=seed)) for seed in range(4)))

    assert busy == [0] * 4
    assert len({one.pictures[0] for one in done}) == 4


async def test_a_task_enters_when_the_one_before_has_left() -> None:
    lock, said = ServerLock(), list[str]()

    async def follow() -> None:
        async with lock:
            said.append("comes")

    async with lock:
        following = asyncio.create_task(follow())
        await asyncio.sleep(0.01)
        said.append("ends")
    await following

    assert said == ["ends", "comes"]


async def test_who_waits_goes_on_before_the_pictures_are_read() -> None:
    lock, said = ServerLock(), list[str]()

    async def follow() -> None:
        async with lock:
            for _ in range(3):
                await asyncio.sleep(0)
            said.append("sent")

    following: asyncio.Task[None] | None = None
    async with lock:
        following = asyncio.create_task(follow())
        await asyncio.sleep(0.01)
    said.append("read")
    await following

    assert said == ["sent", "read"]
