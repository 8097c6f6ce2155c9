"""Text encoder and UNet: what turns a caption and noise into latents, and how they are trained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from samples.shapes.tokenizer import LENGTH
from samples.shapes.training import Training

WIDTH = 96
TIMES = 1000


@dataclass(frozen=True)
class Schedule:
    """Schedule of the training of text encoder and UNet: its steps and learning rates."""

    steps: int
    batch: int = 40
    rate: float = 1.5e-3
    cooling: float = 0.4
    """The last part of the steps, in which the rate falls to nothing."""
    unsaid: float = 0.1
    """The part of captions left out, so that guidance has an unguided picture to leave from."""
    noisy: float = 0.5
    """The part of samples taken from `noisy_from` on: at high noise the shape is decided."""
    noisy_from: int = 550
    averaging: float = 0.998
    compiled: bool = False
    """Compile the UNet first: its steps take a third less, but it needs a C++ compiler."""


@dataclass(frozen=True)
class Lesson:
    """Latents with the tokens of their captions, and those of the empty caption."""

    latents: Tensor
    tokens: Tensor
    empty: Tensor

    def draw(self, schedule: Schedule) -> tuple[Tensor, Tensor]:
        """Take a batch, some of it with its captions left out."""
        chosen = torch.randint(len(self.latents), (schedule.batch,))
        silent = torch.rand(schedule.batch, 1) < schedule.unsaid
        return self.latents[chosen], torch.where(silent, self.empty, self.tokens[chosen])


@dataclass(frozen=True)
class Denoiser:
    """The two models that learn together."""

    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel

    def parameters(self) -> list[torch.nn.Parameter]:
        """List what is learned."""
        return [*self.unet.parameters(), *self.text_encoder.parameters()]

    def __call__(self, noisy: Tensor, times: Tensor, tokens: Tensor) -> Tensor:
        """Predict the velocity."""
        states = self.text_encoder(tokens).last_hidden_state
        velocity: Tensor = self.unet(noisy, times, states).sample
        return velocity


def tokenize(tokenizer: CLIPTokenizer, captions: Iterable[str]) -> Tensor:
    """Turn captions into token ids of one length."""
    tokens: Tensor = tokenizer(
        list(captions),
        padding="max_length",
        truncation=True,
        max_length=LENGTH,
        return_tensors="pt",
    ).input_ids
    return tokens


def train_denoiser(
    tokenizer: CLIPTokenizer, scheduler: DDIMScheduler, lesson: Lesson, schedule: Schedule
) -> Denoiser:
    """Train text encoder and UNet from nothing; what comes back is their moving average."""
    denoiser = _new_denoiser(tokenizer)
    if schedule.compiled:
        denoiser.unet.compile()
    weights = denoiser.parameters()
    average = [weight.detach().clone() for weight in weights]
    optimizer = torch.optim.AdamW(weights, schedule.rate, (0.9, 0.99), weight_decay=1e-2)
    training = Training("unet", schedule.steps, optimizer)
    for step in range(schedule.steps):
        _set_rate(optimizer, schedule, step)
        training.learn(_loss(denoiser, scheduler, lesson, schedule))
        # Closely at first: else the random weights of the beginning would linger in it.
        _follow(average, weights, min(schedule.averaging, (step + 1) / (step + 10)))
    # The models get the averaged weights for their own.
    _follow(weights, average, 0.0)
    return denoiser


def new_scheduler() -> DDIMScheduler:
    """Make the noise schedule of Stable Diffusion, predicting velocity."""
    return DDIMScheduler(
        num_train_timesteps=TIMES,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def _new_denoiser(tokenizer: CLIPTokenizer) -> Denoiser:
    """Make both models with plain attention: the fused kinds are slower at sizes this small."""
    text_encoder = CLIPTextModel(_text_config(tokenizer))
    text_encoder.set_attn_implementation("eager")
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=(48, 96),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        # To this model of diffusers the number of heads, whatever its name says.
        attention_head_dim=4,
        norm_num_groups=8,
    )
    unet.set_attn_processor(AttnProcessor())
    return Denoiser(text_encoder, unet)


def _text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _set_rate(optimizer: torch.optim.Optimizer, schedule: Schedule, step: int) -> None:
    warm = min(1.0, (step + 1) / 100)
    cool = min(1.0, max(0.01, (1 - step / schedule.steps) / schedule.cooling))
    for group in optimizer.param_groups:
        group["lr"] = schedule.rate * warm * cool


def _loss(
    denoiser: Denoiser, scheduler: DDIMScheduler, lesson: Lesson, schedule: Schedule
) -> Tensor:
    latents, tokens = lesson.draw(schedule)
    times, noise = _times(schedule), torch.randn_like(latents)
    noisy = scheduler.add_noise(latents, noise, times)
    velocity = scheduler.get_velocity(latents, noise, times)
    return functional.mse_loss(denoiser(noisy, times, tokens), velocity)


def _times(schedule: Schedule) -> Tensor:
    anywhere = torch.randint(TIMES, (schedule.batch,))
    late = torch.randint(schedule.noisy_from, TIMES, (schedule.batch,))
    return torch.where(torch.rand(schedule.batch) < schedule.noisy, late, anywhere)


@torch.no_grad()
def _follow(these: Sequence[Tensor], those: Sequence[Tensor], keep: float) -> None:
    """Move these tensors toward those, keeping a part of what they were."""
    for this, that in zip(these, those, strict=True):
        this.lerp_(that, 1 - keep)
