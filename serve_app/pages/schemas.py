"""JSON Schemas described in words: types of values, their bounds, and the fields of objects."""

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup, escape

from models import strict_json

Schema = Mapping[str, Any]
Field = tuple[str, Schema, bool, str]
"""Name and schema of a field of an object, or of a parameter of an operation; a flag that it is
required; and where a parameter stands: path, query or header."""

_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
}


def prose(text: str) -> Markup:
    """Mark the code between backticks in a plain text."""
    parts = text.replace("``", "`").split("`")
    marked = (code(part) if n % 2 else escape(part) for n, part in enumerate(parts))
    return Markup("").join(marked)


def code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def kind_of(schema: Schema) -> Markup:
    """Describe the type of a value, with links to the schemas that have a name."""
    return _listed(schema) or _joined(schema) or _nested(schema) or _plain(schema)


def _listed(schema: Schema) -> Markup | None:
    """Describe a schema that has a name, or lists its values."""
    match schema:
        case {"$ref": str(ref)}:
            return Markup('<a href="#schema-{0}">{0}</a>').format(ref.rpartition("/")[2])
        case {"const": value}:
            return code(strict_json.written(value))
        case {"enum": [*values]}:
            return Markup(" or ").join(code(strict_json.written(value)) for value in values)
    return None


def _joined(schema: Schema) -> Markup | None:
    words = {"anyOf": Markup(" or "), "oneOf": Markup(" or "), "allOf": Markup(" and ")}
    found = (
        word.join(dict.fromkeys(map(kind_of, schema[key])))
        for key, word in words.items()
        if key in schema
    )
    return next(found, None)


def _nested(schema: Schema) -> Markup | None:
    match schema:
        case {"type": "array", "items": dict(items)}:
            return Markup("list of {}").format(kind_of(items))
        case {"type": "object", "additionalProperties": dict(values)} if values:
            return Markup("object of {}").format(kind_of(values))
    return None


def _plain(schema: Schema) -> Markup:
    match schema:
        case {"type": str(name), "format": str(form)}:
            return escape(f"{name} ({form})")
        case {"type": str(name)}:
            return escape(name)
        case {"type": [*names]}:
            return escape(" or ".join(map(str, names)))
    return Markup("any JSON")


def limits_of(schema: Schema) -> Iterator[Markup]:
    """Describe the bounds of a value, each once."""
    for part in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        for name, words in _LIMITS.items():
            if name in part:
                yield escape(words.format(part[name]))
        if "pattern" in part:
            yield Markup("matches {}").format(code(part["pattern"]))
    items = schema.get("items")
    if isinstance(items, dict):
        yield from (Markup("each {}").format(limit) for limit in limits_of(items))


def fields_of(schema: Schema, path: str = "") -> Iterator[Field]:
    """Describe the fields of an object, and of the objects without a name that are in it."""
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}{name}", inner, name in required, ""
        yield from fields_of(inner, f"{path}{name}.")
        items = inner.get("items")
        if isinstance(items, dict):
            yield from fields_of(items, f"{path}{name}[].")


def default_of(schema: Schema) -> str | None:
    """Return the default as JSON; None for null and empty ones, which mean a field left out."""
    value = schema.get("default")
    return None if value in (None, [], {}) else strict_json.written(value)
