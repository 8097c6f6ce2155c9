"""Files in a graph: only the task's own, whatever way another is named."""

import base64
from typing import Any

import pytest

from models.runtimes import TYPES
from models.runtimes.comfyui.files import NO_FILE, NOT_ITS_OWN, named_files
from tests.models.runtimes.corpus import LINK, OPTIONS, node

JPEG = base64.b64encode(b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(60)).decode()


def faults(one: Any, **options: Any) -> dict[str, str]:
    comfyui = TYPES["comfyui"]
    read = comfyui.options.read({**OPTIONS["comfyui"], **options}, under="options")
    graph = {"1": one, "2": node("Source")}
    return {each.field: each.message for each in comfyui.faults("pipeline", graph, read)}


NAMES = [
    "/etc/passwd",
    "/etc/nonexist",
    "//etc/passwd",
    " '/etc/my file.png'",
    "../../x.png",
    "a/../../x.png",
    "..",
    r"..\x.png",
    r"C:\x.png",
    "~/x.png",
    "file:///etc/passwd",
    "x.png [output]",
    "s2/1.png [temp]",
    "clipspace/x.png [input] ",
]


@pytest.mark.parametrize("name", [*NAMES, "x.png", "s2/1.png", "cat", "", "data:image/png,x"])
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *(("LoadImage", "image"), ("LoadImageMask", "image"), ("LoadImageOutput", "image")),
        *(("LoadVideo", "file"), ("VHS_LoadVideo", "video"), ("VHS_LoadVideoPath", "video")),
        *(("LoadAudio", "audio"), ("VHS_LoadAudio", "audio_file"), ("LoadLatent", "latent")),
        *(("Load3D", "model_file"), ("VHS_LoadImages", "directory"), ("ImageLoader", "image_path")),
        *(("LoadImageDataSetFromFolder", "folder"), ("LoadTextFile", "file")),
    ],
)
def test_a_loader_takes_no_name_and_says_the_same_of_each(kind: str, field: str, name: str) -> None:
    assert faults(node(kind, **{field: name})) == {f"1.inputs.{field}": NOT_ITS_OWN}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *(("Any", "x"), ("Any", "image"), ("PrimitiveString", "value"), ("Any", "text_path")),
        *(("SaveImage", "filename_prefix"), ("LoraLoader", "lora_name"), ("LoadImage", "text")),
        *(("VAELoader", "vae_name"), ("LoadImageFromUrl", "url")),
    ],
)
def test_no_input_of_any_node_leads_out_of_comfyuis_folders(
    kind: str, field: str, name: str
) -> None:
    found = {f"1.inputs.{field}": NOT_ITS_OWN}

    assert faults(node(kind, **{field: name})) == found
    assert faults(node(kind, **{field: {"deep": [3, [name]]}})) == found


def test_a_name_that_another_node_makes_up_is_none_of_the_tasks() -> None:
    assert faults(node("LoadImage", image=["2", 0])) == {"1.inputs.image": NOT_ITS_OWN}


@pytest.mark.parametrize(
    "one",
    [
        node("LoadImage", image=LINK, upload="image"),
        node("LoadImageMask", image="s3://outputs/a/../b.png", channel="alpha"),
        node("VHS_LoadVideo", video=LINK, format="AnimateDiff", vae=["2", 0], force_rate=0),
        node("VHS_LoadVideo", video=LINK, videopreview={"params": {"format": "video/mp4"}}),
        node("LoadAudio", audio=LINK, audioUI=""),
        node("LoadImageFromUrl", url=f"{LINK}?a=../b"),
        node("ETN_LoadImageBase64", image=JPEG),
        node("LoadImage", image=JPEG),
        node("LoadImage", image=JPEG.replace("/", "_").rstrip("=")),
        node("LoadImageMask", image=f"data:image/jpeg;base64,{JPEG}", channel="alpha"),
        node("VHS_LoadVideo", video=f"data:video/mp4;base64,{JPEG}"),
        node("Anything", mask="\n".join(JPEG[i : i + 20] for i in range(0, len(JPEG), 20))),
        node("AudioEncoderLoader", audio_encoder_name="a/b.safetensors"),
        node("IPAdapterModelLoader", ipadapter_file="face.bin"),
        node("DiffusersLoader", model_path="sd15"),
        node("CheckpointLoader", config_name="v1-inference.yaml", ckpt_name="sub/b.ckpt"),
        node("CLIPTextEncode", text="/imagine a cat, and so on .. [output]"),
        node("CLIPTextEncodeSDXL", text_g="../..", text_l="/a"),
        node("SaveImage", images=["2", 0], filename_prefix="a/%date:yyyy-MM%/b"),
        node("ImageScale", image=["2", 0], crop="disabled"),
        node("UploadImage", images=["2", 0]),
        node("Save", file="a.png"),
        node("SaveVideo", video=["2", 0], file="sub folder/a.mp4"),
        node("ImageBlend", image="keep", delimiter="/", wait="and then ..."),
        node("KSampler", sampler_name="euler", scheduler="karras"),
    ],
)
def test_what_names_no_file_of_others_is_right(one: Any) -> None:
    assert faults(one) == {}


LOADERS = [
    *(("LoadImage", "image"), ("LoadImageMask", "image"), ("VHS_LoadVideo", "video")),
    *(("LoadAudio", "audio"), ("Load3D", "model_file"), ("VHS_LoadAudio", "audio_file")),
    *(("VHS_LoadImages", "directory"), ("ImageLoader", "image_path"), ("LoadLatent", "latent")),
]


@pytest.mark.parametrize("value", [None, 5, 0.5, [], [5], ["a", "b", "c"]])
@pytest.mark.parametrize(("kind", "field"), LOADERS)
def test_a_file_is_named_by_a_text(kind: str, field: str, value: Any) -> None:
    found = faults(node(kind, **{field: value}))

    assert found.keys() == {f"1.inputs.{field}"}
    assert found[f"1.inputs.{field}"].startswith((NO_FILE, NOT_ITS_OWN))


def test_a_flag_is_no_file_and_what_is_given_is_told() -> None:
    assert faults(node("LoadImage", image=True)) == {"1.inputs.image": f"{NO_FILE} (given: True)"}


@pytest.mark.parametrize(
    "one",
    [
        node("VHS_LoadImages", directory=LINK, max_images=16, image_load_cap=0, use_file=True),
        node("Load3D", model_file=LINK, image={"recording": None}, width=512),
        node("LoadImage", image=LINK, upload=None),
        node("LoadImageFromUrl", image=None),
        node("ImageBlend", image=5, mask=None),
        node("LoadTextFile", encoding=None),
        node("CheckpointLoaderSimple", ckpt_name=None),
    ],
)
def test_a_number_where_no_file_is_named_is_comfyuis_to_judge(one: Any) -> None:
    assert faults(one) == {}


def test_names_that_the_operator_allows_are_taken_as_they_are() -> None:
    allowed = {"allowFiles": ["sub/example.png"]}

    assert faults(node("LoadImage", image="sub/example.png"), **allowed) == {}
    assert faults(node("LoadImage", image="example.png"), **allowed) != {}


def test_a_long_value_that_is_no_file_is_not_shown() -> None:
    zeros = base64.b64encode(bytes(1_000_000)).decode()

    assert faults(node("LoadImage", image=zeros)) == {"1.inputs.image": NOT_ITS_OWN}


def test_names_in_whose_place_a_task_can_give_a_file_are_listed() -> None:
    graph = {
        "1": node("LoadImage", image="clipspace/cat.png [input]", upload="image"),
        "2": node("LoadImage", image=LINK),
        "3": node("LoadImage", image=JPEG),
        "4": node("LoadVideo", file="a\\b.mp4"),
        "5": node("CLIPTextEncode", text="cat.png"),
        "6": node("LoadImageFromUrl", url="cat.png"),
        "7": "no node",
        "8": {"class_type": "LoadImage"},
    }

    assert [(each.node, each.field, each.file_name) for each in named_files(graph)] == [
        ("1", "image", "cat.png"),
        ("4", "file", "b.mp4"),
    ]
