"""Marks of a checkpoint's training are honoured by every sampler."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from deployments.runtimes.diffusers.encode import Condition
from deployments.runtimes.diffusers.families.loading import load
from deployments.runtimes.diffusers.noise import Seeds
from deployments.runtimes.diffusers.noise_levels import NoiseLevels
from deployments.runtimes.diffusers.noise_schedule import noise_schedule
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.samplers import sampler
from deployments.runtimes.diffusers.sampling import Guidance, Sampling, Timed
from models.runtimes.diffusers.samplers import SAMPLERS
from tests.runtimes.diffusers.ldm import single_file

FOLDERS_OWN = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "rescale_betas_zero_snr": True,
}


@pytest.fixture(scope="module", params=["tiny", "tiny-xl"])
def marked(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Any]:
    """Read the schedule of a single file with the marks of v-prediction and zero terminal SNR."""
    made, source = tmp_path_factory.mktemp("marked"), folder / "Stable-diffusion" / request.param
    family = {"tiny": "sd15", "tiny-xl": "sdxl"}[request.param]
    single_file(source, made / "plain.safetensors")
    tensors = load_file(made / "plain.safetensors")
    save_file(
        tensors | {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}, made / "one.safetensors"
    )
    shutil.copytree(source, made / family, ignore=shutil.ignore_patterns("*.safetensors"))
    parts = load(made / "one.safetensors", torch.float32, made)
    return Pipeline("one", parts, torch.device("cpu")).schedule


def test_a_plain_file_keeps_its_familys_schedule(folder: Path, tmp_path: Path) -> None:
    source = folder / "Stable-diffusion" / "tiny"
    single_file(source, tmp_path / "one.safetensors")
    shutil.copytree(source, tmp_path / "sd15", ignore=shutil.ignore_patterns("*.safetensors"))
    parts = load(tmp_path / "one.safetensors", torch.float32, tmp_path)
    schedule = Pipeline("one", parts, torch.device("cpu")).schedule

    assert schedule["prediction_type"] == "epsilon"
    assert schedule["trained_betas"] is None


def shares(config: Mapping[str, Any]) -> torch.Tensor:
    """Return a picture's share in each timestep."""
    return 1 / (NoiseLevels.of(config).sigmas.double() ** 2 + 1)


def test_the_last_timestep_is_noise_alone_and_the_first_as_before() -> None:
    marked = shares(noise_schedule(FOLDERS_OWN))
    plain = shares(FOLDERS_OWN | {"rescale_betas_zero_snr": False})

    assert marked[-1] < 1e-7
    assert abs(marked[0] - plain[0]) < 1e-6
    # The paper's rule, at a timestep between them.
    root = plain.sqrt()
    wanted = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    assert torch.allclose(marked[:-1], wanted[:-1], atol=1e-5)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_paints_what_a_network_of_v_prediction_knows(
    marked: Mapping[str, Any], name: str
) -> None:
    """An ideal network, which knows the picture, answers with its velocity at each step."""
    shape = (4, 4, 4)
    picture = torch.linspace(-1, 1, 64).reshape(1, *shape)
    none = Timed.always(Condition(torch.zeros(1, 1, 1)))
    sampling = Sampling(
        guidance=Guidance((none,), none, 1.0),
        sampler=sampler(name),
        schedule=marked,
        steps=20,
        seeds=Seeds(5),
        shape=shape,
        device=torch.device("cpu"),
    )
    levels, first = NoiseLevels.of(marked), float(sampling.timestep)
    while not sampling.finished:
        state, share = sampling.model_input(), 1 / (levels.at(sampling.timestep) ** 2 + 1)
        noise = (state - share.sqrt() * picture) / (1 - share).sqrt()
        sampling.step(share.sqrt() * noise - (1 - share).sqrt() * picture)

    assert shares(marked)[-1] < 1e-7
    assert first >= 950
    # DDIM and PLMS end at timestep 1, as in the Web UI.
    assert (sampling.latents - picture).abs().max() < 0.2
