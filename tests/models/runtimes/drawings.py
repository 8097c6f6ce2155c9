"""Contents of drawn pictures that the type ``diffusers`` takes or refuses: samplers and prompts."""

from collections.abc import Mapping
from typing import Any

from models.task import Kind

T2I = Kind.TEXT_TO_IMAGE
HR = {"enable_hr": True}

RIGHT: list[tuple[str, Kind, Any]] = [
    ("diffusers", T2I, {"eta": 0.5, "s_churn": 3, "s_noise": 0.5, "subseed_strength": 0.3}),
    ("diffusers", T2I, {"eta": 0, "sampler_name": "DPM++ 2M SDE", "styles": ["film"]}),
    ("diffusers", T2I, {"prompt": "a [cat|dog] AND [b:c:0.5] :1.2", "negative_prompt": "a AND b"}),
    ("diffusers", T2I, {"enable_hr": True, "hr_sampler_name": "DDIM", "hr_scheduler": "karras"}),
    (
        "diffusers",
        T2I,
        {**HR, "override_settings": {"sd_model_checkpoint": "a"}, "hr_checkpoint_name": "a.ckpt"},
    ),
]

WRONG: list[tuple[str, Kind, Any, Mapping[str, str]]] = [
    ("diffusers", T2I, {"prompt": "a <hypernet:x:1>"}, {"prompt": "at character 3"}),
    ("diffusers", T2I, {"prompt": "a AND " * 8}, {"prompt": "9 parts joined by AND"}),
    ("diffusers", T2I, {"negative_prompt": "[a:3]" * 65}, {"negative_prompt": "65 edits"}),
    ("diffusers", T2I, {"prompt": "[" * 17 + ":3]" * 17}, {"prompt": "nested deeper than the 16"}),
    ("diffusers", T2I, {"prompt": "a " * 9000 + "[a|b|c|d|e|f]"}, {"prompt": "texts of 108006"}),
    ("diffusers", T2I, {"prompt": "a BREAK " * 50 + "[a|b|c|d|e|f]"}, {"prompt": "306 chunks"}),
    (
        "diffusers",
        T2I,
        {"enable_hr": True, "hr_prompt": "a AND " * 8, "hr_negative_prompt": "<hypernet:x:1>"},
        {"hr_prompt": "9 parts", "hr_negative_prompt": "hypernetworks"},
    ),
    (
        "diffusers",
        T2I,
        {**HR, "override_settings": {"sd_model_checkpoint": "a"}, "hr_checkpoint_name": "xl"},
        {"hr_checkpoint_name": "option keep to 2"},
    ),
    (
        "diffusers",
        T2I,
        {"enable_hr": True, "hr_sampler_name": "heun karras", "s_churn": 1, "s_noise": 3},
        {"s_noise": "less than or equal to 2"},
    ),
    (
        "diffusers",
        T2I,
        {"override_settings": {"samples_format": "avif", "jpeg_quality": 0}},
        {
            "override_settings.samples_format": "'png', 'jpg', 'jpeg' or 'webp'",
            "override_settings.jpeg_quality": "greater than or equal to 1",
        },
    ),
]
