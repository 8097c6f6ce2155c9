"""Configuration that the Lambda edge is deployed with."""

from base64 import b64encode
from typing import Any

import pytest

from models.errors import SettingsError
from models.runtimes import runtime_type
from models.runtimes.contents import Contents
from models.settings import Settings
from models.settings.edge import EdgeConfig, key_names

KEY = "the key of somebody"
SECRET = "whsec_" + b64encode(b"known to nobody but tests").decode()


def settings(**more: Any) -> Settings:
    given = {
        "stackName": "studio",
        "modelBucketArn": "arn:aws:s3:::weights",
        "modelsRuntime": [{"name": "sdruntime", "type": "diffusers", "nodes": {"maxGpus": 3}}],
        "APIGW": {"throttle": {"rateLimit": 7}},
        "vpc": {"cidr": "10.9.0.0/16"},
    }
    return Settings.read(args=given | more)


def test_the_settings_arrive_as_they_were() -> None:
    configured = settings()

    assert Settings.read(args=EdgeConfig.of(configured).settings) == configured


def test_no_secret_is_in_it() -> None:
    keys = [{"name": "ana", "key": KEY, "callbackSecret": SECRET}]
    configured = settings(apiKeys=keys, callbacks={"secret": SECRET, "timeoutSeconds": 3})

    told = EdgeConfig.of(configured).model_dump_json()

    assert KEY not in told
    assert SECRET not in told
    assert Settings.read(args=EdgeConfig.of(configured).settings).callbacks.timeout_seconds == 3


@pytest.mark.parametrize("type_", ["comfyui", "sdwebui", "diffusers", "fake", "others"])
def test_contents_are_judged_there_for_each_type_as_it_is_deployed(type_: str) -> None:
    """A type may have a server in its own image, whose options the configuration leaves out."""
    told = EdgeConfig.of(settings(modelsRuntime=[{"name": "r", "type": type_}]))

    contents = Contents.of(Settings.read(args=told.settings).models_runtime, runtime_type)

    assert bool(contents.faults("r", "text-to-image", {"steps": "x"})) == (
        type_ in {"sdwebui", "diffusers"}
    )


def test_no_credential_of_a_runtimes_server_is_in_it() -> None:
    backend = {"command": ["python", "webui.py"], "environment": {"HF_TOKEN": KEY, "MODE": "fast"}}
    options = {"auth": f"ana:{KEY}", "backend": backend}
    configured = settings(modelsRuntime=[{"name": "r", "type": "sdwebui", "options": options}])

    told = EdgeConfig.of(configured).model_dump_json()

    assert KEY not in told
    assert "fast" in told


def test_it_says_whose_callbacks_are_signed() -> None:
    keys = [{"name": "ana", "key": "1", "callbackSecret": SECRET}, {"name": "bo", "key": "2"}]
    own, all_of_them = settings(apiKeys=keys), settings(callbacks={"secret": SECRET})

    assert [EdgeConfig.of(own).signs(name) for name in ("ana", "bo", "id")] == [True, False, False]
    assert EdgeConfig.of(all_of_them).signs("id")


def test_the_gateway_has_the_keys_that_are_configured_or_one() -> None:
    assert key_names(settings(apiKeys=[{"name": "ana", "key": KEY}])) == ("ana",)
    assert key_names(settings()) == ("default",)


def test_a_task_that_lambda_would_not_take_is_refused() -> None:
    large = settings(tasks={"maxPayloadBytes": 4 * 2**20 + 1})

    with pytest.raises(SettingsError, match=r"tasks\.maxPayloadBytes: at most 4194304"):
        EdgeConfig.of(large)
