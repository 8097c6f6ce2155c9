"""Pictures of ours and of a real server of the Web UI's API: the same, or there is a cause."""

from collections.abc import AsyncIterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from deployments.runtimes.diffusers import DiffusersAdapter
from models.runtimes.diffusers.samplers import SAMPLERS, SCHEDULES
from tests.runtimes.diffusers.web_ui import checkpoint
from tests.runtimes.diffusers.web_ui.answers import answers, pixels
from tests.runtimes.diffusers.web_ui.differences import known, measured, opened
from tests.runtimes.diffusers.web_ui.requests import Request, all_requests

DIGEST = "a1c56354fb577f2110422f996c568eec5dd26f8afc55e30151ed88b547fa4a4b"
"""SHA-256 of the checkpoint that the server was given."""
EXPLAINED = 2
"""Mean difference above which there must be a cause."""
ELSEWHERE = 0.3
"""Mean difference by which another processor may round otherwise."""


@pytest.fixture(scope="module")
async def web_ui(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DiffusersAdapter]:
    async with opened(tmp_path_factory.mktemp("web-ui")) as adapter:
        yield adapter


@pytest.mark.parametrize("request_", all_requests(), ids=lambda request: request.name)
async def test_the_picture_is_the_servers(web_ui: DiffusersAdapter, request_: Request) -> None:
    found, told = await measured(web_ui, request_), known()[request_.name]

    assert found.mean <= request_.most
    assert abs(found.mean - told.mean) <= ELSEWHERE


def test_larger_differences_have_a_cause() -> None:
    requests = {request.name: request for request in all_requests()}

    assert known().keys() == requests.keys() == answers().keys()
    assert all(requests[name].cause for name in known() if known()[name].mean > EXPLAINED)


@pytest.mark.parametrize("request_", all_requests(), ids=lambda request: request.name)
def test_the_answer_is_to_the_request_as_it_is(request_: Request) -> None:
    assert answers()[request_.name]["request"] == request_.digest


@pytest.mark.parametrize("name", [checkpoint.EPSILON, checkpoint.V_PREDICTION])
def test_the_checkpoint_is_the_servers(tmp_path: Path, name: str) -> None:
    checkpoint.write(tmp_path, name)

    assert checkpoint.digest(tmp_path) == DIGEST


def test_what_a_request_says_is_seen_in_the_servers_pictures() -> None:
    """Else the comparison would say nothing."""
    prompts = ("prompt-empty", "prompt-unicode", "sampler-euler", "edit-turns", "and-two")
    found = [pixels(name, 1) for name in prompts]

    assert min(np.abs(one - other).mean() for one, other in combinations(found, 2)) > 10


def test_every_sampler_and_every_schedule_of_the_server_is_in_the_set() -> None:
    bodies = [request.body for request in all_requests()]

    assert {body["sampler_name"] for body in bodies} == set(SAMPLERS) - {"TCD"}
    assert {body["scheduler"] for body in bodies} == set(SCHEDULES)
