"""Runtime without a GPU: it keeps the time that one would take, and draws a pattern.

A product like the others: a laptop and a benchmark run the whole platform over it. It knows
nothing of prompts but their hash.
"""

import asyncio
import hashlib
import os
import random
import signal
import struct
import time
import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from deployments.adapter import Adapter, Answer, Artifact, RuntimeSpec
from deployments.checkpoints import needed_files, requested_checkpoint
from models import strict_json
from models.errors import RuntimeUnavailable, TaskFailed
from models.report import Progress
from models.runtimes.content import refuse
from models.runtimes.fake import FAKE, Options
from models.task import Kind, Task

_SEEDS = 2**32
_TILES = 8
_PREVIEW = 32
_PNG_END = 12  # bytes of the IEND chunk
_PICTURE_FIELDS = frozenset({"image", "mask"})


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Prompt and seed, from which a pattern is drawn."""

    prompt: str
    seed: int

    def draw(self, width: int, height: int) -> bytes:
        """Draw a PNG of mirrored tiles in two colours: the same for the same prompt and seed."""
        digest = hashlib.sha256(f"{self.seed}:{self.prompt}".encode()).digest()
        background, foreground = digest[:3], digest[3:6]
        tiles = b"".join(foreground if inked else background for inked in _mirrored(digest[8:]))
        image = Image.frombytes("RGB", (_TILES, _TILES), tiles)
        png = BytesIO()
        image.resize((width, height), Image.Resampling.NEAREST).save(png, "PNG")
        return png.getvalue()


class FakeAdapter(Adapter):
    """Holds a simulated GPU for as long as it is told to, then answers like a real runtime.

    A task's content may ask for an end: ``{"fail": "why"}`` is refused, ``{"vanish": true}``
    finds the runtime gone after its first step, and ``{"crash": true}`` ends the process of its
    replica then, where the option ``mayCrash`` lets it.
    """

    kinds = FAKE.kinds
    described = FAKE
    slots = 1

    def __init__(self, spec: RuntimeSpec) -> None:
        super().__init__(spec)
        self.options = self.read_options(Options)
        self.checkpoint: str | None = None
        self._noise = _noise(self.options.payload_bytes)

    async def ready(self) -> None:
        """Return at once."""

    def checkpoints(self, task: Task) -> Sequence[str]:
        """List the checkpoint, which every kind of task loads here, and the other files."""
        return needed_files(self._checkpoint(task.content), task.kind, task.content)

    def pictures(self, task: Task) -> Mapping[str, str]:
        """Find none: a simulated GPU looks at no picture."""
        del task
        return {}

    async def load(self, task: Task) -> None:
        name = self._checkpoint(task.content)
        if name is None or name == self.checkpoint:
            return
        known = self.options.checkpoints
        if known and name not in known:
            raise TaskFailed(f"checkpoint {name!r} not found; there are: {', '.join(known)}")
        with self._busy(load=name):
            await asyncio.sleep(self.options.load_ms / 1000)
        self.checkpoint = name

    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        self._check(task, inputs)
        content: Mapping[str, Any] = task.content
        pictures = _pictures(task, content, self.options.pictures)
        with self._busy(task=task.id):
            for step, due in enumerate(self._deadlines(), start=1):
                await _until(due)
                yield self._progress(step, pictures[0])
                if content.get("vanish"):
                    raise RuntimeUnavailable("the simulated runtime vanished")
                if content.get("crash"):
                    break
        if content.get("crash"):  # after the log has the GPU's time
            os.kill(os.getpid(), signal.SIGKILL)
        artifacts = [
            Artifact(data=self._padded(picture.draw(self.options.width, self.options.height)))
            for picture in pictures
        ]
        for artifact in artifacts:
            yield artifact
        yield Answer(body=_answer(task, pictures, artifacts))

    def _checkpoint(self, content: Any) -> str | None:
        """Name the checkpoint of a task; ``checkpoint`` is a shorter spelling of its own."""
        match content:
            case {"checkpoint": str(name)} if name:
                return name
        return requested_checkpoint(content) or self.spec.checkpoint

    def _check(self, task: Task, inputs: Mapping[str, bytes]) -> None:
        refuse(FAKE.faults(task.kind, task.content, self.options))
        if missing := [link for link in self.links(task) if link not in inputs]:
            raise TaskFailed(f"{len(missing)} of the task's links have no input")
        if task.content.get("crash") and not self.options.may_crash:
            raise TaskFailed("crash: the option mayCrash of this runtime is not set")
        if why := task.content.get("fail"):
            raise TaskFailed(str(why), reason={"error": str(why)})

    def _deadlines(self) -> list[float]:
        """Fix the end of each step at the start, so that delays do not add up."""
        start, steps = asyncio.get_running_loop().time(), self.options.steps
        seconds = self.options.gpu_ms / 1000
        return [start + seconds * step / steps for step in range(1, steps + 1)]

    @contextmanager
    def _busy(self, **work: str) -> Iterator[None]:
        """Log when the GPU was held, even by work that was cancelled."""
        start = time.time()
        try:
            yield
        finally:
            if self.options.log is not None:
                _append(self.options.log, work | {"start": start, "end": time.time()})

    def _progress(self, step: int, picture: Picture) -> Progress:
        every, steps = self.options.preview_every, self.options.steps
        due = every > 0 and step % every == 0 and step < steps
        preview = picture.draw(_PREVIEW, _PREVIEW) if due else None
        return Progress(step=step, of=steps, preview=preview)

    def _padded(self, png: bytes) -> bytes:
        room = self.options.payload_bytes - len(png)
        if room <= 0:
            return png
        return png[:-_PNG_END] + self._noise + png[-_PNG_END:]  # IEND must come last


async def _until(due: float) -> None:
    await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))


def _pictures(task: Task, content: Mapping[str, Any], default: int) -> list[Picture]:
    prompt = str(content.get("prompt", ""))
    first = _seed(task, content)
    return [
        Picture(prompt=prompt, seed=(first + n) % _SEEDS)
        for n in range(_count(task, content, default))
    ]


def _seed(task: Task, content: Mapping[str, Any]) -> int:
    """Return the task's seed, or one that a retry finds again."""
    seed = content.get("seed")
    if isinstance(seed, int) and seed >= 0:
        return seed % _SEEDS
    return zlib.crc32(task.submission.encode())


def _count(task: Task, content: Mapping[str, Any], default: int) -> int:
    if task.kind == Kind.EXTRA_BATCH_IMAGES:
        return len(content.get("imageList") or [1])
    if "batch_size" not in content and "n_iter" not in content:
        return default
    return int(content.get("batch_size", 1) * content.get("n_iter", 1))


def _noise(size: int) -> bytes:
    """Make a PNG chunk that viewers skip; once, because a task should cost no CPU time."""
    # The case of a name's letters is PNG's own code: n for a chunk that may be ignored, o for a
    # private one, I is fixed, s for one that an editor may copy.
    body = b"noIs" + random.Random(0).randbytes(size)
    return struct.pack(">I", size) + body + struct.pack(">I", zlib.crc32(body))


def _mirrored(digest: bytes) -> Iterator[bool]:
    half = _TILES // 2
    for row in digest[:_TILES]:
        left = [bool(row >> bit & 1) for bit in range(half)]
        yield from left + left[::-1]


def _append(path: Path, line: Mapping[str, Any]) -> None:
    # Replicas share the file: one write of one line in append mode is not torn.
    with path.open("a", encoding="utf-8") as log:
        log.write(strict_json.written(line) + "\n")


def _answer(task: Task, pictures: list[Picture], artifacts: list[Artifact]) -> dict[str, Any]:
    match task.kind:
        case Kind.PIPELINE:
            return {"outputs": {"1": {"images": artifacts}}}
        case Kind.EXTRA_SINGLE_IMAGE | Kind.EXTRA_BATCH_IMAGES:
            parameters = {"html_info": "", "id_task": task.id, "error_msg": ""}
            return {"images": artifacts, "parameters": parameters, "info": ""}
        case _:
            parameters = _parameters(task, pictures)
            return {"images": artifacts, "parameters": parameters, "info": _info(pictures)}


def _parameters(task: Task, pictures: list[Picture]) -> dict[str, Any]:
    echo = {
        key: value
        for key, value in task.content.items()
        if isinstance(value, str | int | float) and key not in _PICTURE_FIELDS
    }
    seeds = ",".join(str(picture.seed) for picture in pictures)
    return echo | {"id_task": task.id, "image_seed": seeds, "error_msg": ""}


def _info(pictures: list[Picture]) -> str:
    prompts = [picture.prompt for picture in pictures]
    seeds = [picture.seed for picture in pictures]
    info = {"prompt": prompts[0], "all_prompts": prompts, "seed": seeds[0], "all_seeds": seeds}
    return strict_json.written(info | {"infotexts": prompts})
