import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from models.errors import SettingsError
from models.settings import Settings

REFERENCE: dict[str, Any] = {
    "stackName": "sdoneks",
    "modelBucketArn": "arn:aws:s3:::sdoneks-model-bucket-1a2b",
    "clusterComponents": {"instanceType": "m7g.large", "desiredCount": 2},
    "APIGW": {"stageName": "dev", "throttle": {"rateLimit": 30, "burstLimit": 50}},
    "modelsRuntime": [
        {
            "name": "SdRuntime",
            "namespace": "default",
            "type": "sdwebui",
            "modelFilename": "sd_xl_turbo_1.0.safetensors",
            "dynamicModel": False,
            "chartRepository": "oci://example",
            "chartVersion": "1.2.0",
            "extraValues": {"runtime": {"scaling": {"queueLength": 10}}},
        }
    ],
}


def refusal(**changed: Any) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.read(args=REFERENCE | changed)
    return str(refused.value)


def test_a_configuration_of_the_reference_is_read_as_it_is() -> None:
    settings = Settings.read(args=REFERENCE)

    (runtime,) = settings.models_runtime
    assert runtime.name == "sdruntime"
    assert runtime.extra_values["runtime"]["scaling"]["queueLength"] == 10
    assert settings.model_bucket == "sdoneks-model-bucket-1a2b"
    assert settings.gateway.throttle.burst_limit == 50


def test_the_environment_wins_over_the_file_and_args_win_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(REFERENCE))
    monkeypatch.setenv("ATELIER_STACKNAME", "fromenv")
    monkeypatch.setenv("ATELIER_TASKS__MAXATTEMPTS", "7")
    monkeypatch.setenv("ATELIER_APIGW__THROTTLE__BURSTLIMIT", "9")

    settings = Settings.read(path, {"stackName": "fromargs"})

    assert settings.stack_name == "fromargs"
    assert settings.tasks.max_attempts == 7
    assert settings.gateway.throttle.burst_limit == 9
    assert settings.gateway.throttle.rate_limit == 30


def test_an_unknown_key_is_refused_with_the_one_that_was_meant() -> None:
    assert "modelBucketArm: unknown key; did you mean 'modelBucketArn'?" in refusal(
        modelBucketArm="x"
    )


def test_an_unknown_key_inside_a_list_is_named_by_its_path() -> None:
    said = refusal(modelsRuntime=[{"name": "a", "type": "fake", "modelFileName": "x"}])

    assert said.startswith("modelsRuntime[0].modelFileName: unknown key; did you mean")
    assert "dynamicModel" in said


def test_every_mistake_is_named() -> None:
    said = refusal(stackName="9", APIGW={"throttle": {"rateLimit": "fast", "burstLimit": 0}})

    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "stackName",
        "APIGW.throttle.rateLimit",
        "APIGW.throttle.burstLimit",
    ]


def test_names_and_checkpoints_are_unique() -> None:
    one = {"name": "a", "type": "fake", "modelFilename": "m"}

    assert "modelsRuntime[].name" in refusal(modelsRuntime=[one, one | {"name": "A"}])
    assert "modelsRuntime[].modelFilename" in refusal(modelsRuntime=[one, one | {"name": "b"}])


def test_weights_must_come_from_somewhere() -> None:
    assert "modelBucketArn or checkpoints" in refusal(modelBucketArn=None)


@pytest.mark.parametrize("name", ["studio-", "studio--two", "-studio", "s" * 41])
def test_a_name_that_some_part_of_aws_would_not_take_is_refused(name: str) -> None:
    """ECR is among them: its repositories have single hyphens, between letters."""
    assert refusal(stackName=name).startswith("stackName")


def test_a_bucket_that_the_stack_makes_has_no_key_of_somebody_else() -> None:
    key = "arn:aws:kms:us-west-2:111122223333:key/1b2c"

    assert "no modelBucketKeyArn" in refusal(
        storage={"createModelBucket": True, "modelBucketKeyArn": key}
    )
    assert Settings.read(args=REFERENCE | {"storage": {"modelBucketKeyArn": key}})


def test_pictures_are_moved_before_they_are_deleted() -> None:
    assert "infrequentDays must be fewer" in refusal(
        storage={"infrequentDays": 60, "outputDays": 60}
    )


def test_a_wrong_key_value_is_never_shown() -> None:
    said = refusal(apiKeys=[{"name": "a", "key": ["sesame"]}, {"name": "b", "key": "x", "z": 1}])

    assert "sesame" not in said
    assert "sesame" not in repr(Settings.read(args=REFERENCE | _key("sesame")))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    for text, why in (("a: [", "not YAML"), ("- a", "must be a mapping")):
        path.write_text(text)
        with pytest.raises(SettingsError, match=why):
            Settings.read(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        Settings.read(tmp_path / "none.yaml")


def test_settings_travel_to_replicas() -> None:
    settings = Settings.read(args=REFERENCE | _key("sesame"))

    assert pickle.loads(pickle.dumps(settings)) == settings


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_whatever_a_key_holds_the_answer_is_settings_or_a_named_mistake(value: Any) -> None:
    for key in REFERENCE:
        with suppress(SettingsError):
            assert Settings.read(args=REFERENCE | {key: value}).models_runtime


def _key(key: str) -> dict[str, Any]:
    return {"apiKeys": [{"name": "a", "key": key}]}
