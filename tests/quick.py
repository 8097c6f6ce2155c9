"""Choice of the tests that find most mistakes within a minute: `make quick`.

A plugin of pytest, `-p tests.quick`, that leaves out what needs Ray, the CDK, torch, an emulator of
AWS, Helm or a wheel that is built, and fails a test that imports any of it all the same.
"""

import sys
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LEFT_OUT = {
    "Ray": (
        "tests/docker",
        "tests/docs/running",
        "tests/mutants",
        "tests/platform",
        "tests/scale",
        "tests/serve_app/test_app.py",
    ),
    "the CDK, kubectl or helm": (
        "tests/cdk",
        "tests/charts",
        "tests/cli/aws",
        "tests/cloud",
        "tests/manifests",
    ),
    "torch": (
        "tests/cli/test_main.py::test_the_repositorys_own_configuration_is_right",
        "tests/docs/test_configurations.py",
        "tests/models/settings/test_checks.py",
        "tests/runtimes/diffusers",
        "tests/samples",
        "tests/test_checkpoints.py",
    ),
    "seconds of a processor": (
        "tests/atelier/test_client.py",
        "tests/atelier/test_files.py",
        "tests/atelier/test_tries.py",
        "tests/attacks/test_bombs.py",
        "tests/attacks/test_crowds.py",
        "tests/attacks/test_links.py",
        "tests/bench",
        "tests/cli/test_connection.py",
        "tests/cli/test_hostile.py",
        "tests/cli/test_submit.py",
        "tests/cli/test_tasks.py",
        "tests/cli/test_watch.py",
        "tests/contracts",
        "tests/deployments/backend",
        "tests/deployments/test_attempts.py",
        "tests/deployments/test_renewal.py",
        "tests/docs/test_commands.py",
        "tests/docs/test_first_task.py",
        "tests/fuzz",
        "tests/ingest/test_aws_client.py",
        "tests/ingest/test_callbacks.py",
        "tests/ingest/test_callbacks_trouble.py",
        "tests/ingest/test_worker_trouble.py",
        "tests/models/runtimes/test_schemas.py",
        "tests/models/settings/test_secrecy.py",
        "tests/runtimes/comfyui",
        "tests/runtimes/sdwebui",
        "tests/serve_app/edge",
        "tests/serve_app/local",
        "tests/serve_app/native/test_contents.py",
        "tests/serve_app/native/test_openapi.py",
        "tests/serve_app/native/test_tenants.py",
        "tests/serve_app/pages/test_reference.py",
        "tests/serve_app/pages/test_strangers.py",
        "tests/serve_app/test_api.py::test_any_body_gets_an_answer_of_the_contract",
        "tests/serve_app/test_flood.py",
        "tests/test_extras.py",
    ),
}
"""Folders, files and tests that are not run, by what they need."""

_LEFT_OUT = frozenset(path for paths in LEFT_OUT.values() for path in paths)
HEAVY_FIXTURES = frozenset({"embedded_aws", "embedded_clients", "moto_clients"})
HEAVY_MODULES = frozenset({"diffusers", "jsii", "moto", "ray", "torch"})
"""Packages that take seconds to import: no quick test may, not even by another module."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave a folder or file out before it is read."""
    return collection_path.relative_to(ROOT).as_posix() in _LEFT_OUT or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests of the other files that are named, use a heavy fixture, or a Ray."""
    heavy = [item for item in items if _is_heavy(item)]
    config.hook.pytest_deselected(items=heavy)
    items[:] = [item for item in items if item not in heavy]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a file that imports a heavy package while it is read."""
    before = HEAVY_MODULES & sys.modules.keys()
    report = yield
    if imported := (HEAVY_MODULES & sys.modules.keys()) - before:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} {_told(imported)}"
    return report


@pytest.fixture(autouse=True)
def _stays_light() -> Iterator[None]:
    """Fail the test that imports a heavy package."""
    before = HEAVY_MODULES & sys.modules.keys()
    yield
    imported = (HEAVY_MODULES & sys.modules.keys()) - before
    assert not imported, _told(imported)


def _told(imported: Iterable[str]) -> str:
    return f"imports {', '.join(imported)}: tests/quick.py has to leave it out"


def _is_heavy(item: pytest.Item) -> bool:
    fixtures = frozenset(getattr(item, "fixturenames", ()))
    is_named = item.nodeid.partition("[")[0] in _LEFT_OUT
    return is_named or bool(fixtures & HEAVY_FIXTURES) or item.get_closest_marker("ray") is not None
