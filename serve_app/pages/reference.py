"""Reference of the API, read from its own OpenAPI description."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from serve_app.pages.schemas import Field, Schema, field_of, fields_of, kind_of, prose

Document = Mapping[str, Any]

_PROBLEM = "application/problem+json"
_EVENTS = "text/event-stream"
_OTHERS = "older clients"
_URN = "urn:atelier:"


@dataclass(frozen=True, kw_only=True)
class Example:
    """Example of a body or an answer."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Answer of an operation with one status."""

    status: str
    text: Markup
    media: str
    kind: Markup | None
    headers: Sequence[Field]
    events: Sequence[tuple[str, Markup]]
    """Names of server-sent events, and the schema of the data of each."""
    problems: Sequence[str]
    examples: Sequence[Example]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Operation: a method of a path."""

    id: str
    group: str
    method: str
    path: str
    text: Markup
    parameters: Sequence[Field]
    body: Markup | None
    """Schema of the request body in words; None if the operation takes no body."""
    body_text: Markup
    fields: Sequence[Field]
    """Fields of the request body."""
    bodies: Sequence[Example]
    curl: str
    answers: Sequence[Answer]


@dataclass(frozen=True, kw_only=True)
class Named:
    """Schema with a name, to which others refer."""

    name: str
    text: Markup
    kind: Markup
    fields: Sequence[Field]
    json: str


@dataclass(frozen=True, kw_only=True)
class ListedProblem:
    """Kind of problem: its stable word, and an example."""

    word: str
    status: int
    title: str
    json: str


class Reference:
    """Content of the reference page: operations, problems and schemas of an OpenAPI description."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.title: str = document["info"]["title"]
        self.version: str = document["info"]["version"]
        self.operations = tuple(self._operations())

    @property
    def groups(self) -> Sequence[tuple[str, Sequence[Operation]]]:
        ordered = sorted(self.operations, key=lambda each: each.group == _OTHERS)
        return [(name, tuple(each)) for name, each in groupby(ordered, lambda each: each.group)]

    @property
    def schemas(self) -> Sequence[Named]:
        named: Mapping[str, Schema] = self._document.get("components", {}).get("schemas", {})
        return [
            Named(
                name=name,
                text=prose(schema.get("description", "")),
                kind=kind_of(schema),
                fields=tuple(fields_of(schema)),
                json=_written(schema),
            )
            for name, schema in sorted(named.items())
        ]

    @property
    def problems(self) -> Sequence[ListedProblem]:
        """Kinds of problem of all operations, each once, sorted by status."""
        found: dict[str, Any] = {}
        for answer in self._answers_in_problem_form():
            for example in answer.get("examples", {}).values():
                found[_word(example["value"])] = example["value"]
        kinds = [
            ListedProblem(word=word, status=one["status"], title=one["title"], json=_written(one))
            for word, one in found.items()
        ]
        return sorted(kinds, key=lambda kind: (kind.status, kind.word))

    def _answers_in_problem_form(self) -> Iterator[Mapping[str, Any]]:
        for path in self._document["paths"].values():
            for operation in path.values():
                for answer in operation["responses"].values():
                    yield answer.get("content", {}).get(_PROBLEM, {})

    def _operations(self) -> Iterator[Operation]:
        for path, methods in self._document["paths"].items():
            for method, described in methods.items():
                yield self._operation(path, method, described)

    def _operation(self, path: str, method: str, described: Mapping[str, Any]) -> Operation:
        body = described.get("requestBody", {})
        media, content = _first(body.get("content", {}))
        schema = content.get("schema", {})
        bodies = tuple(_examples(content))
        return Operation(
            id=described["operationId"],
            group=next(iter(described.get("tags", ())), _OTHERS),
            method=method.upper(),
            path=path,
            text=prose(described.get("description", described.get("summary", ""))),
            parameters=tuple(map(_parameter, described.get("parameters", ()))),
            body=kind_of(schema) if media else None,
            body_text=prose(self._resolved(schema).get("description", "")),
            fields=tuple(fields_of(self._resolved(schema))),
            bodies=bodies,
            curl=_curl(path, method, described, bodies),
            answers=tuple(
                _answer(status, one) for status, one in sorted(described["responses"].items())
            ),
        )

    def _resolved(self, schema: Schema) -> Schema:
        """Follow a reference to the named schema; return any other schema as it is."""
        ref = schema.get("$ref", "")
        schemas: Mapping[str, Schema] = self._document.get("components", {}).get("schemas", {})
        return schemas.get(ref.rpartition("/")[2], schema)


def _parameter(described: Mapping[str, Any]) -> Field:
    schema = {"description": described.get("description", ""), **described["schema"]}
    return field_of(
        described["name"], schema, required=described.get("required", False), where=described["in"]
    )


def _answer(status: str, described: Mapping[str, Any]) -> Answer:
    media, content = _first(described.get("content", {}))
    schema = content.get("schema")
    problem = media == _PROBLEM
    examples = tuple(_examples(content))
    return Answer(
        status=status,
        text=prose(described.get("description", "")),
        media=media,
        kind=kind_of(schema) if schema else None,
        headers=tuple(
            field_of(
                name, {"description": one.get("description", ""), **one["schema"]}, required=False
            )
            for name, one in described.get("headers", {}).items()
        ),
        events=tuple(_events(content.get("itemSchema", {}))) if media == _EVENTS else (),
        problems=_words(content) if problem else (),
        examples=() if problem else examples,
    )


def _events(item: Schema) -> Iterator[tuple[str, Markup]]:
    for event in item.get("oneOf", ()):
        of = event["properties"]
        yield of["event"]["const"], kind_of(of["data"].get("contentSchema", {}))


def _words(content: Mapping[str, Any]) -> Sequence[str]:
    return [_word(example["value"]) for example in content.get("examples", {}).values()]


def _word(problem: Mapping[str, Any]) -> str:
    return str(problem["type"]).removeprefix(_URN)


def _first(content: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return next(iter(content.items()), ("", {}))


def _examples(content: Mapping[str, Any]) -> Iterator[Example]:
    for name, one in content.get("examples", {}).items():
        yield Example(name=name, text=_written(one["value"]))
    if "example" in content:
        yield Example(name="example", text=_written(content["example"]))


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _curl(path: str, method: str, described: Mapping[str, Any], bodies: Sequence[Example]) -> str:
    """Write a command for a shell in which ``URL`` and ``KEY`` are set."""
    words = ["curl -s", *(() if method in ("get", "post") else (f"-X {method.upper()}",))]
    words.append(f'"$URL{path}"')
    lines = [" ".join(words)]
    if described.get("security"):
        lines.append('-H "x-api-key: $KEY"')
    if bodies:
        lines.append(f"-d {shlex.quote(bodies[0].text)}")
    return " \\\n  ".join(lines)
