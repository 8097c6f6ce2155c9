"""Request of the Web UI for pictures that are drawn, whatever they start from."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import override

from models.runtimes.diffusers import samplers
from models.runtimes.diffusers.options import Options
from models.runtimes.diffusers.overrides import Overrides, overrides_in
from models.runtimes.diffusers.prompt_editing import Clock
from models.runtimes.diffusers.prompts import MOST_CHARACTERS, without_comments
from models.runtimes.diffusers.request import Request
from models.runtimes.diffusers.step_noise import StepNoise
from models.runtimes.diffusers.values import (
    Churn,
    ClipSkip,
    NoSide,
    Positive,
    SamplerName,
    ScheduleName,
    Seed,
    Share,
    Side,
    SmallFactor,
)
from models.runtimes.webui import flag

Words = Annotated[str, Field(max_length=MOST_CHARACTERS)]
_PROMPTS = ("prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt")


class Drawing(Request):
    """Fields that both kinds of drawn pictures have."""

    prompt: Words = ""
    """Words to paint; knows ``(word:1.2)``, ``[word]``, ``[from:to:when]``, ``[a/b]`` with a bar,
    ``AND``, ``BREAK``, ``<lora:name:weight>``."""
    negative_prompt: Words = ""
    """Description of what the picture must not show."""
    styles: tuple[str, ...] = ()
    """Names of styles in the file ``styles.csv`` of the folder of weights."""
    seed: Seed = -1
    """Seed of the noise: the same one gives the same picture; -1: another each time."""
    subseed: Seed = -1
    """Seed of a variation's noise."""
    subseed_strength: Share = 0.0
    """Share of a variation's noise; with one all pictures have the same ``seed``."""
    seed_resize_from_w: NoSide = 0
    """Width of the picture whose noise this one has in its middle; 0 or -1: of none."""
    seed_resize_from_h: NoSide = 0
    """Height of the picture whose noise this one has in its middle; 0 or -1: of none."""
    steps: Annotated[int, Field(ge=1, le=150)] = 50
    cfg_scale: Annotated[float, Field(ge=0, le=30)] = 7.0
    """Strength with which the prompt is followed; 1: without the negative prompt."""
    width: Side | None = None
    """Pixels of the picture's width; if left out the checkpoint's own, or the given picture's."""
    height: Side | None = None
    """Pixels of the picture's height; if left out the checkpoint's own, or the given picture's."""
    sampler_name: SamplerName = samplers.DEFAULT
    scheduler: ScheduleName = samplers.AUTOMATIC
    """Schedule of the noise."""
    eta: Share | None = None
    """Strength of the noise that ancestral and SDE samplers and DDIM add; otherwise that of the
    settings."""
    s_churn: Churn | None = None
    """Noise that Euler, Heun and DPM2 add between their steps; otherwise that of the settings."""
    s_tmin: Annotated[float, Field(ge=0)] | None = None
    """Least noise in a picture at which they do so."""
    s_tmax: Annotated[float, Field(ge=0)] | None = None
    """Most noise in a picture at which they do so; 0: any."""
    s_noise: SmallFactor | None = None
    """Factor of added noise, but of that of Euler a and DDIM; otherwise that of the settings."""
    clip_skip: ClipSkip | None = None
    """Clip skip; otherwise that of the setting ``CLIP_stop_at_last_layers``."""
    batch_size: Positive = 1
    """Pictures that are painted at the same time."""
    n_iter: Positive = 1
    """Batches, one after another."""
    override_settings: Overrides = Overrides()
    denoising_strength: Share = 0.75
    """Strength of repainting the given or the first pass's picture: 0 keeps it, 1 replaces it."""

    @classmethod
    @override
    def gathered(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        # Some older clients send an index by name, and both fields empty or "None" mean Euler.
        name = given.get("sampler_name") or given.get("sampler_index")
        named = {"sampler_name": name} if name and name != "None" else {}
        own = {
            key: value for key, value in super().gathered(given).items() if key != "sampler_name"
        }
        settings = overrides_in(given)
        if flag(settings.get("enable_prompt_comments")) is not False:
            own |= {
                field: without_comments(own[field])
                for field in _PROMPTS
                if isinstance(own.get(field), str)
            }
        return own | named | {"override_settings": settings}

    @classmethod
    @override
    def most(cls, options: Options) -> Mapping[str, int]:
        return {"batch_size": options.max_pictures, "n_iter": options.max_pictures}

    @property
    def pictures(self) -> int:
        return self.batch_size * self.n_iter

    @property
    def clock(self) -> Clock:
        """Calls by which the words of the first pass change."""
        return Clock(self.steps * samplers.calls_of(self.sampler_name))

    @property
    def layers_skipped(self) -> int:
        """Clip skip, wherever the client put it."""
        return self.clip_skip or self.override_settings.CLIP_stop_at_last_layers

    def step_noise(self, sampler: str) -> StepNoise:
        """Return the noise that a sampler adds; what the fields leave out the settings say."""
        settings = self.override_settings
        found = samplers.sampler_named(sampler)
        usual = settings.eta_ddim if found and found[0] == "DDIM" else settings.eta_ancestral
        return StepNoise(
            eta=usual if self.eta is None else self.eta,
            churn=settings.s_churn if self.s_churn is None else self.s_churn,
            least=settings.s_tmin if self.s_tmin is None else self.s_tmin,
            most=settings.s_tmax if self.s_tmax is None else self.s_tmax,
            factor=settings.s_noise if self.s_noise is None else self.s_noise,
        )

    @property
    def echo(self) -> dict[str, Any]:
        """Write the request as understood, without pictures."""
        return self.model_dump(exclude={"init_images", "mask"})
