"""Schedulers of diffusers for each of the Web UI's samplers and noise schedules.

Knows classes by name only; a scheduler object is made of a checkpoint's own schedule by
`Sampler.scheduler`. How clients spell the names is in `models.runtimes.diffusers.samplers`.
"""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from models.errors import TaskFailed
from models.runtimes.diffusers.generation_requests import TextToImage
from models.runtimes.diffusers.samplers import (
    AUTOMATIC,
    SAMPLERS,
    SCHEDULES,
    WITHOUT_NOISE,
    sampler_named,
    schedule_named,
)
from models.runtimes.diffusers.step_noise import StepNoise

_SPACED = {
    "Uniform": {"timestep_spacing": "linspace"},
    "Normal": {"timestep_spacing": "linspace"},
    "Simple": {"timestep_spacing": "leading"},
    "SGM Uniform": {"timestep_spacing": "trailing"},
}
_SIGMAS = {
    "Karras": {"use_karras_sigmas": True},
    "Exponential": {"use_exponential_sigmas": True},
    "Beta": {"use_beta_sigmas": True},
}
_LATENT = {"clip_sample": False, "thresholding": False}
"""Settings for latents: some schedulers clip to the range of pixels unless told otherwise."""
_PLAIN = dict.fromkeys(("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"), False)
_SCHEDULE_SETTINGS: Mapping[str, Mapping[str, Any]] = {**_SIGMAS, **_SPACED}


@dataclass(frozen=True)
class Sampler:
    """Sampler and noise schedule, by the Web UI's names and diffusers' settings."""

    name: str
    kind: str
    """Name of its class in diffusers."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    automatic: str = AUTOMATIC
    """Schedule that the Web UI takes for it when none is asked for."""
    schedule: str = AUTOMATIC
    noise: StepNoise = field(default_factory=StepNoise)
    """Noise that it adds in its steps."""

    def with_noise(self, noise: StepNoise) -> "Sampler":
        """Return the same sampler with noise of another strength, without any if that is 0."""
        if noise.eta == 0 and (plain := WITHOUT_NOISE.get(self.name)) is not None:
            kind, own = _BY_NAME[plain], {**self.settings}
            own.pop("algorithm_type", None)  # which says that there is noise
            return replace(self, kind=kind.kind, settings={**kind.settings, **own}, noise=noise)
        return replace(self, noise=noise)

    @property
    def is_noisy(self) -> bool:
        """Tell whether it is a multistep sampler that adds noise."""
        return self.settings.get("algorithm_type") == _SDE["algorithm_type"]

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Arguments of a scheduler's step by which its noise is as strong as it shall be."""
        noise = self.noise
        churn = {"s_churn": noise.churn, "s_tmin": noise.least, "s_noise": noise.factor}
        own: Mapping[str, Mapping[str, Any]] = {
            "DDIM": {"eta": noise.eta},
            "Euler a": {"eta": noise.eta},
            "Euler": {**churn, "s_tmax": noise.most or math.inf},
            "DPM++ SDE": {"s_noise": noise.factor},
        }
        return own.get(self.name, {})

    def with_schedule(self, name: str) -> "Sampler":
        """Return the same sampler over another noise schedule.

        Raises:
            TaskFailed: no schedule has this name; the message lists them.
        """
        found = schedule_named(name)
        if found is None:
            raise TaskFailed(f"scheduler: no {name!r}; there is: {', '.join(SCHEDULES)}")
        return replace(self, schedule=self.automatic if found == AUTOMATIC else found)

    def scheduler(self, config: Mapping[str, Any], seed: int) -> Any:
        """Make a scheduler over a checkpoint's own noise schedule, for one picture."""
        import diffusers  # noqa: PLC0415  # only the replica has it

        kind = getattr(diffusers, self.kind, None) or _own_kind(self.kind)
        accepted = set(inspect.signature(kind.__init__).parameters)
        settings = {
            **_LATENT,
            "noise_sampler_seed": seed % 2**63,
            **self.settings,
            **self._spacing(),
        }
        # A sampler without sigmas (DDIM, PLMS …) goes its own way whatever schedule is named,
        # as in the Web UI.
        return kind.from_config(
            dict(config), **{k: v for k, v in settings.items() if k in accepted}
        )

    def _spacing(self) -> Mapping[str, Any]:
        if self.schedule == AUTOMATIC:
            return {}
        # Others off: the checkpoint's own configuration may switch one on, and two are refused.
        return _PLAIN | dict(_SCHEDULE_SETTINGS[self.schedule])


_MULTISTEP = "DPMSolverMultistepScheduler"
_SDE = {"algorithm_type": "sde-dpmsolver++"}

_TABLE = (
    Sampler("DPM++ 2M", _MULTISTEP, {"algorithm_type": "dpmsolver++"}, "Karras"),
    Sampler("DPM++ SDE", "DPMSolverSDEScheduler", {}, "Karras"),
    Sampler("DPM++ 2M SDE", _MULTISTEP, _SDE, "Exponential"),
    Sampler("DPM++ 2M SDE Heun", _MULTISTEP, {**_SDE, "solver_type": "heun"}, "Exponential"),
    Sampler("DPM++ 3M SDE", _MULTISTEP, {**_SDE, "solver_order": 3}, "Exponential"),
    Sampler("Euler a", "EulerAncestral"),
    Sampler("Euler", "EulerDiscreteScheduler"),
    Sampler("LMS", "LMSDiscreteScheduler"),
    Sampler("Heun", "HeunDiscreteScheduler"),
    Sampler("DPM2", "KDPM2DiscreteScheduler", {}, "Karras"),
    Sampler("DPM2 a", "KDPM2AncestralDiscreteScheduler", {}, "Karras"),
    Sampler("DDIM", "DDIMScheduler"),
    Sampler("DDPM", "DDPMScheduler"),
    # Without it PNDM begins with Runge-Kutta steps, which PLMS has not.
    Sampler("PLMS", "PNDMScheduler", {"skip_prk_steps": True}),
    Sampler("UniPC", "UniPCMultistepScheduler"),
    Sampler("DEIS", "DEISMultistepScheduler"),
    Sampler("LCM", "LCMScheduler"),
    Sampler("TCD", "TCDScheduler"),
)
_BY_NAME: Mapping[str, Sampler] = {sampler.name: sampler for sampler in _TABLE}


def sampler_of(request: TextToImage) -> Sampler:
    """Return the sampler that a request asks for."""
    name = request.sampler_name
    return sampler(name, request.scheduler).with_noise(request.step_noise(name))


def second_sampler_of(request: TextToImage) -> Sampler:
    """Return the sampler of a request's second pass."""
    name, schedule = request.second_sampler, request.hr_scheduler or request.scheduler
    return sampler(name, schedule).with_noise(request.step_noise(name))


def _own_kind(name: str) -> Any:
    """Return a scheduler's class of our own."""
    from deployments.runtimes.diffusers import euler_ancestral  # noqa: PLC0415  # takes seconds

    return getattr(euler_ancestral, name)


def sampler(name: str, schedule: str = AUTOMATIC) -> Sampler:
    """Find a sampler; older combined names such as "DPM++ 2M Karras" are two in one.

    Raises:
        TaskFailed: no sampler or schedule has this name; the message lists them.
    """
    found = sampler_named(name)
    if found is None:
        raise TaskFailed(f"sampler_name: no {name!r}; there is: {', '.join(SAMPLERS)}")
    known, combined = found
    return _BY_NAME[known].with_schedule(combined or schedule)
