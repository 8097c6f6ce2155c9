"""Contents of tasks that are right or wrong, for each type of runtime."""

from collections.abc import Mapping
from typing import Any

from models.runtimes import TYPES
from models.settings.base import Group
from models.task import Kind
from tests.models.runtimes import drawings

T2I, I2I = Kind.TEXT_TO_IMAGE, Kind.IMAGE_TO_IMAGE
SINGLE, BATCH, PIPELINE = Kind.EXTRA_SINGLE_IMAGE, Kind.EXTRA_BATCH_IMAGES, Kind.PIPELINE

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "diffusers": {"maxPictures": 4},
    "sdwebui": {"backend": {"url": "http://127.0.0.1:7860"}},
    "comfyui": {"backend": {"url": "http://127.0.0.1:8188"}},
    "fake": {},
}
PICTURE = "aGVsbG8="
LINK = "https://example.com/a.png"
BASE = {"prompt": "a red circle", "steps": 8, "cfg_scale": 4, "seed": 3}


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


GRAPH = {
    "1": node("EmptyImage", width=64, height=64),
    "2": node("ImageScale", image=["1", 0], width=32, height=32),
    "3": node("SaveImage", images=["2", 0], filename_prefix="a"),
}
NO_GRAPHS: list[tuple[Any, str]] = [
    (None, "None"),
    ([], "[]"),
    ("a cat", "'a cat'"),
    ({}, "an object of 0"),
    (3, "3"),
]
SWAGGER: dict[str, Any] = {
    # What the documentation page of the Web UI's API offers to send.
    "prompt": "",
    "negative_prompt": "",
    "styles": [""],
    "seed": -1,
    "subseed": -1,
    "subseed_strength": 0,
    "seed_resize_from_h": -1,
    "seed_resize_from_w": -1,
    "sampler_name": "Euler",
    "scheduler": "Automatic",
    "batch_size": 1,
    "n_iter": 1,
    "steps": 50,
    "cfg_scale": 7,
    "width": 512,
    "height": 512,
    "restore_faces": False,
    "tiling": False,
    "do_not_save_samples": False,
    "do_not_save_grid": False,
    "eta": 0,
    "denoising_strength": 0,
    "s_min_uncond": 0,
    "s_churn": 0,
    "s_tmax": 0,
    "s_tmin": 0,
    "s_noise": 1,
    "override_settings": {},
    "override_settings_restore_afterwards": True,
    "refiner_checkpoint": "",
    "refiner_switch_at": 0,
    "disable_extra_networks": False,
    "comments": {},
    "enable_hr": False,
    "firstphase_width": 0,
    "firstphase_height": 0,
    "hr_scale": 2,
    "hr_upscaler": "Latent",
    "hr_second_pass_steps": 0,
    "hr_resize_x": 0,
    "hr_resize_y": 0,
    "hr_checkpoint_name": "",
    "hr_sampler_name": "",
    "hr_prompt": "",
    "hr_negative_prompt": "",
    "sampler_index": "Euler",
    "script_name": "",
    "script_args": [],
    "send_images": True,
    "save_images": False,
    "alwayson_scripts": {},
}
LEGACY = {
    # A body of /v1alpha1 as it reaches the runtime.
    "alwayson_scripts": {
        "task": "text-to-image",
        "id_task": "1",
        "uid": "2",
        "save_dir": "x",
        "sd_model_checkpoint": "a.safetensors",
        "sd_vae": "Automatic",
        "override_settings": {"CLIP_stop_at_last_layers": 2, "samples_format": "webp"},
    },
    "s3_output_path": "outputs/x/1",
    "prompt": "a tram",
    "steps": 20,
}

RIGHT: list[tuple[str, Kind, Any]] = [
    *drawings.RIGHT,
    ("diffusers", T2I, {}),
    ("diffusers", T2I, BASE),
    ("diffusers", T2I, SWAGGER),
    ("diffusers", T2I, LEGACY),
    ("diffusers", T2I, {**BASE, "steps": "20", "width": None, "sampler_name": "dpm++ 2m karras"}),
    ("diffusers", T2I, {"prompt": "a " * 4800, "negative_prompt": "a BREAK " * 63}),
    ("diffusers", T2I, {"prompt": "<lora:" + "a b" * 2000 + ":1>" + "(a:1.25) " * 500}),
    ("diffusers", T2I, {"scheduler": "", "sampler_name": "None"}),
    ("diffusers", T2I, {"enable_hr": True, "hr_upscaler": "latent (NEAREST)", "hr_scale": 1.5}),
    ("diffusers", T2I, {"enable_hr": True, "prompt": "a", "hr_prompt": "a", "hr_cfg": 0}),
    ("diffusers", T2I, {"hr_prompt": "of a second pass that there is not"}),
    ("diffusers", T2I, {"alwayson_scripts": {"ControlNet": {"args": [{"enabled": False}]}}}),
    ("diffusers", T2I, {"width": 16_384, "height": 8}),
    ("diffusers", T2I, {"seed": "", "scheduler": "", "subseed": -1}),
    ("diffusers", T2I, {"seed": -2, "tiling": "false", "restore_faces": 0, "s_churn": "0.0"}),
    ("diffusers", T2I, {"seed": 2**53, "override_settings": {"samples_format": "png"}}),
    ("diffusers", T2I, {"enable_hr": "off", "hr_prompt": "of a second pass that there is not"}),
    ("diffusers", T2I, {"enable_hr": True, "hr_upscaler": "latent-sharp"}),
    ("diffusers", T2I, {"prompt": "a tram # AND [a:b:0.5]\n# <lora:x:much>"}),
    ("diffusers", I2I, {"init_images": [PICTURE]}),
    ("diffusers", I2I, {"init_images": [LINK], "mask": LINK, "mask_blur_x": 9, "mask_blur": 9}),
    ("diffusers", I2I, {"alwayson_scripts": {"image_link": "s3://bucket/my photo.png"}}),
    ("diffusers", I2I, {"init_images": [f"data:image/png;base64,{PICTURE}"], "enable_hr": True}),
    ("diffusers", SINGLE, {"image": PICTURE, "upscaler_1": "Lanczos", "upscaling_resize": 2}),
    ("diffusers", BATCH, {"imageList": [{"data": PICTURE, "name": "a.png"}, LINK]}),
    ("diffusers", BATCH, {"images": [PICTURE]}),
    ("sdwebui", T2I, SWAGGER),
    ("sdwebui", T2I, LEGACY),
    ("sdwebui", T2I, {"prompt": "a", "steps": 400, "sampler_name": "k_euler_a", "seed": None}),
    ("sdwebui", T2I, {"a_field_of_an_extension": {"x": 1}, "tiling": True}),
    ("sdwebui", I2I, {"init_images": [LINK], "alwayson_scripts": {"ControlNet": {"args": [{}]}}}),
    ("sdwebui", I2I, {"alwayson_scripts": {"image_link": LINK}}),
    ("sdwebui", SINGLE, {"image": LINK, "upscaler_1": "R-ESRGAN 4x+"}),
    ("sdwebui", BATCH, {"imageList": [PICTURE, {"data": PICTURE, "name": "b.png"}]}),
    ("comfyui", PIPELINE, GRAPH),
    ("comfyui", PIPELINE, {"prompt": GRAPH, "client_id": "8d1b"}),
    ("comfyui", PIPELINE, {"1": {**node("SaveImage"), "_meta": {"title": "Save"}}}),
    ("comfyui", PIPELINE, {"prompt": node("Text"), "client_id": node("Text")}),
    ("comfyui", PIPELINE, {"1": node("Text", text=["not", "a link"], list=[1, 2])}),
    ("fake", T2I, {"prompt": 5, "anything": [1]}),
    ("fake", PIPELINE, GRAPH),
    ("fake", BATCH, {"imageList": [PICTURE] * 3}),
    ("fake", T2I, {"fail": "out of paint"}),
]

WRONG: list[tuple[str, Kind, Any, Mapping[str, str]]] = [
    *drawings.WRONG,
    ("diffusers", T2I, [], {"": "must be an object"}),
    ("diffusers", T2I, {"stpes": 8}, {"stpes": "did you mean 'steps'?"}),
    ("diffusers", T2I, {"qqqqqq": 8}, {"qqqqqq": "unknown field; leave it out"}),
    ("diffusers", T2I, {"steps": 0}, {"steps": "greater than or equal to 1 (given: 0)"}),
    (
        "diffusers",
        T2I,
        {"steps": 0, "width": 70_000, "sampler_name": "Magic", "promt": "x"},
        {"steps": "1", "width": "16384", "sampler_name": "Euler a", "promt": "'prompt'"},
    ),
    ("diffusers", T2I, {"width": 4096, "height": 4096}, {"width": "4194304 pixels allowed"}),
    (
        "diffusers",
        T2I,
        {"width": 1024, "height": 1024, "enable_hr": True, "hr_scale": 8},
        {"hr_scale": "8192x8192"},
    ),
    ("diffusers", T2I, {"batch_size": 3, "n_iter": 2}, {"batch_size": "more than the 4 allowed"}),
    ("diffusers", T2I, {"scheduler": "Magic"}, {"scheduler": "Karras"}),
    ("diffusers", T2I, {"prompt": 5}, {"prompt": "valid string"}),
    ("diffusers", T2I, {"prompt": "<lora:x:much>"}, {"prompt": "<lora:name:0.8>"}),
    ("diffusers", T2I, {"prompt": "<lora:x:nan>"}, {"prompt": "one number from -100 to 100"}),
    ("diffusers", T2I, {"prompt": "a <lora:x:1e41>"}, {"prompt": "LoRA tag at character 3"}),
    ("diffusers", T2I, {"enable_hr": "perhaps"}, {"enable_hr": "given: 'perhaps'"}),
    (
        "diffusers",
        T2I,
        {"override_settings": {"samples_fromat": "png", "save_nonsense": 1, "randn_source": "NV"}},
        {
            "override_settings.samples_fromat": "did you mean 'samples_format'?",
            "override_settings.save_nonsense": "unknown setting",
            "override_settings.randn_source": "noise is drawn on the CPU",
        },
    ),
    (
        "diffusers",
        T2I,
        {"alwayson_scripts": {"override_settings": {"sd_vae_decode_metod": "TAESD"}}},
        {"alwayson_scripts.override_settings.sd_vae_decode_metod": "'sd_vae_decode_method'"},
    ),
    ("diffusers", T2I, {"prompt": "a " * 10_001}, {"prompt": "at most 20000 characters"}),
    ("diffusers", T2I, {"prompt": "a " * 4801}, {"prompt": "65 chunks of 75 tokens"}),
    ("diffusers", I2I, {"init_images": [LINK], "prompt": "a BREAK " * 64}, {"prompt": "shorten"}),
    ("diffusers", T2I, {"negative_prompt": "BREAK" + " BREAK" * 63}, {"negative_prompt": "65"}),
    ("diffusers", T2I, {"tiling": True}, {"tiling": "leave it out or send False"}),
    ("diffusers", T2I, {"init_images": [PICTURE]}, {"init_images": "send the kind image-to-image"}),
    (
        "diffusers",
        T2I,
        {
            "enable_hr": True,
            "hr_prompt": "x",
            "hr_sampler_name": "no such",
            "hr_upscaler": "latent x",
        },
        {
            "hr_sampler_name": "Euler a",
            "hr_upscaler": "Latent (nearest)",
        },
    ),
    (
        "diffusers",
        T2I,
        {"override_settings": {"sd_model_chekpoint": "a", "img2img_extra_noise": 0.1}},
        {
            "override_settings.sd_model_chekpoint": "'sd_model_checkpoint'",
            "override_settings.img2img_extra_noise": "send 0",
        },
    ),
    (
        "diffusers",
        T2I,
        {"alwayson_scripts": {"ControlNet": {"args": [{"model": "x"}]}, "override_settings": 3}},
        {"alwayson_scripts": "ControlNet", "alwayson_scripts.override_settings": "an object"},
    ),
    ("diffusers", I2I, {}, {"init_images": "one picture at least"}),
    ("diffusers", I2I, {"init_images": ["cat.png"]}, {"init_images[0]": "base64, or a link"}),
    (
        "diffusers",
        I2I,
        {"init_images": [PICTURE], "initial_noise_multiplier": 3, "mask_round": False},
        {"initial_noise_multiplier": "less than or equal to 2", "mask_round": "send True"},
    ),
    ("diffusers", SINGLE, {}, {"image": "is missing"}),
    ("diffusers", SINGLE, {"image": PICTURE, "gfpgan_visibility": 1}, {"gfpgan_visibility": "0"}),
    ("diffusers", BATCH, {"imageList": []}, {"imageList": "at least 1"}),
    ("diffusers", BATCH, {"imageList": [PICTURE] * 5}, {"imageList": "more than the 4"}),
    ("sdwebui", T2I, "a tram", {"": "must be an object"}),
    ("sdwebui", T2I, {"stpes": 8, "steps": 0}, {"stpes": "'steps'", "steps": "equal to 1"}),
    ("sdwebui", T2I, {"width": "wide"}, {"width": "whole number"}),
    ("sdwebui", T2I, {"width": 70_000}, {"width": "16384"}),
    ("sdwebui", T2I, {"alwayson_scripts": 3}, {"alwayson_scripts": "must be an object"}),
    ("sdwebui", I2I, {"init_images": []}, {"init_images": "one picture at least"}),
    ("sdwebui", SINGLE, {"upscaling_resize": 0}, {"image": "needed", "upscaling_resize": "0"}),
    ("sdwebui", BATCH, {}, {"imageList": "one picture at least"}),
    ("comfyui", PIPELINE, {}, {"": "must be a graph"}),
    ("comfyui", PIPELINE, {"nodes": [], "links": []}, {"": "Export (API)"}),
    ("comfyui", PIPELINE, {"prompt": {"nodes": [], "links": []}}, {"": "Export (API)"}),
    *(
        ("comfyui", PIPELINE, {"prompt": graph, **more}, {"prompt": f"(given: {told})"})
        for graph, told in NO_GRAPHS
        for more in ({}, {"client_id": "8d1b"}, {"extra_data": {"extra_pnginfo": {}}, "number": 3})
    ),
    ("comfyui", PIPELINE, {"client_id": "8d1b"}, {"prompt": "(it is missing)"}),
    ("comfyui", PIPELINE, {"prompt": "a", "1": node("A")}, {"prompt": "must be a node"}),
    ("comfyui", PIPELINE, {"number": {"inputs": {}}}, {"number.class_type": "is missing"}),
    (
        "comfyui",
        PIPELINE,
        {"1": node("A", x=["9", 0]), "2": "B", "3": {"inputs": []}},
        {
            "1.inputs.x": "node '9', which the graph does not have",
            "2": "must be a node",
            "3.class_type": "is missing",
            "3.inputs": "must be an object",
        },
    ),
    (
        "comfyui",
        PIPELINE,
        {"prompt": {"1": node("A", x=["9", 0])}},
        {"prompt.1.inputs.x": "does not have"},
    ),
    (
        "comfyui",
        PIPELINE,
        {"1": node("A", x=["2", 0]), "2": node("B", x=["1", 0]), "3": node("C", x=["2", 0])},
        {"1.inputs.x": "in a circle: '1' <- '2' <- '1'"},
    ),
    (
        "comfyui",
        PIPELINE,
        {
            "1": node("A", a=["1", 0]),
            "2": node("B", b=["3", 0], c=["1", 0]),
            "3": node("B", d=3, e=["2", 1]),
            "4": node("C", x=["3", 0]),
        },
        {"1.inputs.a": "'1' <- '1'", "2.inputs.b": "'2' <- '3' <- '2'"},
    ),
    ("fake", T2I, 3, {"": "must be an object"}),
    ("fake", T2I, {"batch_size": "two"}, {"batch_size": "whole number"}),
    ("fake", T2I, {"n_iter": 0}, {"n_iter": "equal to 1"}),
    ("fake", T2I, {"n_iter": 101}, {"batch_size": "101 pictures"}),
    ("fake", BATCH, {"imageList": 3}, {"imageList": "must be a list"}),
]


def options(name: str) -> Group:
    return TYPES[name].options.read(OPTIONS[name], under="options")
