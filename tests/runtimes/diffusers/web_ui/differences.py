"""Differences between what ours paints and what a real server painted for the same requests.

`python -m tests.runtimes.diffusers.web_ui.differences` measures them anew and writes them down;
`python -m tests.docs.web_ui_differences` makes the table of the page of them.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from deployments.adapter import RuntimeSpec
from deployments.runtimes.diffusers import DiffusersAdapter
from tests.runtimes.diffusers.conftest import Pixels, run, task
from tests.runtimes.diffusers.web_ui import checkpoint
from tests.runtimes.diffusers.web_ui.answers import FOLDER, answers, pixels
from tests.runtimes.diffusers.web_ui.requests import Request, all_requests

LIST = FOLDER / "differences.json"


@dataclass(frozen=True)
class Difference:
    """Difference of pictures, in 255ths of a channel."""

    mean: float
    largest: int

    @classmethod
    def of(cls, ours: Pixels, theirs: Pixels) -> "Difference":
        """Compare pictures of one size."""
        difference = np.abs(ours - theirs)
        return cls(float(difference.mean()), int(difference.max()))


def known() -> Mapping[str, Difference]:
    """Return the differences that are written down, by the names of the requests."""
    return {name: Difference(*found) for name, found in json.loads(LIST.read_text()).items()}


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[DiffusersAdapter]:
    """Open an adapter over the checkpoints of the comparison, which are written into a folder."""
    for name in (checkpoint.EPSILON, checkpoint.V_PREDICTION):
        checkpoint.write(root / "Stable-diffusion" / name, name)
    options = {"device": "cpu", "threads": 1, "keep": 2, "previewEvery": 0}
    adapter = DiffusersAdapter(
        RuntimeSpec(
            name="sd",
            checkpoint=checkpoint.EPSILON,
            dynamic=True,
            checkpoints=root,
            options=options,
        )
    )
    await adapter.ready()
    yield adapter
    await adapter.close()


async def measured(adapter: DiffusersAdapter, request: Request) -> Difference:
    """Let ours paint a request, and compare."""
    done = await run(adapter, task(request.kind, **request.sent))
    return Difference.of(done.pixels, pixels(request.name, answers()[request.name]["pictures"]))


async def write() -> None:
    """Measure all differences and write them down."""
    torch.set_num_threads(1)
    found = {}
    with TemporaryDirectory() as root:
        async with opened(Path(root)) as adapter:
            for request in all_requests():
                difference = await measured(adapter, request)
                found[request.name] = [round(difference.mean, 2), difference.largest]
                if difference.mean > request.most:
                    sys.stderr.write(f"{request.name}: {difference}\n")
    LIST.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    asyncio.run(write())
