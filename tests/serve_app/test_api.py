"""HTTP APIs as clients see them: keys, sizes, paths and answers, never a failure of their own."""

import copy
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import event, given, settings as profile, strategies as st
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ingest.memory import MemoryTopic
from models.task import Kind
from serve_app.body import LARGEST_BODY
from serve_app.dialects.v1alpha1 import V1ALPHA1
from serve_app.dialects.v1alpha2 import V1ALPHA2
from serve_app.problems import CatchAll
from tests.serve_app.world import KEY, BrokenTopic, ClosedTopic, World, settings

PROMPT = "a very private owl"


class Front(httpx.AsyncClient):
    """Client of HTTP APIs of its own."""

    def __init__(self, topic: MemoryTopic | None = None, burst: int = 10_000) -> None:
        self.world = World(topic=topic, configured=settings(burst))
        self.world.kinds = dict.fromkeys(self.world.kinds, frozenset(Kind))
        self.topic = self.world.topic
        self.clock = self.world.clock
        self.app = self.world.app
        super().__init__(
            transport=httpx.ASGITransport(self.app),
            base_url="http://front",
            headers={"x-api-key": KEY},
        )


@pytest.fixture
def front() -> Front:
    return Front()


@pytest.fixture(scope="module")
def one_front() -> Front:
    """Make one client for many examples; each of them forgets what was published before."""
    return Front()


def task(**metadata: Any) -> dict[str, Any]:
    whole = {"id": "owl", "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "birds"}
    return {"task": {"metadata": whole | metadata, "content": {"prompt": PROMPT}}}


class Stream:
    """Request body that counts how much of it was read."""

    def __init__(self, parts: int, part: bytes = b"A" * 2**20) -> None:
        self.parts = parts
        self.part = part
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.parts):
            self.read += 1
            yield self.part


async def test_a_task_is_accepted(front: Front) -> None:
    answer = await front.post("/v1alpha2", json=task())

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == (
        '{"id": "owl", "runtime": "sdruntime", '
        '"output_location": "s3://outputs/birds/owl", "id_task": "owl"}'
    )
    assert len(front.topic.published) == 1


async def test_an_accepted_task_has_a_submission_that_the_client_is_not_told(front: Front) -> None:
    for _ in range(2):
        await front.post("/v1alpha2", json=task())

    first, second = (p.attributes["submission"] for p in front.topic.published)
    assert first != second


async def test_a_refusal_is_plain_text_under_the_name_of_json(front: Front) -> None:
    answer = await front.post("/v1alpha2", json=task(id="a b"))

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == "Incorrect payload structure, invalid id format"
    assert front.topic.published == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_what_the_body_calls_itself_does_not_matter(front: Front, kind: str) -> None:
    body = json.dumps(task())

    answer = await front.post("/v1alpha2", content=body, headers={"content-type": kind})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1alpha2", "//v1alpha2", "/v1alpha2/", "//v1alpha2/", "///v1alpha2///"]
)
async def test_slashes_too_many_are_taken(front: Front, path: str) -> None:
    answer = await front.post(f"http://front{path}", json=task())

    assert answer.status_code == 200


async def test_other_paths_of_a_contract_are_not_found(front: Front) -> None:
    answer = await front.post("/v1alpha2/x", json=task())

    assert (answer.status_code, answer.text) == (404, '{"message":"Not Found"}')


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/tasks", "Did you mean /v1/tasks? "),
        ("/tasks/owl", "Did you mean /v1/tasks/{id}? "),
        ("/tasks/owl/events", "Did you mean /v1/tasks/{id}/events? "),
        ("/healtz", "Did you mean /healthz? "),
        ("/redoc", ""),
        ("/favicon.ico", ""),
        ("/%00%0a<script>", ""),
        ("/" + "a/" * 5_000, ""),
    ],
)
async def test_other_paths_are_not_found_and_lead_to_those_that_are(
    front: Front, path: str, near: str
) -> None:
    answer = await front.post(path, json=task())

    assert answer.status_code == 404
    told = answer.json()
    assert told["message"] == "Not Found"
    assert told["hint"] == f"{near}The API is under /v1; GET / says where its description is."


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/v1/tasks"])
async def test_head_is_answered_as_get_without_the_body(front: Front, path: str) -> None:
    got, head = await front.get(path), await front.head(path)

    assert got.content
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert {**head.headers} == {**got.headers}


async def test_head_of_what_can_only_be_posted_is_not_allowed(front: Front) -> None:
    answer = await front.head("/v1alpha2")

    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
async def test_allow_has_all_that_a_path_can_be_asked_for(front: Front, method: str) -> None:
    answer = await front.request(method, "/healthz")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_not_allowed(front: Front, method: str) -> None:
    answer = await front.request(method, "/v1alpha1", headers={"origin": "https://else.where"})

    assert (answer.status_code, answer.json()) == (405, {"message": "Method Not Allowed"})
    assert answer.headers["allow"] == "POST"
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("key", ["", "ana's own ke", "Ana's own key", "ü"])
async def test_strangers_stay_outside(front: Front, key: str) -> None:
    body = Stream(3)

    named = {b"x-api-key": key.encode()}

    answer = await front.post("/v1alpha2", content=body, headers=named)

    assert (answer.status_code, answer.text) == (401, '{"message":"Unauthorized"}')
    assert body.read == 0


async def test_without_a_key_nobody_comes_in(front: Front) -> None:
    del front.headers["x-api-key"]

    assert (await front.post("/v1alpha1", json=task())).status_code == 401


async def test_a_key_is_throttled_and_another_is_not() -> None:
    front = Front(burst=2)
    answers = [await front.post("/v1alpha2", json=task()) for _ in range(3)]
    other = await front.post("/v1alpha2", json=task(), headers={"x-api-key": "bo's key"})
    front.clock.now += 1
    later = await front.post("/v1alpha2", json=task())

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json() == {"message": "Too Many Requests"}
    assert answers[-1].headers["retry-after"] == "1"
    assert (other.status_code, later.status_code) == (200, 200)


async def test_a_body_announced_too_large_is_not_read(front: Front) -> None:
    body = Stream(11)
    announced = {"content-length": str(LARGEST_BODY + 1)}

    answer = await front.post("/v1alpha2", content=body, headers=announced)

    assert (answer.status_code, answer.json()) == (413, {"message": "Request Too Long"})
    assert body.read == 0


@pytest.mark.parametrize("announced", [None, "1", "9" * 5000, "-1", "many"])
async def test_a_body_that_is_too_large_is_not_read_to_its_end(
    front: Front, announced: str | None
) -> None:
    body = Stream(30)
    headers = {} if announced is None else {"content-length": announced}

    answer = await front.post("/v1alpha2", content=body, headers=headers)

    assert answer.status_code == 413
    assert body.read <= 11


async def test_the_largest_body_is_read(front: Front) -> None:
    answer = await front.post("/v1alpha2", content=b" " * LARGEST_BODY)

    assert (answer.status_code, answer.text) == (400, "Invalid request format")


@pytest.mark.parametrize("size", [300_000, 2**20 - 300])
async def test_a_large_task_is_accepted(front: Front, size: int) -> None:
    large = task()
    large["task"]["content"] = {"init_images": ["A" * size]}

    answer = await front.post("/v1alpha2", json=large)

    assert answer.status_code == 200
    assert "PayloadS3Pointer" in front.topic.published[0].message


async def test_a_task_that_was_not_published_is_not_accepted() -> None:
    answer = await Front(ClosedTopic()).post("/v1alpha2", json=task())

    assert (answer.status_code, answer.text) == (503, "Service unavailable")
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["content-type"].startswith("text/plain")


async def test_an_error_that_nobody_expected_is_told_and_logged_without_the_body(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await Front(BrokenTopic()).post("/v1alpha2", json=task())

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.message == "request_failed"
    assert vars(record)["error"] == "KeyError"
    assert "in publish" in vars(record)["where"]
    assert PROMPT not in str(vars(record))


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("half")(scope, receive, send)
        raise KeyError

    with pytest.raises(KeyError):
        await httpx.AsyncClient(transport=httpx.ASGITransport(CatchAll(broken))).get("http://front")


async def test_a_client_that_leaves_is_no_error(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    sent = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    key = [(b"x-api-key", KEY.encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1alpha2", "headers": key}
    await front.app({**scope, "query_string": b""}, receive, send)

    assert sent[0]["status"] == 400
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_health_is_told_without_a_key(front: Front) -> None:
    del front.headers["x-api-key"]
    answer = await front.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def spoken(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Collect the fields of the platform's log lines."""
    return [vars(r) for r in caplog.records if r.name == "ray.serve.atelier.api"]


async def test_an_accepted_task_is_one_line_in_the_log(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await front.post("/v1alpha2", json=task())

    [line] = spoken(caplog)
    assert line["message"] == "submission_accepted"
    assert (line["api"], line["holder"], line["task"]) == ("v1alpha2", "ana", "owl")
    assert line["submission"] == front.topic.published[0].attributes["submission"]


async def test_a_refused_body_is_one_line_in_the_log(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await front.post("/v1alpha2", json=task(id=PROMPT))

    [line] = spoken(caplog)
    assert line["message"] == "submission_refused"
    assert (line["status"], line["holder"]) == (400, "ana")
    assert line["reason"] == "Incorrect payload structure, invalid id format"


async def test_neither_keys_nor_bodies_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for topic in (MemoryTopic(), ClosedTopic(), BrokenTopic()):
            front = Front(topic)
            await front.post("/v1alpha2", json=task())
            await front.post("/v1alpha2", json=task(), headers={"x-api-key": "a wrong key"})

    logged = str([vars(record) for record in caplog.records])
    assert len(spoken(caplog)) == 6
    assert KEY not in logged
    assert "a wrong key" not in logged
    assert PROMPT not in logged


async def test_openapi_tells_of_two_operations_with_their_key(front: Front) -> None:
    told = (await front.get("/openapi.json")).json()

    for path in ("/v1alpha1", "/v1alpha2"):
        [(method, operation)] = told["paths"][path].items()
        assert method == "post"
        assert [int(status) for status in operation["responses"]] == [
            *(200, 400, 401, 403, 408, 413, 429, 503)
        ]
        assert operation["security"] == [{"APIKeyHeader": []}]
    assert told["components"]["securitySchemes"]["APIKeyHeader"]["name"] == "x-api-key"


async def test_the_examples_in_openapi_are_accepted(front: Front) -> None:
    told = (await front.get("/openapi.json")).json()
    for path in ("/v1alpha1", "/v1alpha2"):
        operations = told["paths"][path]
        body = operations["post"]["requestBody"]["content"]["application/json"]
        for example in body["examples"].values():
            answer = await front.post(path, json=example["value"])

            assert answer.status_code == 200
            schema = operations["post"]["responses"]["200"]["content"]["application/json"]
            assert list(answer.json()) == list(schema["schema"]["properties"])


KNOWN = {"Invalid request format"} | {
    f"Incorrect payload structure, {reason}"
    for reason in (
        "alwayson_scripts is missing",
        "content is missing",
        "invalid id format",
        "invalid id_task format",
        "invalid runtime format",
        "invalid task type",
        "invalid tasktype",
        "metadata is missing",
        "payload too large",
        "sd_model_checkpoint is missing",
        "tasktype not supported by runtime",
        "unknown runtime",
        "unknown sd_model_checkpoint",
    )
}

words = st.text(max_size=20) | st.sampled_from(
    ["owl", "sdruntime", "SDRuntime", "comfy", "shapes.safetensors", "birds", *Kind, "\ud800"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


V1 = {
    "alwayson_scripts": {
        "task": "text-to-image",
        "id_task": "owl",
        "sd_model_checkpoint": "shapes.safetensors",
        "save_dir": "birds",
    },
    "prompt": "an owl",
}
V1_PATHS = ["alwayson_scripts", *(f"alwayson_scripts.{key}" for key in V1["alwayson_scripts"])]
V2_PATHS = [
    "task",
    "task.content",
    "task.metadata",
    *(f"task.metadata.{key}" for key in ("id", "runtime", "tasktype", "prefix", "context")),
]


@st.composite
def nearly(draw: st.DrawFn, right: dict[str, Any], paths: list[str]) -> Any:
    """Draw a body that is right but for a few places, where a value is missing or any other."""
    body: Any = copy.deepcopy(right)
    for path in draw(st.lists(st.sampled_from(paths), max_size=2)):
        *outer, last = path.split(".")
        inner = body
        for key in outer:
            inner = inner.get(key, {}) if isinstance(inner, dict) else {}
        if isinstance(inner, dict):
            inner[last] = draw(values)
            if draw(st.booleans()):
                del inner[last]
    return body


paths = st.sampled_from(["/v1alpha1", "/v1alpha2"])
anything = st.binary(max_size=200) | values.map(lambda body: json.dumps(body).encode())
requests = st.one_of(
    st.tuples(paths, anything),
    st.tuples(st.just("/v1alpha1"), nearly(V1, V1_PATHS).map(lambda b: json.dumps(b).encode())),
    st.tuples(st.just("/v1alpha2"), nearly(task(), V2_PATHS).map(lambda b: json.dumps(b).encode())),
)


@given(sent=requests)
@profile(max_examples=500)
async def test_any_body_gets_an_answer_of_the_contract(
    one_front: Front, sent: tuple[str, bytes]
) -> None:
    path, raw = sent
    one_front.topic.published.clear()

    answer = await one_front.post(path, content=raw)

    event(
        answer.text if answer.status_code == 400 else path
    )  # told by --hypothesis-show-statistics
    assert answer.headers["content-type"] == "application/json"
    assert (answer.status_code, len(one_front.topic.published)) in ((200, 1), (400, 0))
    if answer.status_code == 400:
        assert answer.text in KNOWN
    else:
        wanted = (V1ALPHA1 if path == "/v1alpha1" else V1ALPHA2).answer["properties"]
        assert list(answer.json()) == list(wanted)


@given(prefix=st.text(max_size=30), name=st.from_regex(r"[\w-]{1,20}", fullmatch=True))
async def test_artifacts_never_leave_the_output_bucket(
    one_front: Front, prefix: str, name: str
) -> None:
    answer = await one_front.post("/v1alpha2", json=task(prefix=prefix, id=name))

    if answer.status_code == 200:
        folder = answer.json()["output_location"].removeprefix("s3://outputs/")
        assert folder.endswith(f"/{name}")
        assert not {"", ".", ".."} & set(folder.split("/"))
