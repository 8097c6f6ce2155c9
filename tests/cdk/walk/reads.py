"""Find what code reads a setting: by the syntax tree, and the names that hold a group of settings.

A name holds a group if a parameter, a field or a variable of the same file says so by its type, or
if it is assigned from, or runs over, what holds one. An attribute does if a field of that name is
declared so in any class. Installations' names are followed to the settings they are made of.
"""

import ast
import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set as AbstractSet
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel

from models.names.names import Names
from models.settings import Settings
from tests.cdk.walk.leaves import model_in

ROOT = Path(__file__).resolve().parents[3]
Read = tuple[str, str]
"""Name of a model, and of a field or a method of it."""
Held = Mapping[str, AbstractSet[str]]
"""Names of variables and attributes, each with the models that it may hold."""


def models(model: type[BaseModel] = Settings) -> Iterator[type[BaseModel]]:
    """Walk the groups of settings, the whole first, each with the special ones of its kind."""
    yield from (model, *model.__subclasses__())
    for info in model.model_fields.values():
        if inner := model_in(info.annotation):
            yield from models(inner)


_MODELS: Mapping[str, type] = {model.__name__: model for model in (*models(), Names)}
_EVERYWHERE: Held = {"settings": {"Settings"}}
_ON_LAPTOPS = "provision.py"
"""File that makes by API calls what the template makes: no deployment on AWS runs it."""
_FOLDERS = ("deployments", "ingest", "serve_app")


@cache
def read_in(place: str) -> AbstractSet[Read]:
    """Find the settings that are read in a file or in the files beneath a folder."""
    files = [ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py")
    read = (file for file in files if file.name != _ON_LAPTOPS)
    found = {each for file in read for each in _reads(ast.parse(file.read_text()))}
    return {each for read in found for each in _through_methods(read)}


def _through_methods(read: Read) -> Iterator[Read]:
    """Follow a model's own methods to the fields that they read."""
    yield read
    of_model = _of_methods(read[0]) if read[0] in _MODELS else {}
    for inner in of_model.get(read[1], ()):
        yield from _through_methods(inner)


@cache
def _of_methods(model: str) -> Mapping[str, AbstractSet[Read]]:
    tree = ast.parse(Path(inspect.getsourcefile(_MODELS[model]) or "").read_text())
    methods = (
        method
        for of in ast.walk(tree)
        if isinstance(of, ast.ClassDef) and of.name == model
        for method in of.body
        if isinstance(method, ast.FunctionDef)
    )
    return {each.name: _reads(each, {"self": {model}}) for each in methods}


def _reads(tree: ast.AST, known: Held | None = None) -> AbstractSet[Read]:
    """Find what is read of names, and of fields, that hold a group of settings."""
    held = _held(tree, known or {})
    loads = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {(model, node.attr) for node in loads for model in _groups(node.value, held)}


def _held(tree: ast.AST, known: Held) -> Held:
    given = {**_EVERYWHERE, **known}
    held: dict[str, set[str]] = defaultdict(set, {name: {*of} for name, of in given.items()})
    imported = _imported(tree)
    for name, type_ in _annotated(tree):
        held[name] |= {imported[each] for each in _names(type_) if each in imported}
    while True:
        before = sum(map(len, held.values()))
        for target, value in _bindings(tree):
            held[target] |= _groups(value, held)
        if sum(map(len, held.values())) == before:
            return held


def _imported(tree: ast.AST) -> Mapping[str, str]:
    """Return models by the file's words for them; those of ``cloud`` are called ``cloud.Vpc``."""
    found = {name: name for name in _MODELS if _MODELS[name].__module__ == "models.settings.cloud"}
    found |= {name.name: name.name for name in ast.walk(tree) if isinstance(name, ast.ClassDef)}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("models"):
                found |= {each.asname or each.name: each.name for each in node.names}
    return {name: model for name, model in found.items() if model in _MODELS}


def _annotated(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as type_):
                yield name, type_
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name)):
                yield name, node.annotation
            case ast.FunctionDef(name=name, returns=ast.expr() as type_):
                yield name, type_


def _names(type_: ast.expr) -> Iterator[str]:
    for node in ast.walk(type_):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case ast.Constant(value=str(text)):
                yield text


def _bindings(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                pairs = zip(names, values, strict=False)
                yield from ((name.id, of) for name, of in pairs if isinstance(name, ast.Name))
            case (
                ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=value)
                | ast.NamedExpr(target=ast.Name(id=name), value=value)
                | ast.For(target=ast.Name(id=name), iter=value)
                | ast.comprehension(target=ast.Name(id=name), iter=value)
            ):
                yield name, value


@cache
def _declared() -> Held:
    """Return fields of all classes that are declared to hold a group of settings."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (path for folder in _FOLDERS for path in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text())
        imported = _imported(tree)
        for of in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            for field in of.body:
                match field:
                    case ast.AnnAssign(target=ast.Name(id=name), annotation=type_):
                        wanted = {imported[each] for each in _names(type_) if each in imported}
                        found[name] |= wanted
    return found


def _groups(value: ast.expr, held: Held) -> AbstractSet[str]:
    """Find the groups of settings that an expression may be."""
    match value:
        case ast.Name(id=name):
            return held.get(name, set())
        case ast.Attribute(value=of, attr=name):
            inside = _fields(_groups(of, held), name)
            return inside or held.get(name, set()) or _declared().get(name, set())
        case ast.Subscript(value=of) | ast.Starred(value=of):
            inner = [of]
        case ast.Call(func=of, args=args):
            inner = [of, *args]
        case ast.BoolOp(values=values):
            inner = values
        case ast.IfExp(body=one, orelse=other):
            inner = [one, other]
        case _:
            inner = []
    return {group for each in inner for group in _groups(each, held)}


def _fields(groups: AbstractSet[str], name: str) -> AbstractSet[str]:
    types = [_type_of(_MODELS[group], name) for group in groups]
    inner = [Names if type_ is Names else model_in(type_) for type_ in types]
    return {model.__name__ for model in inner if model}


def _type_of(model: type, name: str) -> Any:
    """Return the type of a field, or of what a method returns."""
    if model is Names and name in Names.__dataclass_fields__:
        return get_type_hints(Names, localns=dict(_MODELS))[name]
    if issubclass(model, BaseModel) and name in model.model_fields:
        return model.model_fields[name].annotation
    found = inspect.getattr_static(model, name, None)
    method = found.fget if isinstance(found, property) else found
    return get_type_hints(method).get("return") if inspect.isfunction(method) else None
