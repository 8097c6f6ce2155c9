"""Requests of the Web UI to upscale existing pictures: the extra kinds."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from models.runtimes.content import Fault
from models.runtimes.diffusers import fields
from models.runtimes.diffusers.fates import Refusals
from models.runtimes.diffusers.options import Options
from models.runtimes.diffusers.request import MISPLACED, Request
from models.runtimes.diffusers.values import Positive, Share
from models.runtimes.webui import Picture


class Upscaling(Request):
    """Fields by which both extra requests say how to upscale."""

    refused: ClassVar[Refusals] = fields.UPSCALED

    resize_mode: Annotated[int, Field(ge=0, le=1)] = 0
    """Way to give the size: 0 ``upscaling_resize``; 1 ``upscaling_resize_w`` x
    ``upscaling_resize_h``."""
    upscaling_resize: Annotated[float, Field(gt=0, le=16)] = 2.0
    upscaling_resize_w: Positive = 512
    upscaling_resize_h: Positive = 512
    upscaling_crop: bool = True
    upscaler_1: str = "None"
    """Name of an upscaler's file, or Lanczos, Nearest, None."""
    upscaler_2: str = "None"
    extras_upscaler_2_visibility: Share = 0.0
    """Opacity of the second upscaler's picture over the first's, from 0 to 1."""


class ExtraSingle(Upscaling):
    """Body of ``/sdapi/v1/extra-single-image``."""

    misplaced: ClassVar[Mapping[str, str]] = {
        "imageList": MISPLACED.format(
            kind="extra-single-image", field="list", better="extra-batch-images"
        )
    }

    image: Annotated[Picture, Field(min_length=1)]
    """Picture, as base64 or a link."""


class NamedImage(BaseModel):
    """Picture with a name."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    data: Picture
    name: str = ""


class ExtraBatch(Upscaling):
    """Body of ``/sdapi/v1/extra-batch-images``."""

    imageList: Annotated[tuple[NamedImage, ...], Field(min_length=1)]  # noqa: N815  # its name

    @classmethod
    @override
    def gathered(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        bare = given.get("imageList", given.get("images"))
        if not isinstance(bare, list):
            return super().gathered(given)
        named = [{"data": picture} if isinstance(picture, str) else picture for picture in bare]
        return super().gathered(given) | {"imageList": named}

    @override
    def rules(self, given: Mapping[str, Any], options: Options) -> Iterator[Fault]:
        if len(self.imageList) > options.max_pictures:
            yield Fault(
                "imageList",
                f"{len(self.imageList)} pictures are more than the "
                f"{options.max_pictures} allowed in one task",
            )
