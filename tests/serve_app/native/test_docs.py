"""Examples in ``docs/api.md`` are true."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.native.problems import ProblemKind
from tests.serve_app.world import World, task

TEXT = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def examples() -> Iterator[list[str]]:
    """Split each curl command of the document into words."""
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL):
        words = block.replace("$URL", "").replace("$KEY", "key")
        for line in re.split(r"\n(?=curl)", words):
            if line.startswith("curl"):
                yield shlex.split(line)[1:]


def request(words: list[str]) -> tuple[str, str, dict[str, str], str | None]:
    """Make the request that curl would send."""
    method, url, body = "", "", None
    headers: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        match word:
            case "-X":
                method = next(rest)
            case "-d":
                body = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers |= {name: value} if value else {}
            case "-o":
                next(rest)
            case _ if not word.startswith("-"):
                url = word
    return method or ("POST" if body else "GET"), url, headers, body


@pytest.mark.parametrize("words", list(examples()), ids=" ".join)
async def test_an_example_does_what_it_says(world: World, words: list[str]) -> None:
    await world.complete(task(id="first"))
    method, url, headers, body = request(words)
    async with world.client() as client:
        url = url.replace("wait=30", "wait=0")
        answer = await client.request(method, url, headers=headers, content=body)

    assert answer.status_code < 400, answer.text


def test_each_sort_of_problem_is_there() -> None:
    rows = re.findall(r"^\| (\d+) \| `(urn:atelier:[a-z-]+)`", TEXT, re.MULTILINE)

    assert {(int(status), word) for status, word in rows} == {
        (kind.status, kind.type) for kind in ProblemKind
    }
