"""API server's checks of a custom resource, by the definition that its operator installs.

The definitions are their authors': they stand in the folder that `CRD_DIR` names, and not here.
Order matters: fields nobody knows (the server would drop them without a word), defaults, the
schema, lists that are sets or maps, and the rules in CEL.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import celpy
import pytest
import yaml
from celpy import celtypes
from celpy.adapter import json_to_cel
from jsonschema import Draft202012Validator, FormatChecker

Schema = Mapping[str, Any]

FOLDER = Path(os.environ.get("CRD_DIR", Path(__file__).parents[2].parent / "shared" / "crds"))
_KEPT_AS_IT_IS = frozenset({"enum", "required", "pattern", "format", "type"})
_NOT_OF_JSON_SCHEMA = frozenset({"description", "default", "nullable", "example"})
_OF_EVERY_OBJECT = frozenset({"apiVersion", "kind", "metadata"})
_FORMATS = FormatChecker(formats=())
_FORMATS.checks("int32")(lambda value: not _whole(value) or -(2**31) <= value < 2**31)
_FORMATS.checks("int64")(lambda value: not _whole(value) or -(2**63) <= value < 2**63)


@dataclass(frozen=True)
class Definition:
    """Definition of a kind in one version."""

    schema: Schema

    def mistakes(self, manifest: Mapping[str, Any]) -> list[str]:
        unknown = list(_unknown(self.schema, manifest, ""))
        if unknown:
            return unknown
        whole = _with_defaults(self.schema, deepcopy(dict(manifest)))
        wrong = [_said(error) for error in self._validator.iter_errors(whole)]
        return wrong or [*_repeated(self.schema, whole, ""), *_broken_rules(self.schema, whole, "")]

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator(_json_schema(self.schema), format_checker=_FORMATS)


needed = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"CRD_DIR must name the folder of definitions: {FOLDER} is none"
)
"""Mark of tests that need the definitions."""


def mistakes(manifest: Mapping[str, Any]) -> list[str]:
    """Find what an API server would refuse, with its path; all unknown fields, or the rest."""
    return _definition(manifest["apiVersion"], manifest["kind"]).mistakes(manifest)


def schema(api_version: str, kind: str) -> Schema:
    """Return the schema of a kind."""
    return _definition(api_version, kind).schema


def is_custom(manifest: Mapping[str, Any]) -> bool:
    """Tell whether an operator brought a kind: Kubernetes's own groups end in ``k8s.io``."""
    group, _, _ = manifest["apiVersion"].rpartition("/")
    return "." in group and not group.endswith(".k8s.io")


@cache
def _definition(api_version: str, kind: str) -> Definition:
    """Read a definition from its file, or all of its group's: others are slow to read."""
    group, _, version = api_version.partition("/")
    (path,) = (*FOLDER.glob(f"{group}_{kind.lower()}*.yaml"), *FOLDER.glob(f"{group}_crds*.yaml"))
    crds = (crd["spec"] for crd in yaml.load_all(path.read_text(), yaml.CSafeLoader) if crd)
    (crd,) = (spec for spec in crds if spec["names"]["kind"] == kind)
    (found,) = (one for one in crd["versions"] if one["name"] == version)
    return Definition(found["schema"]["openAPIV3Schema"])


def _unknown(schema: Schema, value: Any, path: str) -> Iterator[str]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    for inner, part, at in _children(schema, value, path):
        yield from _unknown(inner, part, at)
    if isinstance(value, dict) and "properties" in schema:
        known = set(schema["properties"]) | (set() if path else _OF_EVERY_OBJECT)
        yield from (f"{path}.{key}: unknown field" for key in value if key not in known)


def _with_defaults(schema: Schema, value: Any) -> Any:
    if isinstance(value, dict):
        for key, inner in schema.get("properties", {}).items():
            if key not in value and "default" in inner:
                value[key] = deepcopy(inner["default"])
    for inner, part, _ in _children(schema, value, ""):
        _with_defaults(inner, part)
    return value


def _children(schema: Schema, value: Any, path: str) -> Iterator[tuple[Schema, Any, str]]:
    """Yield the parts of a value, each with its schema and path."""
    match value:
        case dict():
            rest = schema.get("additionalProperties")
            for key, part in value.items():
                inner = schema.get("properties", {}).get(key, rest)
                if isinstance(inner, dict):
                    yield inner, part, f"{path}.{key}"
        case list() if "items" in schema:
            for number, part in enumerate(value):
                yield schema["items"], part, f"{path}[{number}]"


def _json_schema(given: Any) -> Any:
    """Return a structural schema as JSON Schema."""
    if isinstance(given, list):
        return [_json_schema(one) for one in given]
    if not isinstance(given, dict):
        return given
    made = {key: _translated(key, value) for key, value in given.items() if _is_of_json(key)}
    if given.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if given.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


def _is_of_json(key: str) -> bool:
    return key not in _NOT_OF_JSON_SCHEMA and not key.startswith("x-kubernetes-")


def _translated(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: _json_schema(part) for name, part in value.items()}
    return value if key in _KEPT_AS_IT_IS else _json_schema(value)


def _said(error: Any) -> str:
    return f"{error.json_path.removeprefix('$')}: {error.message}"


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _repeated(schema: Schema, value: Any, path: str) -> Iterator[str]:
    for inner, part, at in _children(schema, value, path):
        yield from _repeated(inner, part, at)
    if not isinstance(value, list):
        return
    match schema.get("x-kubernetes-list-type"):
        case "set":
            keys = [json.dumps(one, sort_keys=True) for one in value]
        case "map":
            names = schema["x-kubernetes-list-map-keys"]
            keys = [json.dumps([one.get(name) for name in names]) for one in value]
        case _:
            return
    yield from (f"{path}: {key} twice" for key in sorted({k for k in keys if keys.count(k) > 1}))


def _broken_rules(schema: Schema, value: Any, path: str) -> Iterator[str]:
    for inner, part, at in _children(schema, value, path):
        yield from _broken_rules(inner, part, at)
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"]:  # of changes; all that we have is new
            continue
        if not _holds(rule["rule"], value):
            yield f"{path}: {rule.get('message', rule['rule'])}"


def _holds(rule: str, value: Any) -> bool:
    return bool(_program(rule).evaluate({"self": json_to_cel(value)}))


@cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    functions: dict[str, Callable[..., Any]] = {"find": _find, "split": _split}
    return environment.program(environment.compile(rule), functions=functions)


def _find(text: str, pattern: str) -> celtypes.StringType:
    """Provide `find`, Kubernetes's own addition to CEL."""
    found = re.search(str(pattern), str(text))
    return celtypes.StringType(found.group() if found else "")


def _split(text: str, separator: str) -> celtypes.ListType:
    """Provide `split`, Kubernetes's own addition to CEL."""
    parts: Sequence[str] = str(text).split(str(separator))
    return celtypes.ListType(celtypes.StringType(part) for part in parts)
