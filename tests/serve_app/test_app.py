"""Application as Serve is given it, without a Ray."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray import cloudpickle
from ray.serve._private.deploy_utils import get_app_code_version
from ray.serve.schema import ServeApplicationSchema

from deployments.serving import ServedReplica
from ingest.memory import MemoryKeys
from models.machine import Machine
from models.settings import Settings
from serve_app.app import Args, Ingest, Ingress, _keys, assemble, build

SIGNING = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
KEYS = [{"name": "us", "key": "sesame", "callbackSecret": SIGNING}]
GIVEN: dict[str, Any] = {
    "stackName": "atelier",
    "checkpoints": ".",
    "modelsRuntime": [{"name": "studio", "type": "fake"}],
}


def test_no_secret_of_the_environment_is_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_APIKEYS", json.dumps(KEYS))
    monkeypatch.setenv("ATELIER_CALLBACKS__SECRET", SIGNING)
    kept = cloudpickle.dumps(assemble(Settings.read(args=GIVEN)))

    assert b"atelier" in kept
    assert b"sesame" not in kept
    assert SIGNING.encode() not in kept


def test_every_way_of_running_has_the_same_environment_of_its_deployments() -> None:
    front: Any = assemble(Settings.read(args=GIVEN))._bound_deployment  # noqa: SLF001
    ingest = front.init_args[1]._bound_deployment  # noqa: SLF001
    (studio,) = (one._bound_deployment for one in ingest.init_args[1].values())  # noqa: SLF001

    for deployed in (front, ingest, studio):
        environment = deployed.ray_actor_options["runtime_env"]["env_vars"]
        assert environment["RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD"] == "0"
        assert environment["RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP"] == "0"


@pytest.mark.parametrize("deployed", [Ingress, Ingest, ServedReplica])
def test_nothing_that_serve_calls_is_run_in_a_thread(deployed: type) -> None:
    """Ray may run plain methods in threads, without an event loop, and streams nothing there."""
    called = [
        method
        for name, method in inspect.getmembers(deployed, inspect.isfunction)
        if not name.startswith("_") or name == "__del__"
    ]

    assert called
    for method in called:
        assert inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method), method


def test_a_front_without_an_api_key_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    _keys(Settings.read(args=GIVEN | {"apiKeys": KEYS}), MemoryKeys())
    assert not caplog.messages

    _keys(Settings.read(args=GIVEN), MemoryKeys())
    [warning] = caplog.messages
    assert "every request is answered 401" in warning
    assert """ATELIER_APIKEYS='[{"name": "me", "key": "..."}]'""" in warning


def test_a_files_own_keys_go_to_the_front_and_ingest_and_to_no_replica() -> None:
    application: Any = assemble(Settings.read(args=GIVEN | {"apiKeys": KEYS}))
    front = application._bound_deployment  # noqa: SLF001 - nothing public tells what is in it
    settings, ingest = front.init_args
    (studio,) = ingest._bound_deployment.init_args[1].values()  # noqa: SLF001

    assert settings.api_keys[0].key.get_secret_value() == "sesame"
    assert b"sesame" not in cloudpickle.dumps(studio)


def test_a_start_logs_what_is_set_in_vain(caplog: pytest.LogCaptureFixture) -> None:
    runtimes = [{**GIVEN["modelsRuntime"][0], "chartVersion": "1.2.0"}]
    build(Args.model_validate(GIVEN | {"modelsRuntime": runtimes}))

    [warning] = caplog.messages
    assert warning.startswith("modelsRuntime[studio].chartVersion: no effect here: ")


@pytest.mark.parametrize("revision", [2, "of Tuesday", 0.5])
def test_a_new_revision_in_serves_file_is_a_new_version_that_sets_nothing(revision: Any) -> None:
    file = yaml.safe_load((Path(__file__).parents[2] / "serve.yaml").read_text())
    [given] = file["applications"]
    again = given | {"args": given["args"] | {"revision": revision}}
    versions = {_version(given), _version(again), _version(given)}
    front: Any = build(Args.model_validate(GIVEN | {"revision": revision}))._bound_deployment  # noqa: SLF001

    assert len(versions) == 2
    assert front.init_args[0].stack_name == "atelier"


def _version(application: dict[str, Any]) -> str:
    return str(get_app_code_version(ServeApplicationSchema.model_validate(application)))


def test_a_ray_says_itself_how_many_gpus_it_was_given() -> None:
    given = Machine.of_ray({"CPU": 2.0, "GPU": 3.0, "node:10.0.0.1": 1.0, "art": 1.0})

    assert (given.gpus, given.cores, given.lacks_resource("art")) == (3, 2, False)
    assert Machine.of_ray({"CPU": 2.0}).gpus == 0
