"""Reference of the API: what its template reads of the OpenAPI description, and cannot work out."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from serve_app.pages.schemas import Field, Schema

Document = Mapping[str, Any]
Operation = tuple[str, str, Mapping[str, Any]]
"""Path, method and description of an operation."""

_PROBLEM = "application/problem+json"
_OTHERS = "older clients"


class Reference:
    """Content of the reference page: operations, problems and schemas of an OpenAPI description."""

    def __init__(self, document: Document) -> None:
        self.info: Mapping[str, str] = document["info"]
        self.schemas: Mapping[str, Schema] = document.get("components", {}).get("schemas", {})
        self._operations: Sequence[Operation] = [
            (path, method, described)
            for path, methods in document["paths"].items()
            for method, described in methods.items()
        ]

    @property
    def groups(self) -> Sequence[tuple[str, Sequence[Operation]]]:
        """Operations by their first tag; those without one come last."""
        # Only neighbours are grouped; a stable sort leaves the others in the order of the routes.
        ordered = sorted(self._operations, key=lambda operation: _tag(operation) == _OTHERS)
        return [(tag, tuple(operations)) for tag, operations in groupby(ordered, _tag)]

    @property
    def problems(self) -> Sequence[Mapping[str, Any]]:
        """Example of each kind of problem that an operation has, sorted by status."""
        answers = [
            one for *_, described in self._operations for one in described["responses"].values()
        ]
        contents = [answer.get("content", {}).get(_PROBLEM, {}) for answer in answers]
        examples = [one["value"] for each in contents for one in each.get("examples", {}).values()]
        by_type = {problem["type"]: problem for problem in examples}
        return sorted(by_type.values(), key=lambda problem: (problem["status"], problem["type"]))

    def resolved(self, schema: Schema) -> Schema:
        """Follow a reference to the named schema; return any other schema as it is."""
        return self.schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)

    def parameters(self, operation: Mapping[str, Any]) -> Sequence[Field]:
        """Describe the parameters of an operation as fields."""
        return [
            (
                parameter["name"],
                {"description": parameter.get("description", ""), **parameter["schema"]},
                parameter.get("required", False),
                parameter["in"],
            )
            for parameter in operation.get("parameters", ())
        ]

    def curl(self, path: str, method: str, operation: Mapping[str, Any]) -> str:
        """Write a command for a shell in which ``URL`` and ``KEY`` are set."""
        verb = "" if method in ("get", "post") else f" -X {method.upper()}"
        lines = [f'curl -s{verb} "$URL{path}"']
        if operation.get("security"):
            lines.append('-H "x-api-key: $KEY"')
        for content in operation.get("requestBody", {}).get("content", {}).values():
            lines += [f"-d {shlex.quote(text)}" for _, text in [*self.examples(content)][:1]]
        return " \\\n  ".join(lines)

    def examples(self, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield name and text of each example of a body or an answer."""
        for name, example in content.get("examples", {}).items():
            yield name, self.written(example["value"])
        if "example" in content:
            yield "example", self.written(content["example"])

    def written(self, value: Any) -> str:
        """Write a value as JSON in several lines; a text stays as it is."""
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _tag(operation: Operation) -> str:
    return next(iter(operation[2].get("tags", ())), _OTHERS)
