"""Samplers by the Web UI's names: a solver, and the sigmas that it goes over.

How clients spell the names is in `models.runtimes.diffusers.samplers`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import pairwise

from deployments.runtimes.diffusers import noise_levels, solvers, uni_pc
from deployments.runtimes.diffusers.course import Course, Latents, Walk
from deployments.runtimes.diffusers.noise_levels import NoiseLevels
from models.errors import TaskFailed
from models.runtimes.diffusers.generation_requests import TextToImage
from models.runtimes.diffusers.samplers import (
    AUTOMATIC,
    SAMPLERS,
    SCHEDULES,
    SECOND_ORDER,
    sampler_named,
    schedule_named,
)
from models.runtimes.diffusers.step_noise import StepNoise

_MOST_STRENGTH = 0.999  # as in the Web UI, which takes one step more than this share
_MOST_TIMESTEPS = 999  # a schedule that was trained in 1000 has no more


class Ladder(Enum):
    """Ways to the sigmas that a sampler goes over."""

    SCHEDULE = auto()
    """Sigmas of a noise schedule, down to zero."""
    TIMESTEPS = auto()
    """Timesteps at the same distances, down to 1: of the samplers that know no schedule."""
    TIMES = auto()
    """Times at the same distances, down to the first timestep: UniPC's."""
    DISTILLED = auto()
    """Sigmas of a noise schedule, of the timesteps that a distilled checkpoint knows."""


@dataclass(frozen=True)
class Start:
    """Share of the steps that image-to-image takes."""

    strength: float
    takes_all_steps: bool = False
    """Flag: all steps are taken, however small the strength: they are closer to each other."""


@dataclass(frozen=True)
class Sampler:
    """Sampler and noise schedule, by the Web UI's names."""

    name: str
    solve: Callable[[Latents, Course], Walk]
    automatic: str = AUTOMATIC
    """Schedule that the Web UI takes for it when none is asked for."""
    ladder: Ladder = Ladder.SCHEDULE
    skips_last: bool = False
    """Flag: the schedule is made of one step more, and the last sigma above zero left out."""
    schedule: str = AUTOMATIC
    noise: StepNoise = field(default_factory=StepNoise)
    """Noise that it adds in its steps."""

    def with_noise(self, noise: StepNoise) -> "Sampler":
        """Return the same sampler with noise of another strength."""
        # DDPM is Euler a with all of its noise, whatever is asked for.
        return self if self.name == "DDPM" else replace(self, noise=noise)

    def with_schedule(self, name: str) -> "Sampler":
        """Return the same sampler over another noise schedule.

        Raises:
            TaskFailed: no schedule has this name; the message lists them.
        """
        found = schedule_named(name)
        if found is None:
            raise TaskFailed(f"scheduler: no {name!r}; there is: {', '.join(SCHEDULES)}")
        return replace(self, schedule=self.automatic if found == AUTOMATIC else found)

    def levels(self, levels: NoiseLevels) -> NoiseLevels:
        """Return the noise levels that it knows, of those of a checkpoint."""
        return levels.distilled if self.ladder is Ladder.DISTILLED else levels

    def sigmas(self, levels: NoiseLevels, asked: int, start: Start | None = None) -> list[float]:
        """Return the sigmas to go over, falling, from noise alone or from a source image on."""
        steps, taken = self._steps(asked, start)
        match self.ladder:
            case Ladder.SCHEDULE | Ladder.DISTILLED:
                made = noise_levels.steps_down(levels, self.schedule, steps + self.skips_last)
                falling: list[float] = made.tolist()
                if self.skips_last:
                    del falling[-2]
                return falling if start is None else falling[-taken - 1 :]
            case Ladder.TIMESTEPS:
                rising = _timesteps(steps)
                part = rising if start is None else rising[: max(1, taken)]
                if len(part) == 1:
                    part = [0, *part]
                return [levels.sigmas[timestep].item() for timestep in reversed(part)]
            case Ladder.TIMES:
                rising = _timesteps(steps)
                first = len(levels.sigmas) - 1 if start is None else rising[max(1, taken) - 1]
                count = len(rising) if start is None else max(1, taken - 1)
                return noise_levels.times_down(levels, first, count)

    def noise_span(
        self, levels: NoiseLevels, asked: int, start: Start | None
    ) -> tuple[float, float]:
        """Return the lowest and the highest sigma that it adds noise between.

        They are those of all steps, also where a source image is some of them ahead.
        """
        steps, _ = self._steps(asked, start)
        whole = [sigma for sigma in self.sigmas(levels, steps) if sigma > 0]
        return min(whole), max(whole)

    def calls(self, sigmas: list[float]) -> int:
        """Count the calls of the UNet over these sigmas."""
        steps = list(pairwise(sigmas))
        match self.name:
            case name if name in SECOND_ORDER:
                return sum(1 if after == 0 else 2 for _, after in steps)
            case "PLMS":
                return len(steps) + 1
            case _:
                return len(steps)

    @property
    def ends_scaled(self) -> bool:
        """Tell whether it works on latents that are scaled to the same size at each timestep."""
        return self.ladder in (Ladder.TIMESTEPS, Ladder.TIMES)

    def _steps(self, asked: int, start: Start | None) -> tuple[int, int]:
        """Return the steps from noise, and how many of them are taken."""
        if start is None:
            return asked, asked
        strength = min(start.strength, _MOST_STRENGTH)
        if not start.takes_all_steps or not strength:
            return asked, int(strength * asked) + 1
        steps = int(asked / strength)
        return min(steps, _MOST_TIMESTEPS) if self.ends_scaled else steps, asked


def _timesteps(steps: int) -> list[int]:
    """List timesteps at the same distances, rising from 1; there may be more than asked for."""
    return [min(timestep + 1, 999) for timestep in range(0, 1000, 1000 // steps)]


_TABLE = (
    Sampler("DPM++ 2M", solvers.dpmpp_2m, "Karras"),
    Sampler("DPM++ SDE", solvers.dpmpp_sde, "Karras"),
    Sampler("DPM++ 2M SDE", solvers.dpmpp_2m_sde, "Exponential"),
    Sampler("DPM++ 2M SDE Heun", solvers.dpmpp_2m_sde_heun, "Exponential"),
    Sampler("DPM++ 3M SDE", solvers.dpmpp_3m_sde, "Exponential", skips_last=True),
    Sampler("Euler a", solvers.ancestral),
    Sampler("Euler", solvers.euler),
    Sampler("LMS", solvers.lms),
    Sampler("Heun", solvers.heun),
    Sampler("DPM2", solvers.dpm2, "Karras", skips_last=True),
    Sampler("DPM2 a", solvers.dpm2_ancestral, "Karras", skips_last=True),
    Sampler("DDIM", solvers.ancestral, ladder=Ladder.TIMESTEPS),
    Sampler("DDPM", solvers.ancestral),
    Sampler("PLMS", solvers.plms, ladder=Ladder.TIMESTEPS),
    Sampler("UniPC", uni_pc.uni_pc, ladder=Ladder.TIMES),
    Sampler("DEIS", solvers.deis),
    Sampler("LCM", solvers.lcm, ladder=Ladder.DISTILLED),
    Sampler("TCD", solvers.tcd, ladder=Ladder.DISTILLED),
)
_BY_NAME = {sampler.name: sampler for sampler in _TABLE}


def sampler_of(request: TextToImage) -> Sampler:
    """Return the sampler that a request asks for."""
    name = request.sampler_name
    return sampler(name, request.scheduler).with_noise(request.step_noise(name))


def second_sampler_of(request: TextToImage) -> Sampler:
    """Return the sampler of a request's second pass."""
    name, schedule = request.second_sampler, request.hr_scheduler or request.scheduler
    return sampler(name, schedule).with_noise(request.step_noise(name))


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
