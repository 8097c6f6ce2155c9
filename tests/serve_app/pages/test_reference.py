"""Reference page: it has all that the OpenAPI description has, any markup in it as text."""

from collections import Counter
from typing import Any

import httpx
import pytest

from serve_app.native.problems import ProblemKind
from serve_app.pages.html import headers, rendered
from serve_app.pages.reference import Reference
from serve_app.pages.schemas import fields_of, kind_of, limits_of
from tests.serve_app.pages.reader import Page, check


@pytest.fixture
async def document(client: httpx.AsyncClient) -> Any:
    return (await client.get("/openapi.json")).json()


@pytest.fixture
async def page(client: httpx.AsyncClient) -> Page:
    del client.headers["x-api-key"]
    return Page((await client.get("/docs")).text)


async def test_it_is_a_page_like_the_others(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")

    check(Page(answer.text), answer.headers["content-security-policy"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


def test_every_operation_parameter_and_answer_is_there(page: Page, document: Any) -> None:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            assert f"{method.upper()}{path}" in page.text
            assert told["operationId"] in page.anchors
            for parameter in told.get("parameters", ()):
                assert parameter["name"] in page.text
            for status, answer in told["responses"].items():
                text = " ".join(answer["description"].replace("`", "").split())
                assert f"{status}{text}" in page.text


def test_every_schema_and_field_is_there(page: Page, document: Any) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert f"schema-{name}" in page.anchors
        for field in schema.get("properties", ()):
            assert field in page.text


def test_every_problem_is_there(page: Page) -> None:
    of_operations = set(ProblemKind) - {ProblemKind.NOT_ALLOWED}
    words = {kind.type.removeprefix("urn:atelier:") for kind in of_operations}

    assert {each.removeprefix("problem-") for each in page.anchors if "problem-" in each} == words


def test_every_example_is_there(page: Page, document: Any) -> None:
    bodies = document["paths"]["/v1/tasks"]["post"]["requestBody"]["content"]["application/json"]
    for example in bodies["examples"].values():
        assert any(example["value"]["content"]["prompt"] in text for text in page.pre)


def test_every_link_leads_somewhere_and_no_anchor_stands_twice(page: Page) -> None:
    inside = {link[1:] for link in page.links if link.startswith("#")}

    assert inside <= set(page.anchors)
    assert max(Counter(page.anchors).values()) == 1
    # Relative, so that they are right behind a stage of API Gateway, too.
    assert {link for link in page.links if not link.startswith("#")} == {"./", "openapi.json"}


HOSTILE = "</code><script>alert(1)</script>\"'`<img src=x>`"
OPERATION = {
    "operationId": HOSTILE,
    "tags": [HOSTILE],
    "description": HOSTILE,
    "parameters": [
        {"name": HOSTILE, "in": HOSTILE, "schema": {"enum": [HOSTILE], "pattern": HOSTILE}}
    ],
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"$ref": f"#/{HOSTILE}"},
                "examples": {HOSTILE: {"value": HOSTILE}},
            }
        }
    },
    "responses": {
        HOSTILE: {
            "description": HOSTILE,
            "headers": {HOSTILE: {"description": HOSTILE, "schema": {"type": HOSTILE}}},
            "content": {HOSTILE: {"schema": {"const": HOSTILE}, "example": {HOSTILE: HOSTILE}}},
        }
    },
}


def test_whatever_a_description_says_it_is_text() -> None:
    document = {
        "info": {"title": HOSTILE, "version": HOSTILE},
        "paths": {HOSTILE: {HOSTILE: OPERATION}},
        "components": {
            "schemas": {
                HOSTILE: {
                    "description": HOSTILE,
                    "type": [HOSTILE],
                    "properties": {
                        HOSTILE: {"type": HOSTILE, "format": HOSTILE, "default": HOSTILE}
                    },
                }
            }
        },
    }

    page = Page(rendered("reference.html", of=Reference(document)))

    check(page, headers()["Content-Security-Policy"])
    assert "alert(1)" in page.text


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, "any JSON"),
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "string (date-time)"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"const": 7}, "<code>7</code>"),
        ({"enum": ["a", None]}, "<code>&#34;a&#34;</code> or <code>null</code>"),
        ({"$ref": "#/components/schemas/Kind"}, '<a href="#schema-Kind">Kind</a>'),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or null"),
        ({"oneOf": [{"type": "integer"}, {"type": "integer"}]}, "integer"),
        ({"allOf": [{"type": "object"}, {"$ref": "#/X"}]}, 'object and <a href="#schema-X">X</a>'),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
        ({"type": "array"}, "array"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
        ({"type": "object", "additionalProperties": False}, "object"),
    ],
)
def test_what_a_value_may_be_is_said_in_words(schema: Any, said: str) -> None:
    assert kind_of(schema) == said


def test_bounds_are_said_in_words() -> None:
    schema = {
        "anyOf": [{"type": "integer", "minimum": 1, "exclusiveMaximum": 9}, {"type": "null"}],
        "maxItems": 3,
        "items": {"maxLength": 8, "pattern": "^a$"},
    }

    assert list(limits_of(schema)) == [
        "at most 3 of them",
        "at least 1",
        "less than 9",
        "each at most 8 characters",
        "each matches <code>^a$</code>",
    ]


def test_the_fields_of_objects_without_a_name_are_said_by_their_paths() -> None:
    inner = {"type": "object", "required": ["b"], "properties": {"b": {"type": "string"}}}
    schema = {"properties": {"a": inner, "c": {"type": "array", "items": inner}}}

    found = [(name, required) for name, _, required, _ in fields_of(schema)]

    assert found == [("a", False), ("a.b", True), ("c", False), ("c[].b", True)]
