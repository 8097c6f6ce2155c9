"""Imports go one way; the syntax trees of all files say so."""

import ast
from collections.abc import Iterator, Mapping, Set as AbstractSet
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = frozenset({"models", "atelier", "ingest", "deployments", "serve_app", "cdk", "cli"})

MAY_IMPORT = {
    "models": frozenset[str](),
    "atelier": frozenset({"models"}),
    "ingest": frozenset({"models"}),
    "deployments": frozenset({"models"}),
    "serve_app": frozenset({"models", "ingest", "deployments"}),
    "cdk": frozenset({"models"}),
    "cli": frozenset({"models", "atelier", "ingest"}),
}
AWS_SDK = frozenset({"aiobotocore", "boto3", "botocore", "aiohttp"})
AWS_SDK_IN = frozenset({("ingest", "aws"), ("cli", "aws")})
INGEST_IN_CLI = "cli/checkpoints/home.py"
"""Module of the command that makes a store of weights in S3; no other needs what ingest is."""
RAY_IN = frozenset(
    {
        "serve_app/app.py",
        "serve_app/handles.py",
        "serve_app/ingest_handles.py",
        "serve_app/ingest_router.py",
        "serve_app/replacement.py",
        "serve_app/local/ray_cluster.py",
        "deployments/departure_signs.py",
        "deployments/deploy.py",
        "deployments/head_store.py",
        "deployments/routing/request_router.py",
        "deployments/serving.py",
        "deployments/shared_turns.py",
        "deployments/autoscaling/start_watch.py",
        "deployments/loopback.py",
    }
)
MODELS_STAND_ON = frozenset(
    {"cronsim", "pydantic", "pydantic_core", "pydantic_settings", "typing_extensions", "yaml"}
)
"""Pydantic, and what it brings; the parser of cron expressions, of one file."""


SETTINGS_IN = (
    "serve_app/app.py",
    "serve_app/assembly/",
    "serve_app/edge/application.py",
    "serve_app/local/",
)
"""Modules of `serve_app` that read settings, to put it together; others get ports and values."""
SETTINGS = frozenset({"Settings", "KeylessSettings", "BoundSettings"})


def sources() -> list[Path]:
    found = [path for package in OURS for path in (ROOT / package).rglob("*.py")]
    assert len(found) > 30
    return sorted(found)


def imports(path: Path) -> Iterator[str]:
    """Top-level names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                yield from (alias.name.partition(".")[0] for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_layer_may(path: Path) -> None:
    place = path.relative_to(ROOT)
    layer, found = place.parts[0], set(imports(path))

    assert found & OURS <= MAY_IMPORT[layer] | {layer}
    assert not found & AWS_SDK or place.parts[:2] in AWS_SDK_IN
    assert "ray" not in found or str(place) in RAY_IN
    assert "ingest" not in found or layer != "cli" or str(place) == INGEST_IN_CLI


def test_the_models_stand_on_little() -> None:
    found = {name for path in (ROOT / "models").rglob("*.py") for name in imports(path)}
    foreign = {name for name in found - OURS if name not in _standard()}

    assert foreign <= MODELS_STAND_ON


@pytest.mark.parametrize("package", sorted(OURS))
def test_no_modules_of_a_package_import_each_other_in_a_circle(package: str) -> None:
    arrows = {name: found for name, found in _arrows().items() if _is_in(name, package)}
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as exc:
        pytest.fail(" <- ".join(exc.args[1]))


def test_a_circle_is_seen_through_the_package_that_an_import_runs_first() -> None:
    names = frozenset({"a", "a.b", "a.c", "d"})
    assert _modules_run("from a.b import name", "d", names) == {"a", "a.b"}
    assert _modules_run("from a import b, name", "a.c", names) == {"a", "a.b"}
    assert _modules_run("from a import b", "a.c", names) == {"a.b"}
    assert _modules_run("def function():\n    import a.c", "a.b", names) == {"a.c"}
    assert not _modules_run("if TYPE_CHECKING:\n    import a.c", "a.b", names)


@cache
def _arrows() -> Mapping[str, AbstractSet[str]]:
    """Map each module of ours to those that importing it runs, now or in one of its functions."""
    paths = {_module_name(path): path for path in sources()}
    names = frozenset(paths)
    return {name: _modules_run(path.read_text(), name, names) for name, path in paths.items()}


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _modules_run(source: str, name: str, names: AbstractSet[str]) -> AbstractSet[str]:
    """Find the modules that a module's imports run, imports for type checkers left out.

    Python runs the ``__init__`` of every package around an imported module; those around the
    importing module, too, run already.
    """
    found = set[str]()
    for imported in _imported(ast.parse(source), names):
        parts = imported.split(".")
        around = (".".join(parts[:length]) for length in range(1, len(parts)))
        found |= {imported, *(package for package in around if not _is_in(name, package))}
    return found & names - {name}


def _imported(tree: ast.AST, names: AbstractSet[str]) -> Iterator[str]:
    match tree:
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            return
        case ast.Import():
            yield from (alias.name for alias in tree.names)
        case ast.ImportFrom(module=str(module), level=0):
            for alias in tree.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner in names else module
    for child in ast.iter_child_nodes(tree):
        yield from _imported(child, names)


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_the_front_is_handed_values_and_only_its_assembly_imports_settings() -> None:
    assert _settings_imported_below(ROOT) == []


@pytest.mark.parametrize(
    "cheat",
    [
        "from models.settings import Settings as S",
        "from models.settings.settings import Settings\n\nConf = Settings",
        "from serve_app.assembly.front import Settings\n\ndef made(*given: Settings): ...",
        "from models.settings import Settings\n\nT = TypeVar('T', bound=Settings)",
        "class Made:\n    def __init__(self):\n        from models.settings import Settings",
        "if True:\n    from models.settings import Settings\n    def made(given: Settings): ...",
        "try:\n    from models.settings import Settings\nexcept ImportError:\n    pass",
        "from models.settings import Runtime, Settings\n\nclass Narrower(Settings): ...",
        "from models.settings import Settings\n\nSTATE: Settings",
        "if TYPE_CHECKING:\n    from models.settings import Settings",
        "from models.settings.secrets import BoundSettings",
        "from models.settings.secrets import KeylessSettings as Runtime",
        "from models.settings.settings import *",
        "import models",
        "import models.strict_json",
        "import models.settings",
        "import models.settings as s",
        "import models.settings.settings as s",
        "import models.settings.secrets as s",
        "from models import settings",
        "from models import settings as s",
        "from models.settings import settings",
        "from models.settings import secrets",
        "import serve_app.edge",
        "from serve_app.assembly import front",
    ],
)
def test_settings_are_found_however_a_file_imports_them(cheat: str, tmp_path: Path) -> None:
    (tmp_path / "serve_app").mkdir()
    (tmp_path / "serve_app" / "cheat.py").write_text(cheat)
    lines = cheat.splitlines()
    [line] = [number for number, text in enumerate(lines, 1) if "import " in text]

    [found] = _settings_imported_below(tmp_path)

    assert found.startswith(f"serve_app/cheat.py:{line}: imports ")


def test_groups_of_settings_may_be_imported_and_the_assembly_may_import_all(tmp_path: Path) -> None:
    (tmp_path / "serve_app" / "local").mkdir(parents=True)
    (tmp_path / "serve_app" / "local" / "up.py").write_text("from models.settings import Settings")
    (tmp_path / "serve_app" / "good.py").write_text(
        """
import json
import models.settings.limits as bounds
from models import strict_json
from models.settings import Runtime, groups
from models.settings.groups import Throttle
from models.settings.limits import Bodies as Limits
"""
    )

    assert _settings_imported_below(tmp_path) == []


def test_no_runtime_is_heavy_to_ask_what_it_can_do() -> None:
    """The front imports every adapter to know its kinds, in a process without torch."""
    for path in (ROOT / "deployments" / "runtimes").rglob("__init__.py"):
        assert not set(imports(path)) & {"torch", "diffusers", "transformers", "numpy"}


def _standard() -> frozenset[str]:
    import sys  # noqa: PLC0415

    return frozenset(sys.stdlib_module_names)


def _settings_imported_below(root: Path) -> list[str]:
    """Name each file and line of the front that imports settings and is not to."""
    places = {path: str(path.relative_to(root)) for path in (root / "serve_app").rglob("*.py")}
    return [
        f"{place}:{line}: imports {name}"
        for path, place in sorted(places.items())
        if not place.startswith(SETTINGS_IN)
        for line, name in _settings_imports(ast.parse(path.read_text()))
    ]


def _settings_imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find the imports, at any depth, of settings or of a module that they are reached through."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    bound = alias.name if alias.asname else alias.name.partition(".")[0]
                    if bound in _ways_to_settings():
                        yield node.lineno, alias.name
            case ast.ImportFrom(module=str(module), level=0):
                for alias in node.names:
                    name = f"{module}.{alias.name}"
                    is_all = alias.name == "*" and module in _ways_to_settings()
                    if alias.name in SETTINGS or name in _ways_to_settings() or is_all:
                        yield node.lineno, name


@cache
def _ways_to_settings() -> AbstractSet[str]:
    """Return the modules of ours that name settings, and the packages around them."""
    found = {_module_name(path) for path in sources() if _names_settings(path.read_text())}
    return found | {
        ".".join(name.split(".")[:length])
        for name in found
        for length in range(1, name.count(".") + 1)
    }


def _names_settings(source: str) -> bool:
    return any(
        isinstance(node, ast.Name | ast.alias | ast.ClassDef)
        and (node.id if isinstance(node, ast.Name) else node.name) in SETTINGS
        for node in ast.walk(ast.parse(source))
    )
