"""Imports go one way; the syntax trees of all files say so."""

import ast
from collections.abc import Iterator
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
    "cli": frozenset({"models", "atelier"}),
}
AWS_SDK = frozenset({"aiobotocore", "boto3", "botocore", "aiohttp"})
AWS_SDK_IN = frozenset({("ingest", "aws"), ("cli", "aws")})
RAY_IN = frozenset(
    {"serve_app/app.py", "serve_app/handles.py", "serve_app/local_ray.py", "deployments/deploy.py"}
)
MODELS_STAND_ON = frozenset(
    {"pydantic", "pydantic_core", "pydantic_settings", "typing_extensions", "yaml"}
)
"""Pydantic, and what it brings."""


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


def test_the_models_stand_on_little() -> None:
    found = {name for path in (ROOT / "models").rglob("*.py") for name in imports(path)}
    foreign = {name for name in found - OURS if name not in _standard()}

    assert foreign <= MODELS_STAND_ON


def test_no_runtime_is_heavy_to_ask_what_it_can_do() -> None:
    """The front imports every adapter to know its kinds, in a process without torch."""
    for path in (ROOT / "deployments" / "runtimes").rglob("__init__.py"):
        assert not set(imports(path)) & {"torch", "diffusers", "transformers", "numpy"}


def _standard() -> frozenset[str]:
    import sys  # noqa: PLC0415

    return frozenset(sys.stdlib_module_names)
