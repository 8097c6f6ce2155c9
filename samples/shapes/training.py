"""Training steps, and lines that tell where the training stands."""

import sys
import time

import torch
from torch import Tensor

TELLINGS = 50


def say(line: str) -> None:
    """Print a line with the seconds of the clock and of the processor used so far."""
    sys.stdout.write(
        f"[{time.monotonic() - _START:6.0f} s, cpu {time.process_time():6.0f} s] {line}\n"
    )
    sys.stdout.flush()


class Training:
    """Training that tells its smoothed loss fifty times over, with the time that is left."""

    def __init__(self, name: str, steps: int, optimizer: torch.optim.Optimizer) -> None:
        self.name = name
        self.steps = steps
        self.optimizer = optimizer
        self.step = 0
        self.loss = 0.0
        self.start = time.monotonic()

    def learn(self, loss: Tensor) -> None:
        """Follow the gradient of a step's loss, cut to a norm of 1."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call] # torch's own
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        self.optimizer.step()
        self._tell(loss.item())

    def _tell(self, loss: float) -> None:
        self.step += 1
        # A plain mean of the first hundred steps, then one that forgets.
        fresh = max(0.01, 1 / self.step)
        self.loss += (loss - self.loss) * fresh
        if self.step % max(1, self.steps // TELLINGS) == 0:
            left = (time.monotonic() - self.start) * (self.steps / self.step - 1)
            say(f"{self.name} {self.step}/{self.steps} loss {self.loss:.4f}, {left:.0f} s left")


_START = time.monotonic()
