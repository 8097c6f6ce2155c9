"""A server that behaves as A1111 or Forge do over ``/sdapi/v1``, down to what they do wrong.

It draws plain colours. Run as a program it takes the flags of the real ones.
"""

import argparse
import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.runtimes.sdwebui.double_pictures import colour, encoded, opened, plain
from tests.runtimes.sdwebui.double_state import Faults, State

Flavour = Literal["a1111", "forge"]
Body = dict[str, Any]

PARTIAL = (1, 2, 3)
"""Colour of a picture that was interrupted."""
NUMBERS = ("steps", "width", "height", "batch_size", "n_iter", "seed")


@dataclass
class WebUi:
    """Double of the server; a test may read and change its state."""

    flavour: Flavour = "a1111"
    page: bool = True
    """`True` if it has its web page, and with it ``/internal``."""
    auth: str | None = None
    step_seconds: float = 0.01
    disk: list[str] = field(default_factory=lambda: ["first.safetensors", "sub/second.safetensors"])
    """Checkpoint files; a new one is known after a refresh."""
    faults: Faults = field(default_factory=Faults)
    state: State = field(default_factory=State)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """POST requests: path below the API, and body."""
    samplers: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "DPM++ 2M": ("k_dpmpp_2m",),
            "Euler a": ("k_euler_a",),
            "Euler": ("k_euler",),
        }
    )
    schedulers: Mapping[str, str] = field(
        default_factory=lambda: {
            "automatic": "Automatic",
            "karras": "Karras",
            "sgm_uniform": "SGM Uniform",
        }
    )
    upscalers: tuple[str, ...] = ("None", "Lanczos", "Nearest", "4x-UltraSharp")

    def __post_init__(self) -> None:
        self._known = list(self.disk)
        self._loaded = {self.disk[0]} if self.disk else set[str]()
        self._current = self.disk[0] if self.disk else ""
        self.queue = asyncio.Lock()
        self._tasks: dict[str, str] = {}
        self.app = Starlette(
            routes=[
                Route("/internal/progress", self._at(self.own_progress), methods=["POST"]),
                Route("/sdapi/v1/{name}", self._at(self.api), methods=["GET", "POST"]),
            ]
        )

    @property
    def current(self) -> str:
        return self._title(self._current)

    # What the real servers' middleware does.

    def _at(
        self, endpoint: Callable[[Request], Coroutine[Any, Any, Any]]
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def answer(request: Request) -> Response:
            try:
                self._check(request)
                found = await endpoint(request)
            except HTTPException as exc:
                return JSONResponse(self._refused(exc), exc.status_code)
            except Exception as exc:  # noqa: BLE001 - so do the real ones
                return JSONResponse(self._raised(exc), 500)
            return found if isinstance(found, Response) else JSONResponse(found)

        return answer

    def _check(self, request: Request) -> None:
        wanted = base64.b64encode((self.auth or "").encode()).decode()
        if self.auth and request.headers.get("Authorization") != f"Basic {wanted}":
            raise HTTPException(401, "Incorrect username or password")
        if request.url.path in self.faults.hidden:
            raise HTTPException(404, "Not Found")

    def _refused(self, exc: HTTPException) -> Body:
        if self.flavour == "forge" or exc.status_code == 422:
            return {"detail": exc.detail}
        return {"error": "HTTPException", "detail": exc.detail, "body": "", "errors": ""}

    def _raised(self, exc: Exception) -> Body:
        last = "message" if self.flavour == "forge" else "errors"
        return {"error": type(exc).__name__, "detail": "", "body": "", last: str(exc)}

    # What is asked for.

    async def api(self, request: Request) -> Any:
        name = request.path_params["name"]
        if request.method == "GET":
            return self._told(name, request)
        body = json.loads(await request.body() or b"null") or {}
        self.asked.append((name, body))
        match name:
            case "txt2img" | "img2img":
                return await self._generated(name, body)
            case "extra-single-image" | "extra-batch-images":
                return await self._enlarged(name, body)
            case "options":
                return self._set(body)
            case "interrupt":
                self.state.interrupted = self.state.interrupted or not self.faults.deaf
            case "refresh-checkpoints":
                self._known = list(self.disk)
            case "unload-checkpoint" | "reload-checkpoint":
                pass
            case _:
                raise HTTPException(404, "Not Found")
        return {}

    def _told(self, name: str, request: Request) -> Any:
        skip = request.query_params.get("skip_current_image") == "true"
        told: Body = {
            "sd-models": [self._entry(file) for file in self._known],
            "options": {"sd_model_checkpoint": self.current, "samples_format": "png"},
            "samplers": [{"name": n, "aliases": a} for n, a in self.samplers.items()],
            "schedulers": [{"name": n, "label": label} for n, label in self.schedulers.items()],
            "upscalers": [{"name": upscaler, "scale": 4} for upscaler in self.upscalers],
            "latent-upscale-modes": [{"name": "Latent"}, {"name": "Latent (nearest)"}],
            "progress": self._progress(skip=skip),
        }
        if name not in told:
            raise HTTPException(404, "Not Found")
        return told[name]

    async def own_progress(self, request: Request) -> Body:
        if not self.page:
            raise HTTPException(404, "Not Found")
        asked = await request.json()
        where = self._tasks.get(asked["id_task"])
        told: Body = {name: where == name for name in ("active", "queued", "completed")}
        if where != "active":
            return told
        preview = {"live_preview": f"data:image/png;base64,{plain((9, 9, 9))}"}
        return (
            told
            | {"progress": self._share(), "id_live_preview": self.state.sampling_step}
            | (preview if asked.get("live_preview") else {})
        )

    def _progress(self, *, skip: bool) -> Body:
        share = 0.01 + self._share() if self.state.job_count else 0
        picture = None if skip or not self.state.sampling_step else plain((9, 9, 9))
        return {
            "progress": min(share, 1),
            "eta_relative": 0,
            "state": vars(self.state),
            "current_image": picture,
        }

    def _share(self) -> float:
        state = self.state
        done = state.sampling_step / state.sampling_steps if state.sampling_steps else 0
        return (state.job_no + done) / state.job_count if state.job_count > 0 else 0

    # Checkpoints.

    def _title(self, file: str) -> str:
        return f"{file} [{_hash(file)}]" if file in self._loaded else file

    def _entry(self, file: str) -> Body:
        hashed = _hash(file) if file in self._loaded else None
        name = file.rpartition(".")[0].replace("/", "_")
        path = f"/models/Stable-diffusion/{file}"
        return {"title": self._title(file), "model_name": name, "hash": hashed, "filename": path}

    def _set(self, options: Body) -> None:
        wanted = options.get("sd_model_checkpoint")
        found = self._file(wanted)
        if wanted and not found:
            raise RuntimeError(f"model {wanted!r} not found")
        if found and not self.faults.keeps_checkpoint:
            self._current = found
            self._loaded.add(found)

    def _file(self, name: str | None) -> str | None:
        aliases = {alias: f for f in self._known for alias in (f, f"{f} [{_hash(f)}]")}
        return aliases.get(name or "")

    # Pictures.

    async def _generated(self, name: str, body: Body) -> Any:
        self._check_fields(body)
        if name == "img2img" and not body.get("init_images"):
            raise HTTPException(404, "Init image not found")
        task = body.get("force_task_id") or "task(none)"
        self._tasks[task] = "queued"
        async with self.queue:
            self.state.begin(f"scripts_{name}")
            self._tasks[task] = "active"
            try:
                images, info = await self.draw(name, body)
                if self.faults.answers:
                    return self._fault(self.faults.answers.pop(0))
                self._tasks[task] = "completed"
            finally:
                self.state.end()
        info |= self.faults.draws_with
        return {
            "images": images,
            "parameters": body | {"init_images": None, "mask": None},
            "info": json.dumps(info),
        }

    def _fault(self, fault: Exception | Response) -> Response:
        if isinstance(fault, Response):
            return fault
        raise fault

    def _check_fields(self, body: Body) -> None:
        for key in NUMBERS:
            if not isinstance(body.get(key, 1), int):
                wrong = {"loc": ["body", key], "msg": "value is not a valid integer", "type": "x"}
                raise HTTPException(422, [wrong])  # type: ignore[arg-type]  # as pydantic's are
        for script in body.get("alwayson_scripts") or {}:
            if script not in ("ControlNet", "AnimateDiff"):
                raise HTTPException(422, f"always on script {script} not found")
        for picture in body.get("init_images") or []:
            opened(picture)

    async def draw(self, name: str, body: Body) -> tuple[list[str], Body]:
        """Draw the pictures and describe them; an unknown sampler silently becomes another one."""
        del name
        steps, batch = body.get("steps", 50), body.get("batch_size", 1)
        first = body.get("seed", -1) if body.get("seed", -1) >= 0 else 7
        asked = body.get("sampler_name") or body.get("sampler_index") or "Euler"
        sampler = asked if asked in self.samplers else next(iter(self.samplers))
        override = (body.get("override_settings") or {}).get("sd_model_checkpoint")
        file = self._file(override) or self._current
        self.state.job_count = body.get("n_iter", 1)
        seeds: list[int] = []
        for _ in range(self.state.job_count):
            await self._sample(steps)
            seeds += range(first + len(seeds), first + len(seeds) + batch)
            if self.state.interrupted:
                break
            self.state.job_no += 1
            self.state.sampling_step = 0
        colours = [colour(body.get("prompt", ""), seed) for seed in seeds]
        if self.state.interrupted:
            colours[-1] = PARTIAL
        size = (body.get("width", 64), body.get("height", 64))
        stem = file.rpartition("/")[2].rpartition(".")[0]
        told = {"all_seeds": seeds, "sd_model_name": stem, "sampler_name": sampler}
        return [plain(colour, size) for colour in colours], told | {
            "prompt": body.get("prompt", "")
        }

    async def _sample(self, steps: int) -> None:
        await asyncio.sleep(self.step_seconds)  # text is encoded: the old number of steps stands
        self.state.sampling_steps = steps
        for step in range(1, steps + 1):
            if self.state.interrupted:
                return
            await asyncio.sleep(self.step_seconds)
            self.state.sampling_step = step

    async def _enlarged(self, name: str, body: Body) -> Body:
        for key in ("upscaler_1", "upscaler_2"):
            if body.get(key, "None") not in self.upscalers:
                raise AssertionError(f"could not find upscaler named {body[key]}")
        async with self.queue:
            self.state.begin("extras")
            images = await self.enlarge(name, body)
            self.state.end()
        shown = {"image": images[0]} if name == "extra-single-image" else {"images": images}
        return {"html_info": "<p>larger</p>", **shown}

    async def enlarge(self, name: str, body: Body) -> list[str]:
        single = name == "extra-single-image"
        given = [body["image"]] if single else [one["data"] for one in body["imageList"]]
        by = body.get("upscaling_resize", 2)
        pictures = [opened(one) for one in given]
        await asyncio.sleep(self.step_seconds)
        return [encoded(one.resize((one.width * by, one.height * by))) for one in pictures]


def _hash(file: str) -> str:
    return hashlib.sha256(file.encode()).hexdigest()[:10]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--server-name", required=True)
    parser.add_argument("--step-seconds", type=float, default=0.01)
    flags = parser.parse_args()
    web_ui = WebUi(step_seconds=flags.step_seconds)
    uvicorn.run(web_ui.app, host=flags.server_name, port=flags.port, log_level="warning")


if __name__ == "__main__":
    main()
