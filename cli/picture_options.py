"""Options of `submit` that describe the picture, by the names of the Web UI's fields."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from atelier import Kind, Misused, TaskRequest, picture
from cli.completion import checkpoints
from cli.graph_files import with_files
from cli.hints import FIELDS
from cli.payload import TOO_DEEP


def _option(
    help_: str,
    *names: str,
    metavar: str | None = None,
    completed_by: Callable[[typer.Context, str], list[str]] | None = None,
) -> Any:
    return typer.Option(
        *names,
        help=help_,
        metavar=metavar,
        rich_help_panel="Picture",
        autocompletion=completed_by,
    )


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """Fields of the picture; None was not given."""

    negative_prompt: Annotated[str | None, _option("What is not to be seen.")] = None
    steps: Annotated[int | None, _option("Sampling steps.")] = None
    width: Annotated[int | None, _option("Pixels; else what suits the checkpoint.")] = None
    height: Annotated[int | None, _option("Pixels.")] = None
    cfg_scale: Annotated[float | None, _option("How closely the prompt is followed.")] = None
    sampler_name: Annotated[str | None, _option("Such as 'DPM++ 2M Karras'.")] = None
    scheduler: Annotated[str | None, _option("The schedule of the noise.")] = None
    seed: Annotated[int | None, _option("The same seed gives the same picture.")] = None
    batch_size: Annotated[int | None, _option("Pictures of one task.")] = None
    denoising_strength: Annotated[
        float | None, _option("How much of --image is painted anew, 0 to 1.")
    ] = None
    checkpoint: Annotated[
        str | None,
        _option("The weights; `atelier checkpoints` names them.", completed_by=checkpoints),
    ] = None
    image: Annotated[
        list[str] | None,
        _option(
            "Start from this picture: image-to-image. Of a graph: put it where a node names it"
            " (NODE=FILE: in this node). Repeatable.",
            metavar="FILE|URL",
        ),
    ] = None
    mask: Annotated[
        str | None, _option("Of --image, white is painted anew.", metavar="FILE|URL")
    ] = None
    upscale: Annotated[
        float | None, _option("Enlarge --image instead, so many times.", metavar="FACTOR")
    ] = None
    upscaler: Annotated[str | None, _option("Enlarge with this, such as 4x-shapes.")] = None
    option: Annotated[
        list[str] | None,
        _option("Any other field, as JSON if it is some. Repeatable.", metavar="KEY=VALUE"),
    ] = None

    def onto(self, task: TaskRequest, prompt: str | None) -> TaskRequest:
        """Return the task with these fields set.

        Raises:
            Misused: the fields do not fit the task's kind.
        """
        kind = self._kind(task.kind)
        if kind is Kind.PIPELINE and self.image:
            task = task.model_copy(update={"content": with_files(task.content, self.image)})
        given = {**self._plain(prompt), **self._pictures(kind)}
        if not (given or self.checkpoint):
            return task
        if kind is Kind.PIPELINE or not isinstance(task.content, dict):
            raise Misused("a ComfyUI graph has no such fields: change them in the graph")
        content = {**task.content, **given}
        if self.checkpoint:
            settings = content.get("override_settings")
            own = settings if isinstance(settings, dict) else {}
            content["override_settings"] = {**own, "sd_model_checkpoint": self.checkpoint}
        return task.model_copy(update={"kind": kind, "content": content})

    def _kind(self, kind: Kind) -> Kind:
        if kind is not Kind.TEXT_TO_IMAGE:
            return kind
        if self.upscale is not None:
            return Kind.EXTRA_SINGLE_IMAGE
        return Kind.IMAGE_TO_IMAGE if self.image else kind

    def _plain(self, prompt: str | None) -> dict[str, Any]:
        named = {name: getattr(self, name) for name in FIELDS}
        named |= {"prompt": prompt, "upscaling_resize": self.upscale, "upscaler_1": self.upscaler}
        known = {name: value for name, value in named.items() if value is not None}
        # Last, so that an option of its own wins over the same field in --option.
        return {**dict(map(_parse_option, self.option or ())), **known}

    def _pictures(self, kind: Kind) -> dict[str, Any]:
        given: dict[str, Any] = {"mask": picture(self.mask)} if self.mask else {}
        if not self.image or kind is Kind.PIPELINE:
            return given
        if kind is not Kind.EXTRA_SINGLE_IMAGE:
            return given | {"init_images": [picture(each) for each in self.image]}
        if len(self.image) > 1:
            raise Misused("--image: one alone is enlarged by a task; send a task for each")
        return given | {"image": picture(self.image[0])}


def _parse_option(option: str) -> tuple[str, Any]:
    name, is_one, value = option.partition("=")
    if not is_one or not name:
        raise Misused(f"--option {option}: must be KEY=VALUE")
    return name, json_or_text(value)


def json_or_text(value: str) -> Any:
    """Read a value as JSON if it is some, else as text.

    Raises:
        Misused: it is nested too deeply to be read.
    """
    try:
        return json.loads(value)
    except ValueError:
        return value
    except RecursionError:
        raise Misused(f"{value[:20]}…: {TOO_DEEP}") from None
