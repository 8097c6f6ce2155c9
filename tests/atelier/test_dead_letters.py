"""Client: dead letters, in parts where there are many, and without harm where an answer is lost."""

import asyncio
import json
from typing import Any

import pytest

from atelier import AsyncClient, Client, Misused, NotFound
from ingest import letter_visit
from tests.atelier.served_platform import Fault, Platform
from tests.ingest.world import message


def put(platform: Platform, count: int) -> list[str]:
    letters = platform.world.queue.letters

    async def send() -> None:
        for n in range(count):
            await letters.send(json.dumps(message(id=f"t{n}")), {"reason": "no"})

    asyncio.run_coroutine_threadsafe(send(), platform.loop).result(10)
    return [each.id for each in letters.messages]


def test_more_ids_than_a_request_takes_are_sent_in_parts(
    platform: Platform, client: Client
) -> None:
    ids = put(platform, 130)
    done = client.purge("sdruntime", ids)

    assert sorted(each.id for each in done) == sorted(ids)
    assert {each.outcome for each in done} == {"deleted"}


def test_all_are_taken_where_one_call_does_not_see_all(
    platform: Platform, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_visit, "MOST", 20)
    ids = put(platform, 50)
    done = client.purge("sdruntime", all=True)

    assert sorted(each.id for each in done) == sorted(ids)


def test_a_lost_answer_leaves_nothing_twice(platform: Platform, client: Client) -> None:
    (id_,) = put(platform, 1)
    platform.proxy.faults.append(Fault(path="/v1/dead-letters/.*", method="POST"))
    (done,) = client.redrive("sdruntime", [id_])

    assert done.outcome == "missing"
    assert client.wait("t0", timeout=20).submission == id_
    assert len(platform.painter.started) == 1


async def test_it_is_so_for_an_event_loop(platform: Platform, hasty: AsyncClient) -> None:
    (id_,) = put(platform, 1)
    page = await hasty.dead_letters(limit=5)

    assert [each.id for each in page.letters] == [id_]
    assert (await hasty.dead_letter("sdruntime", id_)).task == "t0"
    with pytest.raises(NotFound):
        await hasty.dead_letter("sdruntime", "nothing")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ids": ["a"], "all": True},
        {"ids": ["a"], "edit": {"content": float("nan")}},
        {"ids": ["a"], "edit": {"content": object()}},
    ],
)
def test_what_cannot_be_asked_is_not(client: Client, given: dict[str, Any]) -> None:
    with pytest.raises(Misused):
        client.redrive("sdruntime", **given)
