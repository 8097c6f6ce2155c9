"""Refusal of a configuration that cannot work, before anything starts and in full."""

import sys
from pathlib import Path
from typing import Any

import pytest

from models.errors import SettingsError
from models.machine import Machine, gpus_here
from models.settings import Settings
from models.settings.checks import CheckResult, check
from tests.docs.configurations import NO_WEIGHTS

HERE = Machine(gpus=0, cores=2, resources=frozenset({"pool"}))
ROOT = Path(__file__).resolve().parents[3]
URL = {"url": "http://127.0.0.1:7860"}


def settings(*runtimes: dict[str, Any], **more: Any) -> Settings:
    named = [{"name": f"r{n}", "gpus": 0, **each} for n, each in enumerate(runtimes)]
    given = {"stackName": "a", "checkpoints": str(ROOT / "samples/models"), "modelsRuntime": named}
    return Settings.read(args=given | more)


def served(type_: str = "sdwebui", **options: Any) -> dict[str, Any]:
    backend = {"command": [sys.executable, "-m", "launch"]}
    return {"type": type_, "options": {"backend": backend, **options}}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    (folder / "dreamshaper_8.safetensors").write_bytes(NO_WEIGHTS)
    (folder / "old.ckpt").touch()
    return folder.parent


@pytest.mark.parametrize(
    ("runtime", "wrong"),
    [
        ({"type": "difusers"}, "modelsRuntime[r0].type: unknown type; did you mean"),
        ({"type": "qqq"}, "modelsRuntime[r0].type: unknown type; there is: comfyui, diff"),
        (
            {"type": "diffusers", "options": {"kep": 3}},
            "r0].options.kep: unknown key; did you mean",
        ),
        (
            {"type": "diffusers", "options": {"keep": 0}},
            "r0].options.keep: Input should be greater",
        ),
        (served(progressEvry=1), "r0].options.progressEvry: unknown key; did you mean"),
        (served(warmUp={"stpes": 1}), "r0].options.warmUp.stpes: unknown field; did you mean"),
        (
            served("comfyui", warmUp={"nodes": []}),
            "r0].options.warmUp: this is the format of Comfy",
        ),
        ({"type": "fake", "options": {"gpuMs": -1}}, "r0].options.gpuMs: Input should be greater"),
    ],
)
def test_what_any_machine_can_know_is_refused_wherever_it_runs(
    runtime: dict[str, Any], wrong: str
) -> None:
    for machine in (None, HERE):
        [found] = check(settings(runtime), machine).wrong
        assert wrong in found


@pytest.mark.parametrize(
    ("runtime", "wrong"),
    [
        (
            {"type": "diffusers", "modelFilename": "shapez"},
            "r0].modelFilename: no such checkpoint; did you mean 'shapes'? there is: ",
        ),
        (
            {"type": "fake", "modelFilename": "a", "options": {"checkpoints": ["b", "c"]}},
            "r0].modelFilename: no such checkpoint; options.checkpoints has: b, c",
        ),
        # In a cluster the image of its type has one.
        ({"type": "sdwebui"}, "r0].options.backend: Field required"),
        ({"type": "comfyui"}, "r0].options.backend: Field required"),
        ({"type": "fake", "gpus": 0.5}, "gpus: 0.5 GPUs are wanted and 0 are here"),
        (
            {"type": "sdwebui", "options": {"backend": {"command": ["no-such-program"]}}},
            "r0].options.backend.command: there is no program",
        ),
        (
            {"type": "sdwebui", "options": {"backend": {"command": ["x"], "folder": "/nowhere"}}},
            "r0].options.backend.folder: there is no such folder",
        ),
        (
            {**served(backend={"command": [sys.executable], "port": 7860}), "replicas": 2},
            "r0].options.backend.port: 2 replicas cannot share one",
        ),
        (
            {
                "type": "comfyui",
                "options": {"backend": {"command": [sys.executable, "-u", "no-main.py"]}},
            },
            "r0].options.backend.command: the script no-main.py is not in /",
        ),
        ({"type": "fake", "cpus": 64}, "modelsRuntime[r0].cpus: 64 are wanted and 2 are here"),
        (
            {"type": "fake", "replicas": 1000},
            "r0].replicas: 1000 are too many for 2 cores, 16 at most here",
        ),
        (
            {"type": "fake", "gpus": 0, "scaling": {"maxReplicas": 1000}},
            "r0].scaling.maxReplicas: 1000 are too many for 2 cores",
        ),
        (
            {"type": "fake", "cpus": 2, "replicas": 9},
            "modelsRuntime[r0].replicas: 9 are too many for 2 cores, 8 at most here",
        ),
        (
            {"type": "fake", "resources": {"spaceship": 1}},
            "modelsRuntime[r0].resources.spaceship: no node of the Ray here has it",
        ),
        (
            served("comfyui", modelPaths={"loras": ["/nowhere"]}),
            "r0].options.modelPaths.loras: there is no such folder",
        ),
    ],
)
def test_what_this_machine_lacks_is_refused_where_all_runs_here(
    runtime: dict[str, Any], wrong: str
) -> None:
    [found] = check(settings(runtime), HERE).wrong

    assert wrong in found
    assert not check(settings(runtime), None).wrong


def test_a_folder_that_there_is_not_is_told_with_the_one_that_was_meant(weights: Path) -> None:
    runtime = {"type": "diffusers", "modelFilename": "dreamshaper_8"}
    [missing] = check(settings(runtime, checkpoints=str(weights.parent / "modelz")), HERE).wrong
    [file] = check(settings(runtime, checkpoints=__file__), HERE).wrong

    assert missing.startswith(f"checkpoints: no such folder: {weights.parent}/modelz")
    assert missing.endswith(f"did you mean {weights}?")
    assert file == "checkpoints: this is a file"
    assert not check(settings(runtime, checkpoints=str(weights)), HERE).wrong


def test_a_folder_like_no_other_is_told_with_what_belongs_in_it(tmp_path: Path) -> None:
    [missing] = check(settings({"type": "fake"}, checkpoints=str(tmp_path / "x")), HERE).wrong

    assert missing.endswith("/x; make it, with Stable-diffusion/ in it")


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"junk that somebody downloaded",
        b"<!DOCTYPE html><html>",
        b"version https://git-lfs.github.com/spec/v1\n",
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"{",
        NO_WEIGHTS + b"more than its header says",
        (45).to_bytes(8, "little") + b'{"a":{"dtype":"U8","data_offsets":[0, 1000]}}',
    ],
)
def test_a_checkpoint_that_is_none_inside_is_told_with_its_file(
    weights: Path, broken: bytes
) -> None:
    file = weights / "Stable-diffusion" / "dreamshaper_8.safetensors"
    file.write_bytes(broken)
    runtime = {"type": "diffusers", "modelFilename": "dreamshaper_8"}
    configured = settings(runtime, checkpoints=str(weights))
    [found] = check(configured, HERE).wrong

    assert f"[r0].modelFilename: {file} is broken" in found
    assert not check(configured, None).wrong


def test_resources_that_a_ray_has_may_be_asked_for() -> None:
    asked = {"type": "fake", "resources": {"pool": 1, "node:10.0.0.1": 0.1}}

    assert not check(settings(asked), HERE).wrong
    assert not check(settings({"type": "fake", "replicas": 1000, "cpus": 64}), Machine()).wrong
    [found] = check(settings(asked, ingress={"resources": {"pod": 1}}), HERE).wrong
    assert found.startswith("ingress.resources.pod: ")


def test_the_file_of_events_needs_its_folder(tmp_path: Path) -> None:
    right = settings({"type": "fake"}, logFile=str(tmp_path / "events.log"))
    missing = settings({"type": "fake"}, logFile=str(tmp_path / "no" / "events.log"))
    folder = settings({"type": "fake"}, logFile=str(tmp_path))

    assert not check(right, HERE).wrong
    assert check(missing, HERE).wrong == (f"logFile: there is no such folder: {tmp_path}/no",)
    assert check(folder, HERE).wrong == (f"logFile: {tmp_path} is a folder; a file is needed",)


def test_a_pickled_checkpoint_is_refused_unless_it_is_allowed(weights: Path) -> None:
    runtime = {"type": "diffusers", "modelFilename": "old"}
    allowed = {**runtime, "options": {"allowPickle": True}}
    [found] = check(settings(runtime, checkpoints=str(weights)), HERE).wrong

    assert "allowPickle" in found
    assert not check(settings(allowed, checkpoints=str(weights)), HERE).wrong


def test_without_any_checkpoint_there_is_nothing_to_paint_with(tmp_path: Path) -> None:
    [found] = check(settings({"type": "diffusers"}, checkpoints=str(tmp_path)), HERE).wrong
    bucket = {"checkpoints": None, "modelBucketArn": "arn:aws:s3:::models"}
    [nowhere] = check(settings({"type": "diffusers"}, **bucket), HERE).wrong

    assert "modelFilename: there is no checkpoint in" in found
    assert nowhere.startswith("checkpoints: a folder of weights is needed for r0")
    assert not check(settings({"type": "diffusers"}, **bucket), None).wrong


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = settings({"type": "fak"}, {"type": "diffusers", "options": {"kep": 1}}, checkpoints="?")

    with pytest.raises(SettingsError) as refused:
        check(wrong, HERE).refuse()

    assert len(str(refused.value).splitlines()) == 3


def test_what_cannot_be_known_is_said_and_not_refused() -> None:
    webui = {"type": "sdwebui", "modelFilename": "x", "options": {"backend": URL}}
    own = {"type": "of_mine", "pod": {"image": "mine:1"}}
    checked = check(settings(webui, own), None)

    assert checked.unchecked == (
        "modelsRuntime[r0].modelFilename: its server knows the checkpoints, once it has started",
        "modelsRuntime[r1].options: the adapter of its type judges them",
    )
    checked.refuse()
    assert check(settings(own), HERE).wrong


def test_how_many_gpus_there_are_is_not_guessed() -> None:
    wants = settings({"type": "fake", "gpus": 2, "replicas": 2})

    assert not check(wants, Machine(gpus=None)).wrong
    assert not check(wants, Machine(gpus=4)).wrong
    assert check(wants, Machine(gpus=3)).wrong


def test_runtimes_whose_replicas_come_and_go_take_turns_at_the_gpus() -> None:
    one = {"type": "fake", "gpus": 1, "scaling": {"minReplicas": 0, "maxReplicas": 20}}

    assert not check(settings(one, one), Machine(gpus=1, cores=2)).wrong
    assert check(settings(one, one), Machine(gpus=0, cores=2)).wrong
    assert check(settings(one, one | {"replicas": 2, "scaling": {}}), Machine(gpus=1)).wrong


def test_nothing_wrong_is_nothing_refused() -> None:
    assert check(settings({"type": "diffusers", "modelFilename": "shapes"}), HERE) == CheckResult()


@pytest.mark.parametrize(
    ("visible", "count"),
    [(None, 3), ("", 0), ("-1", 0), ("0", 1), ("1,2", 2), ("0,1,2,3", 3), ("GPU-5f,", 1)],
)
def test_gpus_are_those_that_the_driver_lists_and_the_environment_shows(
    tmp_path: Path, visible: str | None, count: int
) -> None:
    for number in range(3):
        (tmp_path / f"proc/driver/nvidia/gpus/0000:0{number}:00.0").mkdir(parents=True)
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}

    assert gpus_here(environment, tmp_path) == count


def test_without_a_driver_there_are_none_unless_another_maker_may_have_some(tmp_path: Path) -> None:
    none = gpus_here({}, tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "kfd").touch()

    assert (none, gpus_here({}, tmp_path)) == (0, None)
    assert Machine.this().gpus == gpus_here()


def test_a_file_of_keys_that_is_none_is_refused_before_the_start(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    named = settings({"name": "a", "type": "fake", "gpus": 0}, apiKeysFile=str(path))
    assert not check(named, HERE).wrong

    path.write_text("keys: [{name: ana, secrets: [{key: s3cr3t-1}]}]")
    (wrong,) = check(named, HERE).wrong

    assert wrong.startswith(f"apiKeysFile: {path}: keys[0]")
    assert "s3cr3t-1" not in wrong
