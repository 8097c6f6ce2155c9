"""Larger pictures: the network under all its names, and the requests that ask for it."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from deployments.runtimes.diffusers.rrdb import Rrdb, read_rrdb
from deployments.runtimes.diffusers.upscaling import Upscalers
from models.checkpoints import Checkpoints
from models.errors import TaskFailed
from tests.runtimes.diffusers import weights
from tests.runtimes.diffusers.conftest import Ask, encoded, noise

Naming = Callable[[Rrdb], Mapping[str, torch.Tensor]]
SINGLE, BATCH = "extra-single-image", "extra-batch-images"


@pytest.mark.parametrize("naming", [weights.numbered, weights.esrgan, weights.realesrgan])
@pytest.mark.parametrize(("ups", "shuffle", "scale"), [(2, 1, 4), (1, 1, 2), (2, 2, 2), (2, 4, 1)])
def test_the_same_weights_under_any_names_are_the_same_network(
    tmp_path: Path, naming: Naming, ups: int, shuffle: int, scale: int
) -> None:
    made = weights.rrdb(ups=ups, shuffle=shuffle)
    save_file(dict(naming(made)), tmp_path / "it.safetensors")
    read = read_rrdb(tmp_path / "it.safetensors")
    picture = torch.rand(1, 3, 8, 8)

    assert read.scale == scale
    assert torch.equal(read(picture), made(picture))


def test_another_network_is_told_apart(tmp_path: Path) -> None:
    save_file({"model.0.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "swin.safetensors")

    with pytest.raises(TaskFailed, match="upscaler swin: not an ESRGAN"):
        read_rrdb(tmp_path / "swin.safetensors")


def test_tiles_leave_no_seam(folder: Path) -> None:
    image = noise(50, 37)
    whole, tiled = [
        _enlarged(Upscalers(Checkpoints(folder).upscalers, torch.device("cpu"), tile), image)
        for tile in (256, 20)
    ]

    assert np.abs(np.asarray(whole, np.int16) - np.asarray(tiled, np.int16)).max() <= 1


def _enlarged(upscalers: Upscalers, image: Image.Image) -> Image.Image:
    steps = upscalers.enlarge(image, (200, 148), "4x-Random")
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Image.Image = end.value
            return result


@pytest.mark.parametrize(
    "name", ["Lanczos", "Nearest", "4x-Random", "RealESRGAN_x4plus", "R-ESRGAN 4x+"]
)
async def test_a_picture_is_made_larger(ask: Ask, name: str) -> None:
    done = await ask(SINGLE, image=encoded(noise(20, 10)), upscaler_1=name, upscaling_resize=3)

    assert done.image.size == (60, 30)
    assert done.body["image"] is done.artifacts[0]
    assert done.body["html_info"] == ""
    assert done.body["parameters"] == {"html_info": "", "id_task": "t1", "error_msg": ""}


async def test_one_file_under_two_names_gives_one_picture(ask: Ask) -> None:
    first, second = [
        (await ask(SINGLE, image=encoded(noise(20, 10)), upscaler_1=name)).pixels
        for name in ("4x-Random", "R-ESRGAN 4x+")
    ]

    assert (first == second).all()


async def test_the_second_upscaler_shows_as_far_as_it_is_visible(ask: Ask) -> None:
    async def made(**more: object) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        return (await ask(SINGLE, image=encoded(noise(16, 16)), **more)).pixels

    first, second = await made(upscaler_1="Lanczos"), await made(upscaler_1="Nearest")
    both = await made(upscaler_1="Lanczos", upscaler_2="Nearest", extras_upscaler_2_visibility=0.5)

    assert np.abs(both - (first + second) / 2).max() <= 1


async def test_an_upscaler_none_leaves_the_picture(ask: Ask) -> None:
    image = noise(16, 12)
    done = await ask(SINGLE, image=encoded(image))

    assert (done.pixels[0] == np.asarray(image)).all()


def sprite() -> Image.Image:
    """Make a red disc on a transparent ground, under which it is green."""
    disc = np.hypot(*(np.mgrid[:32, :32] - 15.5)) < 10
    values = np.where(disc[..., None], (255, 0, 0, 255), (0, 255, 0, 0)).astype(np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize("name", ["None", "Nearest", "Lanczos", "4x-Random"])
async def test_what_is_transparent_stays_so(ask: Ask, name: str) -> None:
    done = await ask(SINGLE, image=encoded(sprite()), upscaler_1=name, upscaling_resize=2)
    alpha = np.asarray(done.image.getchannel("A").resize((32, 32), Image.Resampling.BOX), np.int16)

    assert done.image.mode == "RGBA"
    assert np.abs(alpha - np.asarray(sprite().getchannel("A"), np.int16)).mean() < 5


async def test_colours_under_what_is_transparent_do_not_come_out_at_its_edge(ask: Ask) -> None:
    done = await ask(SINGLE, image=encoded(sprite()), upscaler_1="Lanczos", upscaling_resize=2)
    values = np.asarray(done.image)
    seen = values[values[..., 3] > 32]

    assert seen[:, 1].max() < 40


async def test_a_batch_is_looked_at_before_any_of_it_is_enlarged(ask: Ask) -> None:
    images = [encoded(noise(8, 8)), encoded(noise(8, 8))[:-40]]
    with pytest.raises(TaskFailed, match=r"imageList\[1\].data: it is not a picture"):
        await ask(BATCH, imageList=images, upscaler_1="Lanczos")


@pytest.mark.parametrize(("crop", "size"), [(True, (64, 32)), (False, (64, 64))])
async def test_a_picture_is_made_to_a_size(ask: Ask, crop: bool, size: tuple[int, int]) -> None:
    done = await ask(
        SINGLE,
        image=encoded(noise(16, 16)),
        resize_mode=1,
        upscaling_resize_w=64,
        upscaling_resize_h=32,
        upscaling_crop=crop,
        upscaler_1="Lanczos",
    )

    assert done.image.size == size


async def test_a_batch_keeps_its_order(ask: Ask) -> None:
    link = "https://example.com/b.png"
    images = [{"data": encoded(noise(8, 8)), "name": "a"}, {"data": link, "name": "b"}]
    done = await ask(
        BATCH,
        {link: _bytes(noise(12, 6))},
        imageList=images,
        upscaler_1="Nearest",
        upscaling_resize=2,
    )

    assert [image.size for image in done.images] == [(16, 16), (24, 12)]
    assert done.body["images"] == done.artifacts


def _bytes(image: Image.Image) -> bytes:

    return base64.b64decode(encoded(image))


@pytest.mark.parametrize("field", ["upscaler_1", "upscaler_2"])
async def test_an_unknown_upscaler_is_told_with_those_that_there_are(ask: Ask, field: str) -> None:
    told = rf"{field}: no upscaler 'LDSR'.*None, Lanczos, Nearest, 4x-Random.*R-ESRGAN 4x\+"

    with pytest.raises(TaskFailed, match=told):
        await ask(SINGLE, image=encoded(noise(8, 8)), **{field: "LDSR"})


async def test_a_pickled_upscaler_is_refused(ask: Ask) -> None:
    with pytest.raises(TaskFailed, match="allowPickle"):
        await ask(SINGLE, image=encoded(noise(8, 8)), upscaler_1="pickled")


def test_a_pickled_upscaler_is_read_where_that_is_allowed(folder: Path) -> None:
    network = read_rrdb(Checkpoints(folder, pickles=True).upscalers.find("pickled"))
    picture = torch.rand(1, 3, 8, 8)

    assert torch.equal(network(picture), weights.rrdb()(picture))


async def test_a_picture_that_would_be_too_large_is_refused(ask: Ask) -> None:
    with pytest.raises(TaskFailed, match="pixels allowed"):
        await ask(
            SINGLE, image=encoded(noise(1024, 1024)), upscaler_1="Lanczos", upscaling_resize=16
        )


async def test_what_is_no_picture_is_refused(ask: Ask) -> None:
    with pytest.raises(TaskFailed, match="image: it is not a picture"):
        await ask(SINGLE, image="aGVsbG8=", upscaler_1="Lanczos")
