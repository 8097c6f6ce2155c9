"""What Serve is given to keep, without a Ray."""

import json
from typing import Any

import pytest
from ray import cloudpickle

from models.settings import Settings
from serve_app.app import assemble

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


def test_a_files_own_keys_go_to_the_front_and_ingest_and_to_no_replica() -> None:
    application: Any = assemble(Settings.read(args=GIVEN | {"apiKeys": KEYS}))
    front = application._bound_deployment  # noqa: SLF001 - nothing public tells what is in it
    settings, ingest = front.init_args
    (studio,) = ingest._bound_deployment.init_args[1].values()  # noqa: SLF001

    assert settings.api_keys[0].key.get_secret_value() == "sesame"
    assert b"sesame" not in cloudpickle.dumps(studio)
