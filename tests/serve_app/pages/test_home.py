"""Home page: it says where to go, to a browser in HTML, to a program in JSON."""

import shlex
from importlib.metadata import version

import httpx
import pytest
from fastapi import Request

from models.task import Kind
from models.version import VERSION
from serve_app.pages.home import Home
from serve_app.runtimes import Runtimes
from tests.serve_app.pages.reader import Page, check
from tests.serve_app.world import World, settings

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
async def stranger(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Make a client without a key."""
    del client.headers["x-api-key"]
    return client


def test_the_version_is_the_packages() -> None:
    assert version("atelier") == VERSION


async def test_a_program_is_told_where_to_go(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/")

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    told = answer.json()
    assert (told["name"], told["version"]) == ("atelier", VERSION)
    statuses = {
        name: (await stranger.get(link)).status_code for name, link in told["links"].items()
    }
    assert statuses == {"api": 401, "reference": 200, "openapi": 200, "health": 200, "ready": 200}


async def test_a_browser_gets_a_page(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/", headers={"accept": BROWSER})

    page = Page(answer.text)
    check(page, answer.headers["content-security-policy"])
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert [(await stranger.get(link)).status_code for link in page.links] == [200] * 4
    assert "Dashboard" in page.text


async def test_the_command_on_the_page_makes_a_picture(
    world: World, client: httpx.AsyncClient
) -> None:
    answer = await client.get("/", headers={"accept": BROWSER})

    [command] = Page(answer.text).pre
    *_, url, _, key, _, body = shlex.split(command.replace("\\\n", ""))
    made = await client.post(url.replace("wait=30", "wait=0"), content=body)
    assert key == "x-api-key: $KEY"
    assert made.status_code == 202
    assert made.json()["kind"] == "text-to-image"
    assert len(world.topic.published) == 1


async def test_where_nothing_draws_by_prompts_a_graph_is_asked_for() -> None:
    graphs = Runtimes(
        configured=settings().models_runtime, kinds=lambda _: frozenset({Kind.PIPELINE})
    )
    home = Home(graphs)
    scope = {"type": "http", "path": "/", "headers": [], "server": ("front", 80), "scheme": "http"}

    answer = await home(Request(scope), accept=BROWSER)

    assert '"kind": "pipeline"' in Page(bytes(answer.body).decode()).text


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (BROWSER, "text/html"),
        ("text/html", "text/html"),
        ("TEXT/HTML; q=0.5 , application/json;q=0.4", "text/html"),
        ("application/xhtml+xml", "text/html"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/html;q=0.9", "application/json"),
        ("text/html;q=0", "application/json"),
        ("text/html;q=2", "application/json"),
        ("text/html;q=nan", "application/json"),
        ("text/html;q=", "application/json"),
        ("", "application/json"),
        (",;q=,;;", "application/json"),
        ("text/*", "application/json"),
    ],
)
async def test_the_form_is_the_one_that_is_preferred(
    stranger: httpx.AsyncClient, accept: str, form: str
) -> None:
    answer = await stranger.get("/", headers={"accept": accept})

    assert answer.headers["content-type"].partition(";")[0] == form


async def test_head_is_answered_without_the_page(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.head("/", headers={"accept": BROWSER})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("host", ["[::1]:8000", "front.example", "10.0.0.7", "my_front:80"])
async def test_links_lead_to_the_host_that_was_asked(
    stranger: httpx.AsyncClient, host: str
) -> None:
    answer = await stranger.get("/", headers={"host": host})

    assert answer.json()["links"]["reference"] == f"http://{host}/docs"
